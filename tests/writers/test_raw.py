"""Raw text and bytes under any other suffix."""

from collections.abc import Callable

import pytest

from asflow.errors import OutputClosedError, RecordTypeError, RecordValueError
from asflow.writers import open_writer


@pytest.mark.parametrize("name", ["x.html", "x", "x.txt.gz", "x.bin.zst"])
def test_text_and_bytes_pass_unchanged(text: Callable[..., str], name: str) -> None:
    parts = ["é", b"\r\n", bytearray(b"b"), memoryview(b"xmx")[1:2], ""]
    assert text(name, *parts) == "é\r\nbm"


@pytest.mark.parametrize("record", [{"a": 1}, 5, None, ["x"], object()])
def test_anything_else_is_refused_with_advice(written: Callable[..., bytes], record: object) -> None:
    with pytest.raises(RecordTypeError, match=r"^task get\(\): .*\.jsonl"):
        written("x.html", record, task="get")


def test_half_a_surrogate_pair_is_refused(written: Callable[..., bytes]) -> None:
    with pytest.raises(RecordValueError, match="surrogate"):
        written("x.txt", "a\udc80")


def test_a_write_after_the_end_is_refused() -> None:
    class Sink:
        def write(self, data: object) -> None:
            pass

    writer = open_writer("x.txt", Sink())
    writer.commit()
    with pytest.raises(OutputClosedError):
        writer.write("late")


def test_lines_are_read_as_text_or_bytes(back: Callable[..., list[object]]) -> None:
    assert back("x.txt", str, "é\nb\r\n\nlast") == ["é", "b\r", "", "last"]
    assert back("x.txt.zst", bytes, b"\xff\nb\n") == [b"\xff", b"b"]
    with pytest.raises(TypeError, match="str or bytes"):
        back("x.txt", dict, "a")
