"""Hamilton 1.90, with its cache: run it twice in an empty folder."""

from __future__ import annotations

import sys
from types import ModuleType

from hamilton import driver
from service import ITEMS, fetch, report


def lines(item: int) -> list[str]:
    return list(fetch(item))


module = ModuleType("steps")
lines.__module__ = "steps"
module.lines = lines
sys.modules["steps"] = module
pipeline = driver.Builder().with_modules(module).with_cache(path="cache").build()
for item in ITEMS:
    pipeline.execute(["lines"], inputs={"item": item})
report()
