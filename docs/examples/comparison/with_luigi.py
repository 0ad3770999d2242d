"""Luigi 3.8: run it twice in an empty folder."""

from __future__ import annotations

import luigi
from service import ITEMS, fetch, report


class Download(luigi.Task):
    item = luigi.IntParameter()

    def output(self) -> luigi.LocalTarget:
        return luigi.LocalTarget(f"data/{self.item}.txt")

    def run(self) -> None:
        with self.output().open("w") as file:
            for line in fetch(self.item):
                file.write(line)


luigi.build([Download(item=item) for item in ITEMS], local_scheduler=True, log_level="WARNING")
report()
