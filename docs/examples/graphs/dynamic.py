"""Nodes called at any time: by a loop, and by other nodes as they find out what there is to do.

Prints:

    index: found a, b, c
    1 a + 2 b + 3 c pages
    index page a.0 b.0 b.1 c.0 c.1 c.2
"""

import asyncio

from asflow.dag import scope, task

SECTIONS = {"a": 1, "b": 2, "c": 3}
seen: list[str] = []


@task
async def page(name: str) -> str:
    await asyncio.sleep(0)
    seen.append(name)
    return name


@task
async def section(name: str, pages: int) -> str:
    # A node calls nodes and waits for them; *args take any number of results.
    done = await count(*[page(f"{name}.{number}") for number in range(pages)])
    return f"{done} {name}"


@task
async def count(*pages: str) -> int:
    return len(pages)


@task
async def index() -> dict[str, int]:
    await page("page")
    print("index: found", ", ".join(SECTIONS))
    return SECTIONS


async def main() -> None:
    async with scope():
        sections = await index()
        texts = [section(name, pages) for name, pages in sections.items()]
    print(" + ".join(text.result() for text in texts), "pages")
    print("index", *sorted(seen, key=lambda name: (name != "page", name)))


if __name__ == "__main__":
    asyncio.run(main())
