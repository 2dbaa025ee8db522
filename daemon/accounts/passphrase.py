"""Where the passphrase of the store comes from when nobody is there to type it."""

import os
from pathlib import Path

from daemon.config import ConfigError
from daemon.config.model import WalletSettings

CREDENTIAL = (
    "cambist-passphrase"  # its name for systemd: LoadCredentialEncrypted=cambist-passphrase
)


def find(settings: WalletSettings, fd: int | None) -> str:
    """From a file descriptor, a file, systemd's credentials (systemd.exec(5)) or the keyring of the
    operating system, the first that is there; "" where none is. ConfigError for one that is named
    and cannot be read."""
    if fd is not None:
        try:
            with os.fdopen(fd) as file:
                return file.read().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--passphrase-fd {fd} cannot be read: {error}") from None
    if settings.passphrase_file:
        from daemon.profiles.live import private_file

        return private_file(Path(settings.passphrase_file)).strip()
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and (path := Path(folder) / CREDENTIAL).exists():
        try:
            return path.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the credential {CREDENTIAL} cannot be read: {error}") from None
    return _of_keyring(settings.passphrase_keyring) if settings.passphrase_keyring else ""


def _of_keyring(name: str) -> str:
    """`service/user` in the operating system's keyring."""
    try:
        import keyring
        import keyring.errors
    except ModuleNotFoundError:
        raise ConfigError(
            "wallets.passphrase_keyring needs the keyring library: pip install keyring"
        ) from None
    service, _, user = name.partition("/")
    try:
        found = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise ConfigError(f"wallets.passphrase_keyring: the keyring says: {error}") from None
    if not found:
        raise ConfigError(
            f"wallets.passphrase_keyring: nothing is stored as {name!r}: "
            f"'keyring set {service} {user}' stores it"
        )
    return str(found)
