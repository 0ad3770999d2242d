"""`--sink NAME[=ARGUMENT]`: the sinks that come with asflow, and those that installed packages offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow import _plugins, _reporter
from asflow._labels import short
from asflow.errors import DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import ProgressSink

_WITH_PATH = ("history", "trace")
_DISPLAYS = ("lines", "log", "null", "rich", "tqdm")
"""These replace the default display."""


def add_named(text: str, option: str) -> None:
    """Add the sink that *text* names, `NAME` or `NAME=ARGUMENT`, to all flows.

    Args:
        text: what the user wrote.
        option: what a message begins with.

    Raises:
        DefinitionValueError: there is no sink of that name, or it needs an argument.
        Exception: what the sink's class raises.
    """
    name, given, argument = text.partition("=")
    arguments = (argument,) if given else ()
    points = {point.name: point for point in _plugins.points()}
    if name in points:
        _plugins.state.named.add(name)
        sink = _plugins.maker(points[name])(*arguments)
    elif name == "trace" and not argument:
        raise DefinitionValueError(f"{option} trace takes a file, not {short(text)}; write trace=trace.html")
    elif name == "history" and not argument:
        raise DefinitionValueError(
            f"{option} history takes a folder, not {short(text)}; write history=FOLDER"
        )
    elif name in (*_DISPLAYS, *_WITH_PATH):
        sink = _shipped(name, arguments, option)
    else:
        known = ", ".join(sorted({*_DISPLAYS, *_WITH_PATH, *points}))
        raise DefinitionValueError(
            f"{option} takes the name of a sink, not {short(name)}; choose one of {known}"
        )
    if name in _DISPLAYS:
        _reporter.replace_default_display()
    _reporter.add(sink, None, option)


def _shipped(name: str, arguments: tuple[str, ...], option: str) -> ProgressSink:
    from asflow import sinks

    if arguments and name not in ("log", *_WITH_PATH):
        raise DefinitionValueError(
            f"{option} {name} takes no argument, not {short(arguments[0])}; write {name} alone"
        )
    if name == "log":
        import logging

        logging.basicConfig(level=logging.INFO)  # does nothing if the program has set up logging
    kinds: dict[str, Callable[..., ProgressSink]] = {
        "history": sinks.HistorySink,
        "lines": sinks.LineSink,
        "log": sinks.LogSink,
        "null": sinks.NullSink,
        "rich": sinks.RichSink,
        "tqdm": sinks.TqdmSink,
        "trace": sinks.TraceSink,
    }
    return kinds[name](*arguments)
