"""The tests here use the `typecheck` package of the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

# Last on the path, so that an installed asflow is found before the checkout's.
sys.path.append(str(Path(__file__).parents[2]))
