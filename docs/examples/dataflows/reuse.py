"""Functions that know nothing of data flows: given other names by amapper, chosen by fdispatch.

Prints:

    {'words': 3, 'letters': 11}
    DataFlow(): load has no function under 'cvs'; did you mean 'csv'?
"""

import asyncio
import json

from asflow.dataflow import DataFlow, DispatchError, amapper, fdispatch


@fdispatch
def load(kind: str) -> None: ...


@load.register("csv")
def _(text: str) -> dict[str, list[str]]:
    return {"values": text.split(",")}


@load.register("json")
def _(text: str) -> dict[str, list[str]]:
    return {"values": json.loads(text)}


def measure(lines: list[str]) -> tuple[int, int]:
    return len(lines), sum(map(len, lines))


measured = amapper(measure, input={"lines": "values"}, output=("words", "letters"))


async def main() -> None:
    print(await DataFlow((load("csv"), measured))(text="one,two,three"))
    try:
        DataFlow((load("cvs"), measured))
    except DispatchError as error:
        print(error)


if __name__ == "__main__":
    asyncio.run(main())
