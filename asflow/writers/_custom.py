"""Reading with a `Format`'s own reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from asflow._labels import error_line
from asflow.errors import AsflowError
from asflow.writers._decoding import decode_errors, value_converter
from asflow.writers._files import seekable
from asflow.writers._refusals import corrupt
from asflow.writers._registry import format_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow.writers._format import Format
    from asflow.writers._refusals import Misfit

# A mistake in the reader, or a package that is missing: the output is not to blame.
_NOT_CORRUPT = (
    AsflowError,
    AttributeError,
    ImportError,
    MemoryError,
    NameError,
    NotImplementedError,
    TypeError,
)


def read_custom(
    name: str, file: BinaryIO, record_type: Any, form: Format[Any] | str, misfit: Misfit
) -> Iterator[Any]:
    """Return an iterator over the records that the reader of *form* returns, each converted to *record_type*.

    Args:
        name: the output's name, for messages.
        file: the output, decompressed; closed by the caller.
        record_type: what a record is; Any for what the reader returns.
        form: the format, or a name that ends in its suffix.
        misfit: makes the error for a record that does not fit.

    Raises:
        TypeError: the format has no reader, or *record_type* can't be converted to.
        CorruptOutputError: from the iterator: the reader refuses the file, or a record does not fit.
        OSError: from the iterator: the file can't be read.
    """
    if isinstance(form, str):
        found = format_of(form, f"output {name!r}")
        assert found is not None
        form = found
    if form.reader is None:
        raise TypeError(f"output {name!r}: {form!r} has no reader; give it one, or use bytes() or open()")
    convert = value_converter(record_type, strict=True)
    return _converted(name, _read(name, file, form), convert, misfit)


def _read(name: str, file: BinaryIO, form: Format[Any]) -> Iterator[object]:
    assert form.reader is not None
    try:
        with seekable(file) as source:
            yield from form.reader(source)
    except _NOT_CORRUPT:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise corrupt(name, f"its reader refuses it ({error_line(error)})") from error


def _converted(name: str, records: Iterator[object], convert: Any, misfit: Misfit) -> Iterator[Any]:
    for number, record in enumerate(records, 1):
        try:
            made = convert(record)
        except decode_errors() as error:
            raise misfit(name, number, error) from error
        yield made
