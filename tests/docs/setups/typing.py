# ruff: noqa: F401
# pyright: reportUnusedImport=false
from collections.abc import Iterator
from typing import BinaryIO, TypedDict


class Snippet(TypedDict):
    text: str


class Row(TypedDict):
    name: str


days = ["a", "b"]
