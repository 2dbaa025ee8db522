"""What can be configured, how it is read, and the sample that documents it."""

from daemon.config.load import ConfigError, load
from daemon.config.model import Settings

__all__ = ["ConfigError", "Settings", "load"]
