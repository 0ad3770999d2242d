"""Imports of the packages that a sink needs beyond asflow's own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from asflow.errors import MissingExtraError


def needed(sink: str, extra: str, module: str, package: str) -> Any:
    """Import and return *module*.

    Args:
        sink: the sink that needs it, for the message.
        extra: the extra of asflow that installs it.
        module: what is imported.
        package: its name in the package index.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{sink}(): needs the package {package}; install it with: pip install 'asflow[{extra}]'"
        ) from error
