"""What is annotated can be read at run time, as libraries for validation and for command lines do."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Coroutine, Mapping

import pytest

import asflow
from asflow import events


@pytest.mark.parametrize("event", typing.get_args(events.Event), ids=lambda event: event.__name__)
def test_the_fields_of_an_event_have_types(event: type) -> None:
    hints = typing.get_type_hints(event)
    assert list(hints) == [*inspect.signature(event).parameters]


def test_types_are_the_ones_written_down() -> None:
    assert typing.get_type_hints(events.FlowStarted)["tallies"] == Mapping[str, events.Tally]
    hints = typing.get_type_hints(asflow.run)
    assert typing.get_origin(hints["coroutine"]) is Coroutine


def test_what_events_hold_has_types() -> None:
    assert typing.get_type_hints(events.RunningCall)["attempt"] is int
    assert typing.get_type_hints(vars(events.Tally)["__init__"])["task"] is str
