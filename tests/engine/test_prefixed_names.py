"""A namer with a prefix returns what the one without it returns, with the prefix in front."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asflow._naming.namer import compile_namer
from asflow._naming.patterns import Pattern
from asflow.errors import OutputNameError

if TYPE_CHECKING:
    from collections.abc import Callable


def _task(value: object, other: int = 3) -> None: ...


@pytest.mark.parametrize(
    "text", ["d/{value}.txt", "{other}-{value}.err2", "{value}", "*.txt", "{value:>300}"]
)
@given(value=st.text(max_size=300) | st.integers())
def test_prefix_comes_in_front(text: str, value: object) -> None:
    signature = inspect.signature(_task)
    pattern = Pattern.parse(text, parameters=list(signature.parameters), task="_task")
    bare = compile_namer(pattern, signature, task="_task").output
    prefixed = compile_namer(pattern, signature, task="_task", prefix="/some/{base}/").output
    assert _named(prefixed, value) == _named(bare, value, "/some/{base}/")


def _named(namer: Callable[..., str], value: object, before: str = "") -> str:
    """Return the name, or why there is none."""
    try:
        return before + namer(value)
    except OutputNameError as error:
        return str(error)
