"""The daemon: state, parts, limits."""

from dataclasses import dataclass
from datetime import datetime

from cambist.types._enum import WireEnum


class DaemonState(WireEnum):
    """Where the daemon is in its life."""

    UNKNOWN = 0
    STARTING = 1  # Opening the journal, loading configuration.
    LOCKED = 2  # Wallets or API secrets are locked: market data runs, trading does not.
    # Finding out what happened while it was down; trading opens an account at a time.
    RECONCILING = 3
    READY = 4  # Everything that is configured works.
    DEGRADED = 5  # Works, but some part is not as it should be; the components tell which.
    STOPPING = 6  # Refuses what is new, finishes what runs.


class Health(WireEnum):
    """How a part of the daemon is."""

    UNKNOWN = 0
    STARTING = 1  # Connecting, loading.
    READY = 2  # Works.
    DEGRADED = 3  # Works in part; the reason says what is missing.
    DOWN = 4  # Does not work; it is being retried.


@dataclass(frozen=True, slots=True)
class Condition:
    """How something is, why, and since when."""

    health: Health  # How it is.
    reason: str  # Why it is so, in words; empty when ready.
    since: datetime | None  # Since when.


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the daemon: a venue, a network, the journal, an account."""

    kind: str  # What kind of part: "venue", "network", "account", "journal", "sandbox".
    id: str  # Its id.
    condition: Condition  # How it is.


@dataclass(frozen=True, slots=True)
class Status:
    """The status of the daemon."""

    state: DaemonState  # Where the daemon is in its life.
    components: tuple[Component, ...]  # Each part.
    start_time: datetime | None  # When the daemon started.
    event_sequence: int  # The sequence of the newest event in the log.


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that the daemon keeps."""

    max_request_bytes: int  # The largest request in bytes.
    max_page_size: int  # The largest page of a list.
    max_events_behind: int  # How many events a reader may be behind before it is disconnected.
    # The longest time between two messages of an idle stream, in milliseconds.
    heartbeat_milliseconds: int
    request_id_seconds: int  # How long a request id is remembered, in seconds.


@dataclass(frozen=True, slots=True)
class Info:
    """What the daemon is."""

    version: str  # The daemon's version.
    api: str  # The package of the contract that it speaks.
    profile: str  # The profile that it runs: "sandbox" or "live".
    limits: Limits  # Bounds that the daemon keeps.
    daemon_id: str  # The random name of this daemon's journal.
