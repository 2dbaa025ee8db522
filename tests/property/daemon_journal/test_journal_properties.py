"""Whatever is appended while the disk fails and recovers: in order, without a gap, nothing lost."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cambist.v1 import events_pb2 as pb
from core.clock import ManualClock
from core.errors import Refused
from core.money import text
from core.orders import Fill, Liquidity, Order, OrderRequest, OrderStatus, OrderType, Side
from daemon.codec import trading as codec
from daemon.journal import Journal
from daemon.journal.events import NewEvent, new_event, varint
from daemon.journal.values import pack, unpack
from tests.support.desks import FrailStore
from tests.support.waiting import until

# An append of so many events, as intent or fact; or the disk fails, or works again.
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["intent", "fact", "burst"]), st.integers(0, 3)),
        st.tuples(st.sampled_from(["fail", "mend", "wait"]), st.just(0)),
    ),
    max_size=40,
)


def event(name: str) -> NewEvent:
    return new_event(pb.Event(account_notice=pb.AccountNotice(message=name)), 1, "main")


@given(steps)
@settings(max_examples=60, deadline=None)
def test_order_and_gaplessness(script: list[tuple[str, int]]) -> None:
    asyncio.run(run(script))


async def run(script: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = FrailStore(Path(folder) / "journal.sqlite")
        journal = Journal(store, ManualClock(), retry_delay=0.0001)
        await journal.open()
        appended: list[tuple[list[str], bool, asyncio.Future[int]]] = []
        for number, (step, count) in enumerate(script):
            if step in ("intent", "fact", "burst"):
                for part in range(20 if step == "burst" else 1):
                    names = [f"{number}.{part}.{n}" for n in range(count)]
                    fact = step != "intent"
                    try:
                        future = journal.append(*map(event, names), fact=fact)
                    except Refused:
                        assert not fact, "there is room for facts"
                    else:
                        appended.append((names, fact, future))
            elif step == "wait":
                await asyncio.gather(*(one[2] for one in appended), return_exceptions=True)
            else:
                store.failing = "the disk is full" if step == "fail" else ""
        store.failing = ""
        await until(lambda: journal.available)
        last = await journal.append(event("last"), fact=True)
        expected = [
            name
            for names, fact, future in appended
            if fact or future.exception() is None
            for name in names
        ]
        rows = await journal.read(lambda store: store.events(0, 10_000))
        told = [pb.Event.FromString(row.data) for row in rows]
        assert [one.account_notice.message for one in told] == [*expected, "last"]
        assert [one.sequence for one in told] == list(range(1, last + 1))
        assert journal.sequence == last
        await journal.close()


@given(st.integers(0, 2**63 - 1))
def test_a_sequence_is_encoded_as_protobuf_does(number: int) -> None:
    expected = pb.Event(sequence=number).SerializeToString()
    assert (b"\x08" + varint(number) if number else b"") == expected


decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=0, places=18)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
times = st.integers(0, 2**62)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    request = OrderRequest(
        client_order_id=draw(words),
        account=draw(words),
        venue=draw(words),
        instrument=draw(words),
        side=draw(st.sampled_from(Side)),
        type=draw(st.sampled_from(OrderType)),
        quantity=draw(decimals),
        price=draw(st.none() | decimals),
        trigger_price=draw(st.none() | decimals),
        reduce_only=draw(st.booleans()),
        max_slippage=draw(st.none() | decimals),
    )
    return Order(
        request,
        status=draw(st.sampled_from(OrderStatus)),
        venue_order_id=draw(words),
        filled_quantity=draw(decimals),
        filled_notional=draw(decimals),
        cancel_requested=draw(st.booleans()),
        external=draw(st.booleans()),
        reason=draw(words),
        create_time=draw(times),
        update_time=draw(times),
    )


@given(orders())
def test_an_order_is_kept_exactly_and_told_canonically(order: Order) -> None:
    kept = unpack(pack(order), Order)
    assert kept == order
    assert str(kept.filled_quantity) == str(order.filled_quantity)
    message = codec.order(order, "r")
    assert message.filled_quantity == text(order.filled_quantity)
    assert "e" not in message.spec.quantity.lower()
    assert message.status == order.status.value
    if order.request.price is None:
        assert message.spec.price == ""


@given(decimals, decimals, st.dictionaries(words, words, max_size=3))
def test_a_fill_is_kept_exactly(price: object, quantity: object, details: dict[str, str]) -> None:
    fill = Fill(
        trade_id="t",
        venue="v",
        account="a",
        instrument="i",
        client_order_id="c",
        venue_order_id="",
        side=Side.SELL,
        price=price,  # type: ignore[arg-type]
        quantity=quantity,  # type: ignore[arg-type]
        fee=-quantity,  # type: ignore[operator]
        fee_asset="BNB",
        liquidity=Liquidity.TAKER,
        event_time=1,
        details=details,
    )
    assert unpack(pack(fill), Fill) == fill
    assert dict(codec.fill(fill).details) == details
