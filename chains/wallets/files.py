"""Wallet files on disk: private to their owner, replaced atomically, never half-written."""

import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

from chains.wallets.kdf import KeystoreError

# Lower case only: "Main" and "main" are one file on some systems.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_MAX_SIZE = 65_536


def is_name(name: str) -> bool:
    """Whether a wallet may be called so; what may is safe as a file name everywhere."""
    return _NAME.fullmatch(name) is not None


def prepare(directory: Path) -> None:
    """Makes the directory, and closes it to other users."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)


def names(directory: Path) -> list[str]:
    """The wallets of a directory, by name; empty if it does not exist."""
    if not directory.is_dir():
        return []
    return sorted(path.stem for path in directory.glob("*.json") if is_name(path.stem))


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; KeystoreError if it is none."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_SIZE + 1)
    except OSError as error:
        raise KeystoreError(f"cannot be read: {error.strerror}") from None
    return parse(content)


def parse(content: bytes) -> dict[str, Any]:
    """The JSON object in some text; KeystoreError if it is none."""
    if len(content) > _MAX_SIZE:
        raise KeystoreError("far too large for a keystore")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise KeystoreError("not JSON") from None
    if not isinstance(document, dict):
        raise KeystoreError("not a JSON object")
    return document


def write(path: Path, text: str) -> None:
    """Durable when it returns, and whole at every moment; readable by the owner alone."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def remove(path: Path) -> None:
    """Gone for good when it returns."""
    path.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
