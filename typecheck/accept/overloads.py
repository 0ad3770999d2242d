"""Overloaded functions under `@flow.task`: one that never makes a call give None keeps them all."""

from __future__ import annotations

from typing import Literal, assert_type, overload

from asflow import flow


@overload
def load(path: str, *, text: Literal[True] = True) -> str: ...
@overload
def load(path: str, *, text: Literal[False]) -> bytes: ...
@flow.task
def load(path: str, *, text: bool = True) -> str | bytes:
    return path if text else path.encode()


# The overloads are the function's type, so a decorator has to be given the whole function.
@overload
async def _fetch(key: int) -> str: ...
@overload
async def _fetch(key: str) -> bytes: ...
async def _fetch(key: int | str) -> str | bytes:
    return str(key) if isinstance(key, int) else key.encode()


fetch = flow.task(_fetch)
fetch_retried = flow.task(retry=3)(_fetch)


class Reader:
    @overload
    def read(self, key: int) -> str: ...
    @overload
    def read(self, key: str) -> bytes: ...
    @flow.task
    def read(self, key: int | str) -> str | bytes:
        return str(key) if isinstance(key, int) else key.encode()


async def calls(reader: Reader) -> None:
    assert_type(load("a"), str)
    assert_type(load("a", text=False), bytes)
    assert_type(await fetch(1), str)
    assert_type(await fetch("a"), bytes)
    assert_type(await fetch_retried(1), str)
    assert_type(await fetch_retried("a"), bytes)
    assert_type(reader.read(1), str)
    assert_type(reader.read("a"), bytes)
