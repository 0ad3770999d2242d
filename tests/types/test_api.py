"""The public interface is what `api.txt` says: whoever changes it sees that, and does it on purpose."""

from __future__ import annotations

from difflib import unified_diff

from support.api import SNAPSHOT, interface


def test_the_public_interface_is_the_recorded_one() -> None:
    recorded = SNAPSHOT.read_text().splitlines()
    assert len(recorded) > 500
    changes = [*unified_diff(recorded, interface().splitlines(), "api.txt", "now", n=0, lineterm="")]
    assert not changes, "\n".join([*changes, "if that is meant, and CHANGELOG.md says it: make api"])
