"""The same pipeline as a tuple, as lists and sets, and with operators.

Prints:

    DataFlow([{source, target}, compare, {notify, s3_logger}])
    DataFlow([{source, target}, compare, {notify, s3_logger}])
    DataFlow([{source, target}, compare, {notify, s3_logger}])
    {'sent': True, 'logged': 1}
"""

import asyncio

from asflow.dataflow import DataFlow, stage


async def source() -> dict[str, set[str]]:
    return {"expected": {"a", "b", "c"}}


async def target() -> dict[str, set[str]]:
    return {"found": {"a", "c"}}


async def compare(expected: set[str], found: set[str]) -> dict[str, list[str]]:
    return {"missing": sorted(expected - found)}


async def s3_logger(missing: list[str]) -> dict[str, int]:
    return {"logged": len(missing)}


def notify(missing: list[str]) -> dict[str, bool]:
    return {"sent": bool(missing)}


as_tuple = DataFlow(((source, target), compare, (notify, s3_logger)))
as_lists = DataFlow([{source, target}, compare, {s3_logger, notify}])
as_pipe = DataFlow(stage(source, target) | compare | (notify, s3_logger))


async def main() -> None:
    for dataflow in (as_tuple, as_lists, as_pipe):
        print(dataflow)
    print(await as_pipe())


if __name__ == "__main__":
    asyncio.run(main())
