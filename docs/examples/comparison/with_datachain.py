"""DataChain 0.62: run it twice in an empty folder."""

import datachain as dc
from service import ITEMS, fetch, report


def download(item: int) -> list[str]:
    return list(fetch(item))


if __name__ == "__main__":
    chain = dc.read_values(item=ITEMS).map(lines=download).save("lines")
    report()
