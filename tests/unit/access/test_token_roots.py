"""Roots of tokens on a disk that takes nothing."""

from pathlib import Path

import pytest

from core.clock import ManualClock
from core.errors import Reason, Refused
from daemon.access.roots import Roots


class FullDisk(Roots):
    """Says that there is no room while `full`."""

    full = False

    def save(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super().save()


def test_a_root_that_is_not_kept_is_not_made(tmp_path: Path) -> None:
    roots = FullDisk(tmp_path / "roots.json", ManualClock())
    roots.full = True
    with pytest.raises(Refused, match="No space left on device") as error:
        roots.take("bot")
    assert error.value.reason is Reason.JOURNAL_UNAVAILABLE
    assert roots.named("bot") is None
    roots.full = False
    assert roots.take("bot") is roots.named("bot")


def test_what_is_revoked_is_so_at_once_and_kept_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "roots.json"
    roots = FullDisk(path, ManualClock())
    id = roots.take("bot").id
    roots.full = True
    for _ in range(2):
        with pytest.raises(Refused, match="worthless until the daemon restarts: revoke again"):
            roots.revoke("bot")
        found = roots.get(id)
        assert found is not None
        assert found.revoked
    assert Roots(path, ManualClock()).named("bot") is not None
    roots.full = False
    roots.revoke("bot")
    assert Roots(path, ManualClock()).named("bot") is None
    with pytest.raises(Refused, match="no token root 'bot' is in force"):
        roots.revoke("bot")
