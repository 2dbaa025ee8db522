"""What the chain says of a wallet's swaps, as reports: pure, from a transaction and its receipt."""

from dataclasses import dataclass
from decimal import Decimal

from chains.evm.model import Receipt
from core.money import from_units, text
from core.orders import (
    Fill,
    Order,
    OrderReport,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from core.transactions import Transaction, TransactionStatus
from dex.orders import SwapTerms
from dex.pools import PoolState

ORDER = "order"  # details["kind"] of an order's swap; "swap" for one that came from a quote


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to tell of a transaction that has ended; no fill when nothing was traded."""

    report: OrderReport | None
    fill: Fill | None = None


def order_details(request: OrderRequest, terms: SwapTerms, state: PoolState) -> dict[str, str]:
    """What an order's transaction must remember: the order, and what was promised."""
    sale = terms.exact_in
    base, quoted = str(terms.base_units), str(terms.quoted)
    return {
        "kind": ORDER,
        "side": request.side.name,
        "type": request.type.name,
        "time_in_force": request.time_in_force.name,
        "quantity": text(request.quantity),
        "price": "" if request.price is None else text(request.price),
        "sent_quantity": text(from_units(terms.base_units, state.market.base.decimals)),
        "quoted_in": base if sale else quoted,
        "quoted_out": quoted if sale else base,
        "guaranteed": str(terms.guaranteed),
        "exact_in": "1" if sale else "0",
        "quoted_block": str(state.block),
        "price_limit": str(terms.price_limit),
    }


def is_order(transaction: Transaction) -> bool:
    """Whether a swap was sent for an order."""
    return transaction.details.get("kind") == ORDER


def order_of(transaction: Transaction, account: str) -> Order:
    """The order of a pending transaction, from what the transaction remembers."""
    details = transaction.details
    request = OrderRequest(
        client_order_id=transaction.intent,
        account=account,
        venue=details["venue"],
        instrument=details["instrument"],
        side=Side[details["side"]],
        type=OrderType[details["type"]],
        quantity=Decimal(details["quantity"]),
        price=Decimal(details["price"]) if details["price"] else None,
        time_in_force=TimeInForce[details["time_in_force"]],
    )
    return Order(
        request=request,
        status=OrderStatus.OPEN,
        venue_order_id=transaction.hash,
        create_time=transaction.create_time,
        update_time=transaction.update_time,
    )


def opened(transaction: Transaction) -> OrderReport:
    """The report of a swap that is on its way; UNCONFIRMED while no node has accepted it."""
    doubtful = transaction.status is TransactionStatus.SIGNED
    return OrderReport(
        client_order_id=transaction.intent,
        status=OrderStatus.UNCONFIRMED if doubtful else OrderStatus.OPEN,
        venue_order_id=transaction.hash,
        reason=transaction.reason if doubtful else "",
        event_time=transaction.update_time,
    )


def filled(transaction: Transaction, fill: Fill) -> OrderReport:
    """FILLED, or EXPIRED when less was traded than was asked for: the rest of an IOC."""
    wanted = Decimal(transaction.details["quantity"])
    complete = fill.quantity >= wanted
    reason = ""
    if not complete:
        rest = text(wanted - fill.quantity)
        reason = f"IOC: {rest} were not to be had within the limit, and have expired"
        if fill.quantity < Decimal(transaction.details["sent_quantity"]):
            reason = f"{rest} did not arrive: the token keeps a part of each transfer"
            if transaction.details.get("price_limit", "0") != "0":
                reason = f"IOC: the price reached the limit; {rest} were not traded"
    return OrderReport(
        client_order_id=transaction.intent,
        status=OrderStatus.FILLED if complete else OrderStatus.EXPIRED,
        venue_order_id=transaction.hash,
        filled_quantity=fill.quantity,
        filled_notional=Decimal(fill.details["notional"]),
        reason=reason,
        event_time=fill.event_time,
    )


def reverted(transaction: Transaction, receipt: Receipt, asset: str, time: int) -> OrderReport:
    """EXPIRED: nothing was traded, but the gas is paid."""
    gas = text(transaction.fee) if transaction.fee is not None else "unknown"
    return OrderReport(
        client_order_id=transaction.intent,
        status=OrderStatus.EXPIRED,
        venue_order_id=transaction.hash,
        filled_quantity=Decimal(0),
        reason=(
            f"reverted in block {receipt.block}: {transaction.reason or 'no reason given'}; "
            f"nothing was traded, the gas of {gas} {asset} is paid"
        ),
        event_time=time,
    )


def ended(transaction: Transaction) -> OrderReport:
    """The report of a transaction that can never be in a block. Dropped: no node ever took it;
    replaced: something else was sent in its place."""
    never_live = transaction.status is TransactionStatus.DROPPED
    return OrderReport(
        client_order_id=transaction.intent,
        status=OrderStatus.REJECTED if never_live else OrderStatus.CANCELED,
        venue_order_id=transaction.hash,
        filled_quantity=Decimal(0),
        reason=transaction.reason or f"the transaction was {transaction.status.name.lower()}",
        event_time=transaction.update_time,
    )
