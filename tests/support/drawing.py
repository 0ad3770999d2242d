"""How many examples Hypothesis draws: all of them in CI, a third in a run of `make test` elsewhere."""

from __future__ import annotations

import os

__all__ = ["examples"]


def examples(count: int) -> int:
    """Return the number of examples for a test that draws *count* in CI."""
    return count if os.environ.get("CI") else max(1, count // 3)
