"""Which columns each kind of value has in a table: data, for all commands at once.

A column is "Title:attribute"; the attribute may be a path such as "spec.side". Numbers are set to
the right by themselves. Everything else of a value is in `--json` and in the view of a single one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from daemon.cli.values import to_text

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS: dict[str, tuple[str, ...]] = {
    "Account": ("Account:id", "State:condition", "Paper:paper", "Venues:venues"),
    "Allowance": ("Venue:venue", "Amount:amount.amount", "Token:amount.token.symbol", "To:spender"),
    "Balance": ("Account:account", "Venue:venue", "Asset:asset", "Total:total", "Free:available"),
    "Candle": (
        "Time:open_time",
        "Open:open",
        "High:high",
        "Low:low",
        "Close:close",
        "Volume:volume",
    ),
    "Component": ("Kind:kind", "Part:id", "State:condition"),
    "Fault": (
        "Fault:kind",
        "Only at:venue",
        "Only for:account",
        "Only in:operation",
        "Only of:instrument",
        "Times:times",
        "Delay:delay",
    ),
    "FeeEstimate": (
        "Speed:strategy",
        "Transfer:transfer_fee",
        "Unit price:unit_price",
        "Tip:priority_price",
        "Base:base_price",
        "Data:data_fee",
    ),
    "Fill": (
        "Time:event_time",
        "Instrument:instrument",
        "Side:side",
        "Price:price",
        "Quantity:quantity",
        "Fee:fee",
        "In:fee_asset",
    ),
    "FundingPayment": (
        "Time:event_time",
        "Account:account",
        "Instrument:instrument",
        "Amount:amount",
        "Asset:asset",
        "Rate:rate",
    ),
    "HaltRecord": (
        "Halt:id",
        "What:scope",
        "Mode:mode",
        "Since:create_time",
        "Why:reason",
    ),
    "Instrument": (
        "Instrument:id",
        "Venue:venue",
        "Status:status",
        "Tick:price_tick",
        "Step:quantity_step",
        "Least:min_quantity",
    ),
    "MethodPermission": ("Call:method", "Permission:permission"),
    "Network": ("Network:id", "Family:family", "State:condition", "Height:height", "Test:testnet"),
    "Order": (
        "Order:client_order_id",
        "Instrument:spec.instrument",
        "Side:spec.side",
        "Price:spec.price",
        "Quantity:spec.quantity",
        "Filled:filled_quantity",
        "Status:status",
    ),
    "OrderStep": ("Time:time", "Step:kind", "What:summary"),
    "PlaceOrdersOutcome": (
        "Request:request_id",
        "Order:order.client_order_id",
        "Error:error_message",
    ),
    "LiquidityPosition": (
        "Position:id",
        "Lower:range.lower_price",
        "Upper:range.upper_price",
        "In range:in_range",
        "Amounts:amounts",
        "Fees:uncollected_fees",
    ),
    "Pool": ("Instrument:instrument", "Reserves:reserves", "Fee:fee", "Block:block"),
    "Position": (
        "Account:account",
        "Instrument:instrument",
        "Quantity:quantity",
        "Entry:entry_price",
        "Mark:mark_price",
        "Profit:unrealized_pnl",
    ),
    "RateLimit": (
        "Venue:venue",
        "Scope:scope",
        "Limit:name",
        "Used:used",
        "Of:limit",
        "In:interval",
    ),
    "Token": ("Symbol:symbol", "Decimals:decimals", "Address:address", "Name:name"),
    "RiskLimit": ("Limit:name", "Of:scope", "At most:limit", "Used:used", "In:unit"),
    "TokenRoot": (
        "Root:name",
        "Revoked:revoked",
        "Made:create_time",
        "Last used:last_use_time",
    ),
    "Trade": ("Time:event_time", "Side:side", "Price:price", "Quantity:quantity"),
    "Transaction": (
        "Time:update_time",
        "Network:network",
        "Purpose:purpose",
        "Status:status",
        "Hash:hash",
        "Fee:fee",
    ),
    "Venue": (
        "Venue:id",
        "Kind:kind",
        "Standing:standing",
        "State:condition",
        "Can:capabilities",
    ),
    "Wallet": (
        "Wallet:name",
        "Family:family",
        "Default:is_default",
        "Signer:signer",
        "Address:address",
    ),
}

# Words that have a colour wherever they stand.
COLOURS = {
    "green": "green",
    "yellow": "yellow",
    "red": "red",
    "ready": "green",
    "live": "green",
    "filled": "green",
    "final": "green",
    "buy": "green",
    "sell": "red",
    "starting": "yellow",
    "syncing": "yellow",
    "reconciling": "yellow",
    "locked": "yellow",
    "degraded": "yellow",
    "stale": "yellow",
    "unconfirmed": "yellow",
    "pending": "yellow",
    "partially_filled": "yellow",
    "down": "red",
    "rejected": "red",
    "reverted": "red",
    "dropped": "red",
    "stopping": "red",
}

# Columns that may be folded over lines where the terminal is narrow; the others stay whole.
FOLDED = {
    "Can",
    "Venues",
    "State",
    "Address",
    "To",
    "Error",
    "What",
    "Name",
    "Reserves",
    "Venue",
}
FOLDED |= {"Only at", "Only for", "Only in", "Only of"}

# Columns that are cut before any other: of a hash over thirty lines nobody has anything, and
# without the whole of its id an order cannot be canceled.
CUT = {"Hash", "Fee", "Fees", "Amounts", "Lower", "Upper", "Status"}


# Where "no" is news.
FALSE_MATTERS = {"succeeded"}


def attribute(value: Any, path: str) -> Any:
    """The attribute at a path; None where a part of it is None."""
    for name in path.split("."):
        if value is None:
            return None
        value = getattr(value, name)
    return value


def cells(value: Any) -> list[str]:
    """A value's row."""
    columns = COLUMNS[type(value).__name__]
    return [to_text(attribute(value, column.split(":")[1])) for column in columns]


def heads(kind: str) -> list[int]:
    """How wide the titles of a kind's columns are."""
    return [len(column.split(":")[0]) for column in COLUMNS[kind]]


def colour(text: str) -> str:
    """The style of a cell, by its first word."""
    return COLOURS.get(text.split(":")[0], "")


def table(kind: str, values: Sequence[Any], title: str | None = None) -> Table:
    """All values of one kind."""
    from rich.table import Table
    from rich.text import Text

    columns = [column.split(":") for column in COLUMNS[kind]]
    drawn = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    for name, path in columns:
        numeric = any(is_number(attribute(value, path)) for value in values)
        folded = name in FOLDED
        drawn.add_column(
            name,
            justify="right" if numeric else "left",
            no_wrap=not folded and name not in CUT,
            overflow="fold" if folded else "ellipsis",
        )
    for value in values:
        drawn.add_row(*[Text(cell, style=colour(cell)) for cell in cells(value)])
    return drawn


def is_number(value: Any) -> bool:
    """Whether it is set to the right."""
    return isinstance(value, Decimal | int) and not isinstance(value, bool)


def details(pairs: Iterable[tuple[str, Any]]) -> Table:
    """One value, a line a field; what says nothing is left out."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in pairs:
        text = _exact(value)
        if text and (value is not False or name in FALSE_MATTERS):
            drawn.add_row(name.replace("_", " "), Text(text, style=colour(text)))
    return drawn


def _exact(value: Any) -> str:
    """There is room for all digits and for a time's microseconds here."""
    if isinstance(value, Decimal):
        from daemon.cli.values import plain

        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").replace("+00:00", " UTC")
    return to_text(value)
