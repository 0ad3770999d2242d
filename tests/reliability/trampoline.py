"""Choose between a function and its mutants: what the mutated code imports.

mutmut's own, where mutmut runs; a short one in the processes that tests start.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

MutantDict = dict


def wrap_in_trampoline(
    mutants: dict[str, Callable[..., Any]], is_classmethod: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a call of the function be one of the mutant that the environment names."""
    if "mutmut.mutation.trampoline" in sys.modules:
        from mutmut.mutation import trampoline

        return trampoline.wrap_in_trampoline(mutants, is_classmethod)

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            module, _, name = os.environ.get("MUTANT_UNDER_TEST", "").rpartition(".")
            original = mutants["_mutmut_orig"]
            chosen = mutants.get(name, original) if module == function.__module__ else original
            return (
                getattr(args[0], chosen.__name__)(*args[1:], **named)
                if is_classmethod
                else chosen(*args, **named)
            )

        return call

    return wrap
