"""`Ignored` and `Secret`: to a checker, a marked parameter has the type inside."""

from __future__ import annotations

from typing import TypeAlias, assert_type

from asflow import Ignored, Secret, flow


class Client:
    def get(self, url: str) -> bytes:
        return url.encode()


Token: TypeAlias = Secret[str]


@flow.task(on="data/*.bin")
def fetch(client: Ignored[Client], url: str, token: Secret[str] | None = None) -> None:
    assert_type(client.get(url), bytes)  # OK
    assert_type(token, str | None)  # OK


@flow.task
async def upload(data: bytes, *, token: Token, headers: Ignored[dict[str, str]]) -> int:
    assert_type(token.upper(), str)  # OK
    assert_type(headers["a"], str)  # OK
    return len(data)


@flow.task
def spread(*tokens: Secret[str], **more: Ignored[Client]) -> str:
    assert_type(tokens, tuple[str, ...])  # OK
    assert_type(more, dict[str, Client])  # OK
    return ""


@flow
async def pipeline(token: Secret[str]) -> None:
    fetch(Client(), "https://example.org", token)  # OK
    assert_type(await upload(b"", token="t", headers={}), int)  # OK
    assert_type(spread("a", "b", c=Client()), str)  # OK
