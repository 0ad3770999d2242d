"""Which format and which compression the suffixes of an output ask for."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from asflow.writers._format import Format

FormatName = Literal["json lines", "json", "csv", "tsv", "parquet", "raw", "registered"]
"""How records become bytes; "registered" is a user's own `Format`."""

Compression = Literal["gzip", "zstd", "none"]
"""What happens to the bytes on their way to the store."""

FORMATS: dict[str, FormatName] = {
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
"""asflow's own formats by suffix; any other suffix that is not registered is raw text or bytes."""

REGISTERED: dict[str, Format[Any]] = {}
"""The formats of `asflow.add_format` by suffix, and those of installed packages that have been used."""

COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}
"""The registry of compressions by the last suffix."""

DEFAULT_LEVELS: dict[Compression, int] = {"gzip": 6, "zstd": 3, "none": 0}

# Text and bytes as they are: no installed package is searched for a format of theirs, which takes 50 ms.
_PLAIN = frozenset({"", ".bin", ".htm", ".html", ".log", ".md", ".txt", ".xml"})

# zstd's fastest level is -(1 << 17). Level 0 is zstd's default, and "store" for gzip.
_LEVELS: dict[Compression, tuple[int, int]] = {"gzip": (0, 9), "zstd": (-131072, 22)}


class Suffixes(NamedTuple):
    """The format and compression of an output."""

    format: FormatName
    compression: Compression


@lru_cache
def split_suffixes(name: str) -> Suffixes:
    """Return the format and compression that the end of *name* asks for.

    Args:
        name: an output's name, or just its suffixes (`.jsonl.zst`). Case does not count.

    Returns:
        The format by the suffix before `.gz` or `.zst` (or the last one, without these), "registered" for
        one of `add_format` or of an installed package, "raw" for an unknown one.
    """
    compression = COMPRESSIONS.get("." + name.lower().rpartition(".")[2], "none")
    return Suffixes(_format_of(last_suffix(name)), compression)


def _format_of(suffix: str) -> FormatName:
    if suffix in REGISTERED:
        return "registered"
    if suffix in FORMATS:
        return FORMATS[suffix]
    if suffix in _PLAIN:
        return "raw"
    return "registered" if suffix in offered() else "raw"


@lru_cache
def offered() -> dict[str, EntryPoint]:
    """Return the formats of installed packages by suffix, not loaded. The first package of a suffix wins.

    A package lists them as entry points of the group `asflow.formats`: the suffix without its dot and the
    Format.
    """
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group="asflow.formats"):
        found.setdefault("." + entry.name.lstrip(".").lower(), entry)
    return found


def last_suffix(name: str) -> str:
    """Return the suffix of *name* that names its format, in lower case: `.jsonl`. Empty if it has none."""
    last = name.replace("\\", "/").rpartition("/")[2].lower()
    stem, dot, end = last.rpartition(".")
    if dot + end in COMPRESSIONS:
        _, dot, end = stem.rpartition(".")
    return dot + end if dot else ""


def check_suffix(
    name: str, level: object = None, *, custom: bool = False, subject: str = "check_suffix()"
) -> Suffixes:
    """Refuse, before anything runs, suffixes or a compression level that can't work.

    Args:
        name: an output's pattern or name, or just its suffixes.
        level: the compression level asked for: 0 to 9 for `.gz`, 1 to 22 or a negative number (faster)
            for `.zst`; None for the default (6 and 3).
        custom: True if the user's own writer makes the format, so that no extra is needed.
        subject: what a message begins with, as in `task extract()`.

    Returns:
        What the suffixes ask for.

    Raises:
        DefinitionTypeError: *level* is not an int.
        DefinitionValueError: *level* is out of range or given without a compressed suffix, or Parquet,
            which compresses its columns itself, is to be compressed again.
        MissingExtraError: the format needs a package that is not installed.
    """
    suffixes = split_suffixes(name)
    check_level(suffixes.compression, level, subject)
    if suffixes.format == "parquet" and not custom:
        if suffixes.compression != "none":
            raise DefinitionValueError(
                f"{subject}: Parquet, which compresses its columns itself, takes no other compression, "
                f"not {short(name)}; "
                "let the name end in .parquet"
            )
        from asflow.writers._arrow import find_pyarrow

        # Found, not imported: a task that only skips its outputs should not pay for the import.
        find_pyarrow(subject)
    return suffixes


def check_level(compression: Compression, level: object, subject: str) -> int:
    """Return the compression level to use, or raise as `check_suffix` does."""
    if level is None:
        return DEFAULT_LEVELS[compression]
    if not isinstance(level, int) or isinstance(level, bool):
        raise DefinitionTypeError(
            f"{subject}: level takes an int or None, not {short(level)}; leave it out for the default"
        )
    if compression == "none":
        raise DefinitionValueError(
            f"{subject}: level takes None without compression, not {short(level)}; "
            "let the name end in .gz or .zst"
        )
    lowest, highest = _LEVELS[compression]
    if not lowest <= level <= highest or (compression == "zstd" and level == 0):
        allowed = "0 to 9" if compression == "gzip" else "1 to 22, or -1 to -131072 for more speed"
        raise DefinitionValueError(
            f"{subject}: level takes {allowed} ({compression}), not {short(level)}; "
            f"leave it out for the default, {DEFAULT_LEVELS[compression]}"
        )
    return level
