"""pipefunc 0.93: run it twice in an empty folder."""

from __future__ import annotations

from pipefunc import Pipeline, pipefunc
from service import ITEMS, fetch, report


@pipefunc(output_name="lines", mapspec="item[i] -> lines[i]")
def download(item: int) -> list[str]:
    return list(fetch(item))


if __name__ == "__main__":
    pipeline = Pipeline([download])
    pipeline.map({"item": ITEMS}, run_folder="run", resume=True, parallel=False, show_progress=False)
    report()
