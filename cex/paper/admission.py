"""What every paper account checks before it takes an order, whoever matches it."""

from decimal import Decimal

from cex.paper.book import Book, describe
from cex.paper.clearing import Clearing
from cex.paper.ledger import OpenOrder
from cex.paper.rules import MAX_OPEN_ORDERS, objection
from core.errors import CambistError, Reason, Rejected
from core.instruments import Instrument
from core.money import ZERO
from core.orders import OrderRequest, Side


def refuse_duplicate(clearing: Clearing, request: OrderRequest) -> None:
    """Raises Rejected when the account has used the client order id before."""
    book, id = clearing.book(request.account), request.client_order_id
    if id in book.orders or clearing.store.has_order(request.account, id):
        raise Rejected(
            Reason.ORDER_REJECTED,
            f"client order id {id!r} was used before: query that order",
            {"venue_code": "DUPLICATE_CLIENT_ORDER_ID", "client_order_id": id},
        )


def check_rules(
    book: Book, request: OrderRequest, instrument: Instrument, error: type[CambistError]
) -> None:
    """Raises `error` with the first rule of the instrument or the account that is broken."""
    broken = objection(request, instrument)
    if broken is not None:
        raise error(broken[0], f"{describe(request)}: {broken[1]}")
    if len(book.orders) >= MAX_OPEN_ORDERS:
        words = f"{MAX_OPEN_ORDERS} orders are open: cancel some first"
        raise error(Reason.ORDER_RULE_BROKEN, words)


def open_order(clearing: Clearing, account: str, client_order_id: str) -> OpenOrder:
    """Raises Rejected: ORDER_FINAL, or ORDER_NOT_FOUND for an id that was never taken."""
    order = clearing.book(account).orders.get(client_order_id)
    if order is not None:
        return order
    metadata = {"client_order_id": client_order_id}
    final = clearing.store.order(account, client_order_id)
    if final is not None:
        words = f"order {client_order_id!r} is {final.status.name.lower()} already"
        raise Rejected(Reason.ORDER_FINAL, words, metadata)
    words = f"the paper venue knows no order {client_order_id!r}"
    raise Rejected(Reason.ORDER_NOT_FOUND, words, metadata)


def check_change(
    book: Book, order: OpenOrder, remaining: Decimal, price: Decimal, rate: Decimal
) -> None:
    """Raises Rejected when the account cannot afford a resting order as it is to be."""
    book.ledger.unhold(order)
    short = book.ledger.shortfall(order.request, remaining, remaining * price, rate)
    book.ledger.hold(order)
    if short is not None:
        raise Rejected(Reason.INSUFFICIENT_BALANCE, f"{describe(order.request)}: {short}")


def reducible(book: Book, request: OrderRequest) -> Decimal:
    """How much of the account's position an order of this side can reduce."""
    holding = book.margin.holdings.get(request.instrument) if book.margin else None
    held = holding.quantity if holding else ZERO
    return max(ZERO, -held if request.side is Side.BUY else held)
