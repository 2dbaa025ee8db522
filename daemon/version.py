"""The version of this daemon."""

from importlib.metadata import version

VERSION = version("cambistd")
