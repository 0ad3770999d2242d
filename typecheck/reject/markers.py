"""`Ignored` and `Secret` hide nothing from a checker."""

from __future__ import annotations

from asflow import Ignored, Secret, flow


class Client: ...


@flow.task(on="data/*.bin")
def fetch(client: Ignored[Client], url: str, token: Secret[str] = "") -> None:
    client.get(url)  # E


fetch("client", "https://example.org")  # E
fetch(Client(), "https://example.org", 1)  # E
fetch(Client(), token="t")  # E
