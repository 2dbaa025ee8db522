"""One daemon an account: a lock for every API key that is in use, held until the process ends.

Two daemons on one account would each take the other's orders for a stranger's, and spend one rate
limit twice. A file's name tells nothing of the key: it is a digest.
"""

import fcntl
import hashlib
import os
from pathlib import Path

from core.errors import Reason, Refused

_NAME_LENGTH = 32  # hexadecimal digits


class KeyLocks:
    """`folder` is shared by all daemons of a user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[tuple[str, str], tuple[int, str]] = {}  # file and its name

    def take(self, account: str, venue: str, api_key: str) -> None:
        """Raises ACCOUNT_EXISTS for a key that another account or another daemon trades with on
        this venue; JOURNAL_UNAVAILABLE where no lock can be written. Taken twice it is held once.
        """
        digest = hashlib.sha256(f"{venue}\0{api_key}".encode()).hexdigest()[:_NAME_LENGTH]
        held = self._held.get((account, venue))
        if held is not None and held[1] == digest:
            return
        for (other, where), (_, name) in self._held.items():
            if name == digest:
                raise _in_use(account, venue, f"account {other!r} on {where}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            file = os.open(self._folder / digest, flags, 0o600)
        except OSError as error:
            raise Refused(
                Reason.JOURNAL_UNAVAILABLE,
                f"no lock can be kept in {self._folder}: {error.strerror or error}",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise _in_use(account, venue, f"another cambistd (process {holder})") from None
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self.release(account, venue)
        self._held[account, venue] = file, digest

    def release(self, account: str, venue: str) -> None:
        """Lets go of an account's key; nothing happens where none is held."""
        held = self._held.pop((account, venue), None)
        if held is not None:
            os.close(held[0])  # the kernel ends the lock with the file


def _in_use(account: str, venue: str, holder: str) -> Refused:
    return Refused(
        Reason.ACCOUNT_EXISTS,
        f"{holder} trades on {venue} with the key of account {account!r}: stop that one, or make "
        "another key at the venue",
        {"account": account, "venue": venue},
    )
