"""Several new orders by one request, where the venue takes them so; each has its own outcome."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cex.engine import outcome
from cex.engine.commands import Place, PlaceOrders, Reports
from cex.engine.http import Reply
from cex.engine.messages import Failure
from cex.engine.spec import VenueSpec
from core.errors import CambistError

Result = Reports | CambistError
_WHOLE = Reply(200, {}, b"")  # of which an item failed


async def place(
    spec: VenueSpec,
    orders: Sequence[Place | CambistError],
    alone: Callable[[Place], Awaitable[Reports]],
    together: Callable[[PlaceOrders], Awaitable[Sequence[Reports | Failure]]],
) -> list[Result]:
    """What became of each order, in their order; what is an error already stays one.

    A batch that fails as a whole fails so for each of its orders.
    """
    results: dict[int, Result] = {}
    groups: dict[Any, list[tuple[int, Place]]] = {}
    for place_, order in enumerate(orders):
        if isinstance(order, CambistError):
            results[place_] = order
        else:
            groups.setdefault(spec.place_group(order.request), []).append((place_, order))
    sizes = spec.place_batch
    for key, group in groups.items():
        size = max(sizes if isinstance(sizes, int) else sizes[key], 1)
        for start in range(0, len(group), size):
            batch = group[start : start + size]
            found = await _batch(spec, [order for _, order in batch], alone, together)
            results.update({place_: one for (place_, _), one in zip(batch, found, strict=True)})
    return [results[place_] for place_ in range(len(orders))]


async def _batch(
    spec: VenueSpec,
    orders: Sequence[Place],
    alone: Callable[[Place], Awaitable[Reports]],
    together: Callable[[PlaceOrders], Awaitable[Sequence[Reports | Failure]]],
) -> Sequence[Result]:
    try:
        if len(orders) == 1:
            return [await alone(orders[0])]
        answers = await together(PlaceOrders(orders))
    except CambistError as error:
        return [error] * len(orders)
    if len(answers) != len(orders):
        return [outcome.unconfirmed(spec, "its reply does not name each order")] * len(orders)
    return [
        outcome.failed(spec, _WHOLE, answer, True) if isinstance(answer, Failure) else answer
        for answer in answers
    ]
