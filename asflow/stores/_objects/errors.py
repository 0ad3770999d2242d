"""An object store's errors as `OSError`s, with a remedy, and the retry of lost connections."""

from __future__ import annotations

import errno
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from asflow.errors import OutputNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 15.0

# Words in an error, its errno, what is wrong, and what to do. The first match counts.
_ADVICE = (
    (
        ("NoSuchBucket", "ContainerNotFound", "bucket does not exist", "container does not exist"),
        errno.ENOENT,
        "there is no such bucket",
        "create it, or correct the URL",
    ),
    (
        ("169.254.169.254", "169.254.170.2", "api/token", "metadata.google.internal", "computeMetadata"),
        errno.EACCES,
        "no credentials were found",
        "set them in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_...), or pass config= or credential_provider= "
        "(~/.aws is not read)",
    ),
    (
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint", "Moved Perm"),
        errno.EINVAL,
        "the bucket is in another region",
        "set AWS_REGION, or pass config={'region': ...}",
    ),
    (
        ("NotImplemented", "not yet implemented", "not supported"),
        errno.ENOTSUP,
        "the service lacks what publishing needs, a conditional PUT",
        "use another service",
    ),
)

_DENIED = (
    "access was denied",
    "check the credentials, and that they may get, put, list and delete objects there "
    "(on S3, without the right to list, a missing object is a denial too)",
)


@contextmanager
def translated(url: str) -> Generator[None]:
    """Raise obstore's errors as Python's own: an `OSError` with an errno that names *url*.

    `AlreadyExistsError` and FileNotFoundError pass unchanged.
    """
    from obstore import exceptions

    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
        raise
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise PermissionError(errno.EACCES, _message(error, *_DENIED), url) from error
    except FileNotFoundError as error:
        if any(word in str(error) for word in _ADVICE[0][0]):
            raise OSError(errno.ENOENT, _message(error, *_ADVICE[0][2:]), url) from error
        raise
    except exceptions.BaseError as error:
        code, wrong, remedy = _judge(first_line(error))
        raise OSError(code, _message(error, wrong, remedy), url) from error
    except ValueError as error:
        raise OutputNameError(
            _message(error, f"no object can be called {url!r}", "rename the output")
        ) from error


def patiently(attempt: Callable[[], T], seconds: float) -> T:
    """Call *attempt* again after each lost connection, for at most *seconds*, with growing waits.

    obstore itself repeats requests that the server refused for the moment (500, 503), but not a conditional
    PUT whose response was lost, which may have been carried out. Repeating it is safe here: an object that
    exists means that the work is done.
    """
    from obstore import exceptions

    until, wait = time.monotonic() + seconds, _FIRST_WAIT
    while True:
        try:
            return attempt()
        except exceptions.GenericError as error:
            if "HTTP error" not in str(error) or time.monotonic() + wait > until:
                raise
        time.sleep(wait)
        wait = min(_LONGEST_WAIT, wait * 2)


def _judge(text: str) -> tuple[int, str, str]:
    """Return the errno of obstore's *text*, what is wrong, and what to do."""
    for words, code, wrong, remedy in _ADVICE:
        if any(word in text for word in words):
            return code, wrong, remedy
    # For a request that is not about an object, obstore has no exception class of its own.
    if "403 Forbidden" in text or "401 Unauthorized" in text:
        return errno.EACCES, *_DENIED
    return errno.EIO, "the request failed, also when it was repeated", "check the service, then run again"


def _message(error: Exception, wrong: str, remedy: str) -> str:
    return f"ObjectStore(): {wrong} ({first_line(error)}); {remedy}"


def first_line(error: Exception) -> str:
    """Return obstore's message without the debug output that follows it."""
    text = str(error).partition("\n\nDebug source")[0]
    return " ".join(text.split())[:1000]
