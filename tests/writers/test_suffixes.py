"""Which format and compression a name asks for, and what is refused at decoration."""

import pytest

from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.writers import check_suffix, split_suffixes


@pytest.mark.parametrize(
    ("name", "form", "compression"),
    [
        ("a/b.jsonl", "json lines", "none"),
        (".ndjson.gz", "json lines", "gzip"),
        ("x.JSONL.ZST", "json lines", "zstd"),
        ("x.json", "json", "none"),
        ("x.json.gz", "json", "gzip"),
        ("x.csv.zst", "csv", "zstd"),
        (".tsv", "tsv", "none"),
        ("x.parquet", "parquet", "none"),
        ("x.html", "raw", "none"),
        ("x.html.gz", "raw", "gzip"),
        ("x.gz", "raw", "gzip"),
        ("x", "raw", "none"),
        ("", "raw", "none"),
        ("folder.jsonl/x", "raw", "none"),
        ("x.zst.jsonl", "json lines", "none"),
        ("x.gz.zst", "raw", "zstd"),
        ("x.tgz", "raw", "none"),
        ("jsonl", "raw", "none"),
    ],
)
def test_suffixes_name_format_and_compression(name: str, form: str, compression: str) -> None:
    assert split_suffixes(name) == (form, compression)


@pytest.mark.parametrize(
    ("name", "level"),
    [("x.gz", 0), ("x.gz", 9), ("x.zst", 1), ("x.zst", 22), ("x.zst", -5), ("x.zst", None), ("x", None)],
)
def test_good_levels_pass(name: str, level: int | None) -> None:
    check_suffix(name, level)


@pytest.mark.parametrize(
    ("name", "level"),
    [("x.gz", -1), ("x.gz", 10), ("x.zst", 0), ("x.zst", 23), ("x.zst", -131073), ("x.jsonl", 3), ("", 0)],
)
def test_bad_levels_are_refused_with_the_value(name: str, level: int) -> None:
    with pytest.raises(DefinitionValueError, match=rf"^check_suffix\(\): level takes .*, not {level}; "):
        check_suffix(name, level)


@pytest.mark.parametrize("level", ["3", 3.0, True, [3]])
def test_levels_of_a_wrong_type_are_refused(level: object) -> None:
    with pytest.raises(DefinitionTypeError, match=r"^check_suffix\(\): level takes an int or None, not .*; "):
        check_suffix("x.zst", level)


def test_compressed_parquet_is_refused_unless_the_user_writes_it() -> None:
    with pytest.raises(
        DefinitionValueError, match=r", not 'x\.parquet\.zst'; let the name end in \.parquet$"
    ):
        check_suffix("x.parquet.zst")
    assert check_suffix("x.parquet.zst", custom=True).compression == "zstd"
