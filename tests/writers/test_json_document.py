"""JSON: one document in an output."""

import io
from collections.abc import Callable

import pandas
import pytest

from asflow.errors import OutputClosedError, RecordTypeError, RecordValueError
from asflow.writers import open_writer, read_records


def test_a_record_is_the_document(text: Callable[..., str]) -> None:
    assert text("x.json.zst", {"a": [1, float("nan")]}) == '{"a":[1,null]}\n'


def test_raw_text_is_the_document_unchanged(text: Callable[..., str]) -> None:
    assert text("x.json", ' {"a": 1}') == ' {"a": 1}'
    assert text("x.json.gz", b"[]") == "[]"


@pytest.mark.parametrize("first", [{"a": 1}, "raw", ""])
@pytest.mark.parametrize("second", [{"b": 1}, "raw", b""])
def test_a_second_document_is_refused(written: Callable[..., bytes], first: object, second: object) -> None:
    with pytest.raises(RecordValueError, match=r"^task get\(\): .*second document"):
        written("x.json", first, second, task="get")


@pytest.mark.parametrize("name", ["x.json", "x.json.gz", "x.json.zst"])
@pytest.mark.parametrize("records", [[], [""], [b" \n\t"], [bytearray()], [memoryview(b"")]])
def test_an_output_without_a_document_is_refused(
    written: Callable[..., bytes], name: str, records: list[object]
) -> None:
    """An empty file is not JSON: no reader of other libraries takes it for nothing."""
    with pytest.raises(RecordValueError) as caught:
        written(name, *records, task="get")
    assert str(caught.value) == (
        "task get(): has written no document, and an empty file is not JSON; "
        "write one (null, [] or {} if there is nothing), or name the output .jsonl"
    )


def test_an_empty_output_of_an_earlier_version_has_no_records() -> None:
    assert list(read_records("x.json", io.BytesIO(b""), dict)) == []


def test_labels_make_a_record_in_a_list_too(text: Callable[..., str]) -> None:
    rows = pandas.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert text("x.json", rows.iloc[0]) == '{"a":1,"b":"x"}\n'
    assert text("x.json", [row for _, row in rows.iterrows()]) == '[{"a":1,"b":"x"},{"a":2,"b":null}]\n'
    assert text("x.json", {"column": rows["a"]}) == '{"column":[1,2]}\n'  # as a value it is a column


def test_a_refused_record_is_no_document() -> None:
    class Sink:
        data = b""

        def write(self, data: bytes | bytearray | memoryview) -> None:
            self.data += bytes(data)

    sink = Sink()
    writer = open_writer("x.json", sink)
    with pytest.raises(RecordTypeError):
        writer.write({"a": 1j})
    writer.write({"a": 1})
    writer.commit()
    assert sink.data == b'{"a":1}\n'
    with pytest.raises((OutputClosedError, RecordValueError)):
        writer.write({"a": 2})


def test_a_list_reads_as_its_items_and_anything_else_as_one_record(back: Callable[..., list[object]]) -> None:
    assert back("x.json", dict[str, int], [{"a": 1}, {"a": 2}]) == [{"a": 1}, {"a": 2}]
    assert back("x.json", dict[str, int], {"a": 1}) == [{"a": 1}]
    assert back("x.json", int, "[]") == []
    assert back("x.json", int, " 5 \n") == [5]
