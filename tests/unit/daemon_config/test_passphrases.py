"""Where the passphrase comes from when nobody types it, and what is said when it does not come."""

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from daemon.accounts.passphrase import find
from daemon.config import ConfigError
from daemon.config.model import WalletSettings

NONE = WalletSettings()


def piped(content: bytes) -> int:
    """A file descriptor to read from."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return reader


def test_nobody_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert find(NONE, None) == ""


def test_by_a_file_descriptor() -> None:
    assert find(NONE, piped(b"a secret \n")) == "a secret "
    with pytest.raises(ConfigError, match="--passphrase-fd 987 cannot be read"):
        find(NONE, 987)
    with pytest.raises(ConfigError, match="cannot be read"):
        find(NONE, piped(b"\xff\xfe\xff"))


def test_by_a_file_that_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text("a secret\n")
    settings = WalletSettings(passphrase_file=str(path))
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        find(settings, None)
    path.chmod(0o600)
    assert find(settings, None) == "a secret"
    path.unlink()
    with pytest.raises(ConfigError, match="passphrase"):
        find(settings, None)


def test_by_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert find(NONE, None) == ""
    (tmp_path / "cambist-passphrase").write_text("a secret\n")
    assert find(NONE, None) == "a secret"
    assert find(NONE, piped(b"another\n")) == "another"  # what is said last counts


def test_by_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    class KeyringError(Exception):
        """As the library has it."""

    stored = {("cambist", "me"): "a secret"}

    def get_password(service: str, user: str) -> str | None:
        if service == "locked":
            raise KeyringError("no backend")
        return stored.get((service, user))

    errors = ModuleType("keyring.errors")
    errors.KeyringError = KeyringError  # type: ignore[attr-defined]
    keyring = ModuleType("keyring")
    keyring.errors = errors  # type: ignore[attr-defined]
    keyring.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert find(WalletSettings(passphrase_keyring="cambist/me"), None) == "a secret"
    with pytest.raises(ConfigError, match="'keyring set cambist you' stores it"):
        find(WalletSettings(passphrase_keyring="cambist/you"), None)
    with pytest.raises(ConfigError, match="the keyring says: no backend"):
        find(WalletSettings(passphrase_keyring="locked/me"), None)


def test_the_keyring_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="pip install keyring"):
        find(WalletSettings(passphrase_keyring="cambist/me"), None)
