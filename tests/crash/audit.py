"""At the end: all that the daemon says of orders, fills and events, against the venue's word."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from cambist import Client
from tests.crash.orders import Standing, agrees


async def audit(
    client: Client, account: str, venue: str, everything: Sequence[Standing], trades: Sequence[str]
) -> None:
    """Waits for what is still being told; AssertionError for what stays different."""
    wrong: list[object] = []
    for _ in range(300):
        wrong = await _differences(client, account, venue, everything, trades)
        if not wrong:
            break
        await asyncio.sleep(0.1)
    assert not wrong, wrong
    events = await client.events.list_events(page_size=1000)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    told = Counter(event.fill.trade_id for event in events if event.fill)
    assert not [id for id, times in told.items() if times > 1]


async def _differences(
    client: Client, account: str, venue: str, everything: Sequence[Standing], trades: Sequence[str]
) -> list[object]:
    there = {one.client_order_id: one for one in everything}
    orders = await client.trading.list_orders(account=account, venue=venue, page_size=1000)
    said = {order.client_order_id: order for order in orders}
    wrong: list[object] = [one for id, one in there.items() if id not in said]
    for id, order in said.items():
        if order.external or not agrees(order, there.get(id)):
            wrong.append((order, there.get(id)))
    fills = await client.trading.list_fills(account=account, venue=venue, page_size=1000)
    if sorted(fill.trade_id for fill in fills) != sorted(trades):
        wrong.append("the fills are not those of the venue")
    return wrong
