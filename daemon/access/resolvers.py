"""What requests concern that name it by an id: an order's, a quote's, a transaction's."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cambist.v1.trading_pb2 import GetOrderRequest
from core.errors import CambistError
from core.transactions import Transaction
from daemon.access.scopes import ALL, Names, Resolver
from daemon.trading import Desk


def resolvers(
    desk: Desk,
    venue_of_quote: Callable[[str], str | None],
    of_lease: Resolver,
    of_halt: Resolver,
    find_transaction: Callable[[str, str], Awaitable[Transaction]],
    account_of: Callable[[str, str], str],
) -> Mapping[str, Resolver]:
    """By the method's name. What nobody knows concerns everything: it is denied to a token that is
    limited, rather than allowed by mistake."""

    async def order(request: Any) -> Names:
        try:
            if isinstance(request, GetOrderRequest) and not request.client_order_id:
                state = await desk.of_request(request.account, request.request_id)
            else:
                state = await desk.get(request.account, request.client_order_id)
        except CambistError:
            return {"venue": {ALL}, "instrument": {ALL}}
        placed = state.order.request
        return {"venue": {placed.venue}, "instrument": {placed.instrument}}

    async def swap(request: Any) -> Names:
        if not request.quote_id:
            return {}
        return {"venue": {venue_of_quote(request.quote_id) or ALL}}

    async def transaction(request: Any) -> Names:
        try:
            found = await find_transaction(request.network, request.hash)
        except CambistError:
            return {"venue": {ALL}, "account": {ALL}}
        account = account_of(found.network, found.address)
        return {"venue": {found.details.get("venue", ALL)}, "account": {account}}

    by_transaction = dict.fromkeys(("SpeedUpTransaction", "CancelTransaction"), transaction)
    by_order = dict.fromkeys(("ReplaceOrder", "CancelOrder", "GetOrder", "ExplainOrder"), order)
    by_lease = dict.fromkeys(("RenewLease", "CloseLease"), of_lease)
    return {**by_order, **by_lease, **by_transaction, "Swap": swap, "Resume": of_halt}
