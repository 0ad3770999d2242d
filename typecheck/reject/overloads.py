"""Calls that fit none of a task's overloads."""

from __future__ import annotations

from typing import Literal, overload

from asflow import flow


@overload
def load(path: str, *, text: Literal[True] = True) -> str: ...
@overload
def load(path: str, *, text: Literal[False]) -> bytes: ...
@flow.task
def load(path: str, *, text: bool = True) -> str | bytes:
    return path if text else path.encode()


@overload
async def _fetch(key: int) -> str: ...
@overload
async def _fetch(key: str) -> bytes: ...
async def _fetch(key: int | str) -> str | bytes:
    return str(key) if isinstance(key, int) else key.encode()


fetch = flow.task(retry=3)(_fetch)


async def calls() -> None:
    load(1)  # E
    load("a", text=3)  # E
    load("a", False)  # E
    await fetch(None)  # E
    await fetch()  # E
    text: str = load("a", text=False)  # E
    data: bytes = await fetch(1)  # E
    print(text, data)
