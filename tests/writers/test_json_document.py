"""JSON: one document in an output."""

from collections.abc import Callable

import pytest

from asflow.errors import OutputClosedError, RecordTypeError, RecordValueError
from asflow.writers import open_writer


def test_a_record_is_the_document(text: Callable[..., str]) -> None:
    assert text("x.json.zst", {"a": [1, float("nan")]}) == '{"a":[1,null]}\n'


def test_raw_text_is_the_document_unchanged(text: Callable[..., str]) -> None:
    assert text("x.json", ' {"a": 1}') == ' {"a": 1}'
    assert text("x.json.gz", b"") == ""


@pytest.mark.parametrize("first", [{"a": 1}, "raw", ""])
@pytest.mark.parametrize("second", [{"b": 1}, "raw", b""])
def test_a_second_document_is_refused(written: Callable[..., bytes], first: object, second: object) -> None:
    with pytest.raises(RecordValueError, match=r"^task get\(\): .*second document"):
        written("x.json", first, second, task="get")


def test_no_document_is_an_empty_output(text: Callable[..., str], back: Callable[..., list[object]]) -> None:
    assert text("x.json.zst") == ""
    assert back("x.json.zst", dict) == []


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
