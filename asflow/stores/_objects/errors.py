"""What an object store's refusal means, and which of them are worth another try."""

from __future__ import annotations

import errno
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from asflow.errors import OutputNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["first_line", "patiently", "translated"]

T = TypeVar("T")

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 15.0

# What an answer contains, the errno that it stands for, and what to do about it. The first that fits.
_ADVICE = (
    (
        ("NoSuchBucket", "ContainerNotFound", "bucket does not exist", "container does not exist"),
        errno.ENOENT,
        "there is no such bucket: create it, or mend the URL",
    ),
    (
        ("169.254.169.254", "169.254.170.2", "api/token", "metadata.google.internal", "computeMetadata"),
        errno.EACCES,
        "no credentials were found: set them in the environment (AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_...) or give "
        "ObjectStore(config=... or credential_provider=...); ~/.aws is not read",
    ),
    (
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint", "Moved Perm"),
        errno.EINVAL,
        "the bucket is in another region: set AWS_REGION, or ObjectStore(config={'region': ...})",
    ),
    (
        ("NotImplemented", "not yet implemented", "not supported"),
        errno.ENOTSUP,
        "the service can't do what publishing needs (conditional PUT): use another one",
    ),
)

_DENIED = (
    "access was denied: check the credentials, and that they may get, put, list and delete objects there "
    "(on S3, without the right to list, even a missing object is answered with a denial)"
)


@contextmanager
def translated(url: str) -> Generator[None]:
    """Let errors of obstore pass as what they are to Python: OSErrors with an errno, that name *url*.

    `AlreadyExistsError` and FileNotFoundError pass unchanged.
    """
    from obstore import exceptions

    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
        raise
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise PermissionError(errno.EACCES, f"{_DENIED}: {first_line(error)}", url) from error
    except FileNotFoundError as error:
        if any(word in str(error) for word in _ADVICE[0][0]):
            raise OSError(errno.ENOENT, _ADVICE[0][2], url) from error
        raise
    except exceptions.BaseError as error:
        code, advice = _judge(first_line(error))
        raise OSError(code, f"{advice}: {first_line(error)}", url) from error
    except ValueError as error:
        raise OutputNameError(f"no object can be called {url!r}: {first_line(error)}") from error


def patiently(attempt: Callable[[], T], seconds: float) -> T:
    """Call *attempt* again after each lost connection, for so many *seconds*; longer waits each time.

    obstore itself repeats what the server refused for the moment (500, 503), but a conditional PUT whose
    answer got lost may have been carried out, so it leaves the decision to us: to whom an object that
    is there means that the work is done, a second try does no harm.
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


def _judge(text: str) -> tuple[int, str]:
    for words, code, advice in _ADVICE:
        if any(word in text for word in words):
            return code, advice
    # Where the request is about no object, obstore makes no type of its own of the answer.
    if "403 Forbidden" in text or "401 Unauthorized" in text:
        return errno.EACCES, _DENIED
    return errno.EIO, "the object store did not do what it was asked, also not when asked again"


def first_line(error: Exception) -> str:
    """What obstore says, without the debug output that follows."""
    text = str(error).partition("\n\nDebug source")[0]
    return " ".join(text.split())[:1000]
