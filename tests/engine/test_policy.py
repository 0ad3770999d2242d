"""The policy values: validated on creation, frozen, and their one formula."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asflow import Retry
from asflow._checks import checked_seconds
from asflow._engine.policy import TaskPolicy, checked_exceptions
from asflow.errors import DefinitionTypeError, DefinitionValueError


@given(
    retry=st.integers(1, 5000),
    factor=st.floats(0, 1e308),
    jitter=st.floats(0, 1e300),
    most=st.floats(0, 1e300),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_backoff_is_the_formula_and_never_overflows(
    retry: int, factor: float, jitter: float, most: float, draw: float
) -> None:
    seconds = Retry(backoff_factor=factor, backoff_jitter=jitter, max_delay=most).backoff(retry, draw)
    assert 0 <= seconds <= most + jitter
    assert math.isfinite(seconds)
    if retry <= 100 and factor < 1e200:
        assert seconds == min(min(most, factor * 2 ** (retry - 1)) + draw * jitter, 1e9)


def test_the_defaults_do_not_retry_at_once() -> None:
    retry = Retry()
    assert [retry.backoff(n, 0.0) for n in (1, 2, 3, 10)] == [1, 2, 4, 60]
    assert retry.backoff(1, 0.5) == 1.5
    assert retry.total == 3


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"total": -1}, DefinitionValueError, "-1"),
        ({"total": True}, DefinitionTypeError, "True"),
        ({"total": "3"}, DefinitionTypeError, "'3'"),
        ({"total": 2.0}, DefinitionTypeError, "2.0"),
        ({"backoff_factor": -0.1}, DefinitionValueError, "backoff_factor"),
        ({"backoff_jitter": math.nan}, DefinitionValueError, "backoff_jitter"),
        ({"max_delay": math.inf}, DefinitionValueError, "max_delay"),
        ({"max_delay": None}, DefinitionTypeError, "max_delay"),
        ({"exceptions": "ValueError"}, DefinitionTypeError, "'ValueError'"),
        ({"exceptions": (ValueError, 3)}, DefinitionTypeError, "3"),
        ({"delay": 3}, DefinitionTypeError, "delay"),
        ({"hold_limit": "yes"}, DefinitionTypeError, "hold_limit"),
    ],
)
def test_bad_values_are_refused_on_creation(
    arguments: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        Retry(**arguments)


def test_an_async_delay_is_refused() -> None:
    async def delay(error: Exception, retry: int) -> float:
        return 1.0

    arguments: dict[str, Any] = {"delay": delay}
    with pytest.raises(DefinitionTypeError, match="async"):
        Retry(**arguments)


def test_policies_are_frozen() -> None:
    value: Any
    for value, name in ((Retry(), "total"), (TaskPolicy(), "persistent")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 1)


def test_exceptions_are_matched_by_isinstance() -> None:
    retry = Retry(exceptions=(OSError,))
    assert retry.matches(FileNotFoundError())
    assert not retry.matches(ValueError())
    assert Retry().matches(ValueError())
    assert Retry(exceptions=OSError).exceptions == (OSError,)
    assert not Retry(exceptions=()).matches(ValueError())
    assert not retry.matches(ExceptionGroup("a group is matched as itself", [OSError()]))


@pytest.mark.parametrize("value", [None, 3, "x", int, ValueError(), (ValueError, (OSError,))])
def test_only_exception_classes_are_taken(value: object) -> None:
    with pytest.raises(DefinitionTypeError, match=r"skip takes exception classes, not .*TimeoutError"):
        checked_exceptions("task t()", "skip", value)


@pytest.mark.parametrize("value", [[ValueError], {ValueError}, frozenset({ValueError})])
def test_a_list_of_exceptions_is_refused_for_a_tuple(value: object) -> None:
    kind = type(value).__name__
    with pytest.raises(DefinitionTypeError, match=rf"skip takes .* or a tuple of them, not a {kind};"):
        checked_exceptions("task t()", "skip", value)


def test_a_refused_value_is_shown_shortened_even_if_its_repr_raises() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    for value in ("x" * 10_000, Broken()):
        with pytest.raises(DefinitionTypeError) as caught:
            checked_exceptions("task t()", "skip", value)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [0, -1, -0.5, math.nan, math.inf])
def test_seconds_that_must_be_positive(value: float) -> None:
    with pytest.raises(DefinitionValueError, match=r"timeout takes more than 0 finite seconds"):
        checked_seconds("task t()", "timeout", value, positive=True)


@pytest.mark.parametrize("value", [True, "1", None, 1j])
def test_seconds_must_be_a_number(value: object) -> None:
    with pytest.raises(DefinitionTypeError, match="number of seconds"):
        checked_seconds("task t()", "timeout", value)
