"""What the journal asks of a database: rows in, one transaction a batch; queries out.

Everything here blocks and is called from the journal's threads: `write` and `probe` from one, the
queries from others at the same time. SQLite is the first implementation (`sqlite.py`); the SQL of
`schema.py` is kept so that PostgreSQL can be the second.

Times are nanoseconds. `data` holds a core value (see `daemon.journal.values`), except an event's,
which is a serialized `cambist.v1.Event` with its sequence, ready for the wire.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class StoreError(Exception):
    """The database did not do it, in words for an operator; nothing of the batch was kept."""


@dataclass(frozen=True, slots=True)
class MetaRow:
    """A named value of the journal itself; written again it replaces."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class IntentRow:
    """A mutation that was asked for; `state` is "begun", "done" or "failed" (`answer` says how)."""

    request_id: str
    method: str
    digest: bytes
    state: str
    answer: bytes
    time: int


@dataclass(frozen=True, slots=True)
class IntentGone:
    """Forgets an intent that had no effect."""

    request_id: str


@dataclass(frozen=True, slots=True)
class IntentsBefore:
    """Forgets the intents of before a time."""

    time: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of the log; `subject` is the order or the transaction that it tells of."""

    sequence: int
    time: int
    account: str
    subject: str
    data: bytes


@dataclass(frozen=True, slots=True)
class EventsBefore:
    """Forgets the events of before a sequence; their links stay in the chain."""

    sequence: int


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order as it is now; written again it replaces."""

    account: str
    venue: str
    client_order_id: str
    venue_order_id: str
    request_id: str
    instrument: str
    open: int  # 1 while it is not final
    create_time: int
    update_time: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FillRow:
    """A fill; the same trade id is the same fill and is kept once."""

    account: str
    venue: str
    trade_id: str
    instrument: str
    client_order_id: str
    event_time: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FundingRow:
    """A funding payment; the same payment id is the same payment and is kept once."""

    account: str
    venue: str
    payment_id: str
    instrument: str
    event_time: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """What left for a venue about an order (`sent` 1), or came back (0); without any secret."""

    account: str
    venue: str
    client_order_id: str
    time: int
    sent: int
    summary: str
    data: bytes


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """A transaction of a chain as it is now; written again it replaces."""

    network: str
    hash: str
    address: str
    intent: str
    pending: int  # 1 while it is not final
    create_time: int
    update_time: int
    data: bytes


Row = (
    MetaRow
    | IntentRow
    | IntentGone
    | IntentsBefore
    | EventRow
    | EventsBefore
    | OrderRow
    | FillRow
    | FundingRow
    | TrafficRow
    | TransactionRow
)

Cursor = tuple[int, str, str, str]
"""Where a page ended: the last row's time, account, venue and id."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which orders, fills or payments; an empty string leaves a column free."""

    account: str = ""
    venue: str = ""
    instrument: str = ""
    client_order_id: str = ""
    open_only: bool = False


class Store(Protocol):
    """A database. Every method raises StoreError, and nothing else, when it cannot.

    `at_hand`: one row by its key takes microseconds, and so may be asked for on the event loop.
    """

    at_hand: bool

    def open(self) -> None:
        """Connects, and brings the schema up to date."""
        ...

    def close(self) -> None: ...

    def write(self, rows: Sequence[Row]) -> None:
        """All rows in order, durable when it returns, or none of them."""
        ...

    def probe(self) -> None:
        """Writes something of no meaning, durably: proof that writing works again."""
        ...

    def meta(self, key: str) -> str | None: ...

    def last_sequence(self) -> int:
        """Of the newest event, zero without any."""
        ...

    def head(self) -> tuple[int, bytes]:
        """The number and the hash of the chain's last link."""
        ...

    def first_sequence(self) -> int:
        """Of the oldest event that is kept, zero without any."""
        ...

    def sequence_at(self, time: int) -> int:
        """Of the first event at or after a time; one above the last where there is none."""
        ...

    def events(self, after: int, limit: int, account: str = "") -> Sequence[EventRow]:
        """Oldest first; of one account, or all when empty."""
        ...

    def story(self, account: str, subject: str, limit: int) -> Sequence[EventRow]:
        """The events of one order or transaction, oldest first."""
        ...

    def traffic(self, account: str, client_order_id: str, limit: int) -> Sequence[TrafficRow]:
        """About one order, oldest first."""
        ...

    def intent(self, request_id: str) -> IntentRow | None: ...

    def order(self, account: str, venue: str, client_order_id: str) -> OrderRow | None:
        """Any venue's when `venue` is empty."""
        ...

    def order_of_venue(self, account: str, venue: str, venue_order_id: str) -> OrderRow | None: ...

    def order_of_request(self, account: str, request_id: str) -> OrderRow | None:
        """The newest that a request placed."""
        ...

    def open_orders(self, account: str, venue: str) -> Sequence[OrderRow]: ...

    def instruments(self, account: str, venue: str, since: int) -> Sequence[str]:
        """Whose orders are open or changed at or after a time."""
        ...

    def orders(self, where: Filter, after: Cursor | None, limit: int) -> Sequence[OrderRow]:
        """Newest first."""
        ...

    def fills(self, where: Filter, after: Cursor | None, limit: int) -> Sequence[FillRow]:
        """Newest first."""
        ...

    def fill(self, account: str, venue: str, trade_id: str) -> FillRow | None: ...

    def funding(self, where: Filter, after: Cursor | None, limit: int) -> Sequence[FundingRow]:
        """Newest first."""
        ...

    def funding_payment(self, account: str, venue: str, payment_id: str) -> FundingRow | None: ...

    def transaction(self, network: str, hash: str) -> TransactionRow | None: ...

    def transactions(
        self,
        network: str,
        *,
        address: str = "",
        intent: str = "",
        pending_only: bool = False,
        since: int = 0,
    ) -> Sequence[TransactionRow]:
        """Oldest first; an empty string leaves a column free."""
        ...

    def transaction_page(
        self, network: str, address: str, pending_only: bool, after: Cursor | None, limit: int
    ) -> Sequence[TransactionRow]:
        """Newest first; the cursor is of create time, network, address and hash."""
        ...
