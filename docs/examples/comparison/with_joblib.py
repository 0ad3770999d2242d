"""joblib 1.6: run it twice in an empty folder."""

from __future__ import annotations

import joblib
from service import ITEMS, fetch, report

memory = joblib.Memory("cache", verbose=0)


@memory.cache
def download(item: int) -> list[str]:
    return list(fetch(item))


for item in ITEMS:
    download(item)
report()
