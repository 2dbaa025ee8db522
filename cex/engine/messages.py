"""What a venue's frames become: book messages, and what control frames mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class BookMessage:
    """One message about a book, as the venue sent it: rows of price and quantity strings.

    `first` and `last` are the sequence numbers that it covers, `previous` the one that it follows
    where the venue says so, `checksum` the venue's own where it sends one. A hot object: no
    dataclass.
    """

    __slots__ = ("asks", "bids", "checksum", "event_time", "first", "last", "previous", "whole")

    def __init__(
        self,
        bids: Sequence[tuple[str, str]],
        asks: Sequence[tuple[str, str]],
        last: int = 0,
        first: int = 0,
        previous: int = 0,
        event_time: int = 0,
        whole: bool = False,
        checksum: int | None = None,
    ) -> None:
        self.bids = bids
        self.asks = asks
        self.first = first
        self.last = last
        self.previous = previous
        self.event_time = event_time  # ns, 0 when not told
        self.whole = whole  # a snapshot, not changes
        self.checksum = checksum


@dataclass(frozen=True, slots=True)
class Ack:
    """The venue did what an outgoing frame with this key asked."""

    key: str


@dataclass(frozen=True, slots=True)
class Nack:
    """The venue refused what an outgoing frame with this key asked."""

    key: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Restart:
    """The venue asks us to connect again, or the stream's authority ended."""

    reason: str


# A routed frame: (topic, payload) for data; the payload goes to the topic's parser.
Routed = tuple[str, Any] | Ack | Nack | Restart


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame to send, and the keys of the acknowledgements that it needs; none is fine."""

    payload: bytes
    keys: tuple[str, ...] = ()
