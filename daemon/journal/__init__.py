"""The journal: what happened, durable before anything is sent, and never told twice."""

from daemon.journal.journal import Journal
from daemon.journal.sqlite import SqliteStore

__all__ = ["Journal", "SqliteStore"]
