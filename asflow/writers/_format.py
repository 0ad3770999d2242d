"""What a format is: a suffix, a function that makes writers, and one that reads."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Generic, TypeVar, final

from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from asflow.protocols import ByteStream, Writer

T = TypeVar("T")

_RESERVED = (".gz", ".zst", ".err", ".part")
_SUFFIX = re.compile(r"\.[a-z0-9_+~-]+")


@final
class Format(Generic[T]):
    """How the records of outputs with one suffix become bytes, and bytes become records.

        add_format(Format(".msgpack", MsgpackWriter, read_msgpack))

    From then on `on=`, `save=`, `records()` and the command line use it for every output with this suffix;
    one task alone uses it with `writer=Format(...)`. Behind `.gz` or `.zst` it is compressed as any other.

    Args:
        suffix: what the name ends in, with its dot: `.msgpack`. Case does not count.
        writer: makes a writer of one output: a function, or a class, that takes the `ByteStream` to write to;
            see `asflow.protocols.Writer`.
        reader: takes the decompressed file, which can seek, and returns or yields the records. A file that is
            one value, such as an image, has one record. asflow closes the file. Without a reader, outputs can
            be written and not read back as records.

    Raises:
        DefinitionTypeError: *suffix* is not a string, or *writer* or *reader* is not a plain function.
        DefinitionValueError: *suffix* is not one word with a dot before it, or has a meaning of its own.

    Threads: *writer* and *reader* may be called from any thread, and from several at the same time.
    """

    __slots__ = ("reader", "suffix", "writer")

    def __init__(
        self,
        suffix: str,
        writer: Callable[[ByteStream], Writer[T]],
        reader: Callable[[BinaryIO], Iterable[T]] | None = None,
    ) -> None:
        self.suffix: str = _checked_suffix(suffix)
        check_factory(writer, "Format()")
        if reader is not None:
            check_factory(reader, "Format()", option="reader", returns="the records of a file")
        self.writer: Callable[[ByteStream], Writer[T]] = writer
        self.reader: Callable[[BinaryIO], Iterable[T]] | None = reader

    def __call__(self, stream: ByteStream, /) -> Writer[T]:
        """Return a writer to *stream*, so that a Format can be a task's `writer=`."""
        return self.writer(stream)

    def __repr__(self) -> str:
        return f"Format({self.suffix!r}, {short(self.writer)}, {short(self.reader)})"


def _checked_suffix(suffix: object) -> str:
    if not isinstance(suffix, str):
        raise DefinitionTypeError(
            f"Format(): suffix takes a string, not {short(suffix)}; write for example '.msgpack'"
        )
    lower = suffix.lower()
    if not _SUFFIX.fullmatch(lower):
        raise DefinitionValueError(
            f"Format(): suffix takes a dot and one word, not {short(suffix)}; write for example '.msgpack'"
        )
    if lower in _RESERVED:
        raise DefinitionValueError(
            f"Format(): suffix takes one without a meaning of its own, not {short(suffix)}, which is a "
            f"compression, a failure or work in progress; choose another"
        )
    return lower


METHODS = ("write", "commit", "abort")
"""What a Writer must have."""


def check_factory(
    factory: object, subject: str, *, option: str = "writer", returns: str = "a Writer"
) -> None:
    """Refuse, before anything runs, what can't be a function that makes writers, or reads records.

    Raises:
        DefinitionTypeError: *factory* is not callable, is an `async def`, or is a class that has one.
    """
    if not callable(factory):
        example = "JsonWriter" if option == "writer" else "read_json"
        raise DefinitionTypeError(
            f"{subject}: {option} takes a function that returns {returns}, not {short(factory)}; "
            f"write for example {option}={example}"
        )
    if inspect.iscoroutinefunction(factory) or inspect.isasyncgenfunction(factory):
        raise DefinitionTypeError(
            f"{subject}: {option} takes a plain function, not the async {short(factory)}, which asflow never "
            f"awaits; write it with `def`"
        )
    if inspect.isclass(factory):
        refuse_async(factory, factory.__qualname__, subject)


def refuse_async(form: object, name: str, subject: str) -> None:
    """Refuse an `async def` method: it is never awaited, so the output would be empty.

    Raises:
        DefinitionTypeError: *form*, a writer or its class *name*, has one.
    """
    for method in (*METHODS, "write_batch"):
        if inspect.iscoroutinefunction(getattr(form, method, None)):
            raise DefinitionTypeError(
                f"{subject}: writer makes a {name}, whose method {method!r} is async and would never be "
                f"awaited; write it with `def`"
            )
