"""The object store keeps the Protocol's promises, on an S3 protocol server and on its substitutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asflow.stores import ObjectStore
from asflow.testing import check_store

if TYPE_CHECKING:
    from pathlib import Path

    from objects.conftest import Bucket

    from asflow.protocols import Store


def test_s3_conforms(bucket: Bucket) -> None:
    """The kit passes, and leaves no unfinished upload and no object of ours."""
    store: Store = bucket.store()  # typed: it fits the Protocol
    check_store(lambda: store, base="kit/")
    assert not bucket.uploads()
    assert not [key for key in bucket.names() if ".part" in key]


@pytest.mark.slow
def test_s3_conforms_at_the_top_of_a_bucket(bucket: Bucket) -> None:
    """Without a prefix in the URL."""
    store = bucket.store(url=f"s3://{bucket.name}")
    check_store(lambda: store)


@pytest.mark.slow
def test_s3_conforms_with_remembered_listings_of_absent_outputs(bucket: Bucket) -> None:
    """Only existing outputs are remembered, so later ones are seen at once."""
    store = bucket.store(listing_seconds=60)
    check_store(lambda: store, base="kit/")


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_substitutes_conform(tmp_path: Path, scheme: str) -> None:
    """A folder and memory, for trying things out."""
    store = ObjectStore("memory:///" if scheme == "memory" else f"file://{tmp_path}/made")
    check_store(lambda: store, base="kit/")
