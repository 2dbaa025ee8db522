"""What a venue's frames become: book messages, and what control frames mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cex.engine.wire import Wire
from core.market import Levels


class BookMessage(Wire, gc=False):
    """One message about a book, as the venue sent it: rows of price and quantity strings.

    `first` and `last` are the sequence numbers that it covers, `previous` the one that it follows
    where the venue says so, `checksum` the venue's own where it sends one. A snapshot may tell to
    which `depth` the venue keeps the book from there on. A venue whose messages are of this form
    decodes them straight into it, by cex.engine.shapes.shape: there are a hundred thousand a
    second.
    """

    bids: Sequence[tuple[str, str]] = ()
    asks: Sequence[tuple[str, str]] = ()
    last: int = 0
    first: int = 0
    previous: int = 0
    event_time: int = 0  # ns, 0 when not told
    whole: bool = False  # a snapshot, not changes
    best: int = 0  # so many levels a side, which replace the best ones; what lies deeper stays
    columns: tuple[Levels, Levels] | None = None  # of a whole book, best first, instead of rows
    checksum: int | None = None
    depth: int = 0  # 0 when not told


@dataclass(frozen=True, slots=True)
class FundingChange:
    """What a message told of a perpetual's funding and reference prices; None: as before."""

    rate: Decimal | None = None
    next_time: int | None = None  # ns
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    open_interest: Decimal | None = None  # base units
    event_time: int = 0  # ns


@dataclass(frozen=True, slots=True)
class Failure:
    """What a venue said when it did not do what was asked."""

    code: str
    text: str


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


@dataclass(frozen=True, slots=True)
class Ask:
    """What an account's message only hints at: this command's answer tells it."""

    command: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to a command that was sent as a frame with this key.

    It is judged as the same reply by REST would be: `status` and `body` are written that way.
    `used` are the figures of the rate limits that came with it, by pool, and `headers` what a
    reply's headers would say, in lower case: "retry-after" in seconds.
    """

    key: str
    status: int
    body: bytes
    used: Mapping[str, int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Numbered:
    """The number of the frame on its connection, ahead of what it brings.

    A hole means that something was lost, of whatever was subscribed to, so that the connection is
    made anew. What comes with a number that was there is not read again. Frames without data
    (`data` is False) count, but prove nothing.
    """

    number: int
    data: bool = True


# A routed frame: (topic, payload) for data; the payload goes to the topic's parser.
Routed = tuple[str, Any] | Ack | Nack | Restart | Answer | Numbered


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame to send, and the keys of the acknowledgements that it needs; none is fine.

    `id` is what a refusal of the whole frame names, where that is none of the keys.
    """

    payload: bytes
    keys: tuple[str, ...] = ()
    id: str = ""
