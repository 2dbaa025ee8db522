"""What can go wrong at the start without being a bug, told as what to do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import CambistError
from daemon.config import ConfigError


@contextmanager
def explained(data_dir: Path) -> Iterator[None]:
    """Makes ConfigErrors of what can go wrong at the start without being a bug."""
    try:
        yield
    except CambistError as error:
        raise ConfigError(error.message) from error
    except OSError as error:
        where = error.filename or data_dir
        raise ConfigError(f"{where} cannot be used: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise ConfigError(f"a database in {data_dir} cannot be used: {error}") from error
