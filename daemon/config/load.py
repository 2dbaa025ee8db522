"""Reads and checks the configuration file."""

import tomllib
from pathlib import Path

from pydantic import ValidationError

from daemon.config.model import Settings


class ConfigError(Exception):
    """The file cannot be used; the message names each place and what to do."""


def load(path: Path | None) -> Settings:
    """The settings of a TOML file, or the defaults where there is none.

    A table of venues or networks in the file changes what it names and leaves the other defaults.
    Relative paths in it are from its own folder.
    """
    if path is None:
        return Settings()
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {path}: 'cambistd config init {path}' writes a sample"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    defaults = Settings()
    for table in ("venues", "networks"):
        known = {key: value.model_dump() for key, value in getattr(defaults, table).items()}
        given = data.get(table)
        if isinstance(given, dict):
            data[table] = known | given
    try:
        return _beside(path, Settings.model_validate(data))
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise ConfigError("\n".join([f"{path} has mistakes:", *lines])) from None


def _beside(path: Path, settings: Settings) -> Settings:
    """Files are named from where the configuration is, wherever the daemon is started."""

    def found(name: str) -> str:
        return str(path.absolute().parent / Path(name).expanduser()) if name else ""

    accounts = [
        one.model_copy(update={"credentials_file": found(one.credentials_file)})
        for one in settings.accounts
    ]
    passphrase = found(settings.wallets.passphrase_file)
    wallets = settings.wallets.model_copy(update={"passphrase_file": passphrase})
    authorities = found(settings.server.client_certificates)
    server = settings.server.model_copy(update={"client_certificates": authorities})
    return settings.model_copy(update={"accounts": accounts, "wallets": wallets, "server": server})
