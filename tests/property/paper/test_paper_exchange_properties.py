"""Properties of the whole exchange: money is conserved, a crash at any point changes nothing."""

import random
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cex.paper.exchange import PaperExchange
from cex.paper.markets import MARKETS
from core.clock import MILLISECOND, SECOND
from core.errors import Rejected
from core.instruments import InstrumentKind
from core.money import ZERO
from core.orders import FINAL, Fill, OrderReport, OrderRequest, OrderType, Side, TimeInForce
from tests.support.paper import Desk, books_of_record

SPOT = ("a", "b")
KINDS = st.sampled_from([OrderType.LIMIT] * 6 + [OrderType.MARKET] * 2 + list(OrderType))

commands = st.one_of(
    st.tuples(
        st.just("place"),
        st.sampled_from(["a", "b", "p", "q"]),
        st.sampled_from(list(Side)),
        KINDS,
        st.sampled_from([TimeInForce.GTC] * 4 + list(TimeInForce)),
        st.integers(1, 200),  # hundredths of ETH
        st.integers(-20, 20),  # dollars from 3,060
        st.integers(-20, 20),
        st.booleans(),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("replace"), st.integers(0, 30), st.integers(1, 200), st.integers(-20, 20)),
    st.tuples(st.just("cancel_all"), st.sampled_from(["a", "p"])),
    st.tuples(st.just("step")),
)


def run(exchange: PaperExchange, number: int, command: tuple[Any, ...]) -> None:
    """One command; what the exchange rejects has no effect."""
    try:
        match command:
            case ("place", *terms):
                exchange.place(order(number, *terms))
            case ("cancel", which):
                account, id = existing(exchange, which)
                exchange.cancel(account, id)
            case ("replace", which, hundredths, offset):
                account, id = existing(exchange, which)
                exchange.replace(account, id, Decimal(hundredths) / 100, Decimal(3060 + offset))
            case ("cancel_all", account):
                exchange.cancel_all(account, None)
            case ("step",):
                exchange.step()
    except Rejected:
        pass


def order(
    number: int,
    account: str,
    side: Side,
    kind: OrderType,
    rule: TimeInForce,
    hundredths: int,
    offset: int,
    trigger: int,
    reduces: bool,
) -> OrderRequest:
    spot = account in SPOT
    priced = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
    waits = kind not in (OrderType.LIMIT, OrderType.MARKET)
    return OrderRequest(
        client_order_id=str(number),
        account=account,
        venue="paper" if spot else "paper_perpetual",
        instrument="ETH-USDC" if spot else "ETH-USDT-PERP",
        side=side,
        type=kind,
        quantity=Decimal(hundredths) / 100,
        price=Decimal(3060 + offset) if priced else None,
        trigger_price=Decimal(3060 + trigger) if waits else None,
        time_in_force=rule,
        reduce_only=reduces and not spot,
    )


def existing(exchange: PaperExchange, which: int) -> tuple[str, str]:
    """An account and the id of one of its open orders (or of none)."""
    open_ = [
        (book.id, id)
        for book in sorted(exchange.clearing.books(), key=lambda book: book.id)
        for id in book.orders
    ]
    return open_[which % len(open_)] if open_ else ("a", "none")


def check_books(desk: Desk) -> None:
    """What holds for every account at any time."""
    for book in desk.exchange.clearing.books():
        for asset, total in book.ledger.totals.items():
            assert book.ledger.available(asset) >= 0
            if book.kind is InstrumentKind.SPOT:
                assert total >= book.ledger.available(asset)
        for order in book.orders.values():
            assert order.status not in FINAL
            assert 0 <= order.filled < order.request.quantity
    for id, pit in desk.exchange.pits.items():
        for book in desk.exchange.clearing.books():
            if book.margin is not None and pit.instrument.kind is InstrumentKind.PERPETUAL:
                held = book.margin.holdings.get(id)
                in_engine = pit.engine.positions.get(book.id, 0) * pit.instrument.quantity_step
                assert in_engine == (held.quantity if held else 0)


@settings(deadline=None)  # machines are busy; pytest bounds the time
@given(st.lists(commands, max_size=40), st.booleans())
def test_money_is_conserved_and_fills_add_up(script: list[tuple[Any, ...]], public: bool) -> None:
    desk = Desk(markets=MARKETS) if public else Desk()
    heard: dict[str, list[Any]] = {}
    for book in desk.exchange.clearing.books():
        heard[book.id] = []
        book.sink = heard[book.id].append
    before = {name: dict(desk.exchange.clearing.book(name).ledger.totals) for name in SPOT}
    for number, command in enumerate(script):
        run(desk.exchange, number, command)
        desk.clock.advance(10 * MILLISECOND)
        check_books(desk)
    store, instruments = desk.exchange.clearing.store, list(desk.exchange.pits)
    flows: dict[str, Decimal] = {}
    for name in SPOT:
        book = desk.exchange.clearing.book(name)
        expected = dict(before[name])
        fills = [fill for id in instruments for fill in store.fills(name, id, 0)]
        assert fills == [report for report in heard[name] if isinstance(report, Fill)]
        for fill in fills:
            sign = 1 if fill.side is Side.BUY else -1
            expected["ETH"] += sign * fill.quantity
            expected["USDC"] -= sign * fill.quantity * fill.price
            expected[fill.fee_asset] -= fill.fee
            flows[fill.fee_asset] = flows.get(fill.fee_asset, ZERO) + fill.fee
        assert book.ledger.totals == expected
    if not public:
        for asset in before["a"]:
            held = sum((desk.total(name, asset) for name in SPOT), ZERO)
            started = sum((before[name][asset] for name in SPOT), ZERO)
            assert held + flows.get(asset, ZERO) == started
    for name, reports in heard.items():
        ids = {r.client_order_id for r in reports if isinstance(r, OrderReport)}
        fills = [report for report in reports if isinstance(report, Fill)]
        assert len({fill.trade_id for fill in fills}) == len(fills)
        for id in ids:
            final = [r for r in reports if isinstance(r, OrderReport) and r.client_order_id == id]
            mine = [fill for fill in fills if fill.client_order_id == id]
            assert final[-1].filled_quantity == sum(fill.quantity for fill in mine)
            assert final[-1].filled_notional == sum(fill.quantity * fill.price for fill in mine)
        assert name in heard


def reopen(desk: Desk, path: Path, copy: Path) -> PaperExchange:
    """An exchange on a copy of the file, as a killed process would leave it."""
    copy.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, copy)
    return PaperExchange(
        copy / path.name, desk.clock, desk.seed, step_interval=None, funding_interval=SECOND
    )


def check_both_go_on_alike(one: PaperExchange, two: PaperExchange) -> None:
    """Two more steps give the same books, tapes and ids."""
    for _ in range(2):
        one.step()
        two.step()
        assert books_of_record(one) == books_of_record(two)
    for id, pit in one.pits.items():
        other = two.pits[id]
        assert all(pit.engine.levels(side) == other.engine.levels(side) for side in Side)
        tail = len(other.tape.trades)
        assert not tail or list(other.tape.trades) == list(pit.tape.trades)[-tail:]
    assert one.clearing.counters == two.clearing.counters


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(commands, min_size=1, max_size=12), st.integers(1, 3))
def test_a_crash_after_any_command_changes_nothing(
    script: list[tuple[Any, ...]], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "paper.db")
        desk = Desk(path, MARKETS, seed=seed, funding_interval=SECOND)
        for number, command in enumerate(script):
            run(desk.exchange, number, command)
            desk.clock.advance(100 * MILLISECOND)
            reopened = reopen(desk, path, Path(folder, str(number)))
            assert books_of_record(reopened) == books_of_record(desk.exchange)
            if number == len(script) - 1:
                check_both_go_on_alike(desk.exchange, reopened)
            reopened.close()
        desk.exchange.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_crashes_in_a_long_session_change_nothing(tmp_path: Path, seed: int) -> None:
    path, rng = tmp_path / "paper.db", random.Random(seed)
    desk = Desk(path, MARKETS, seed=seed, funding_interval=SECOND)
    kinds = [OrderType.LIMIT] * 6 + list(OrderType)
    rules = [TimeInForce.GTC] * 5 + list(TimeInForce)
    for number in range(300):
        size, offset = rng.randint(1, 200), rng.randint(-15, 15)
        terms = (rng.choice("abpq"), rng.choice(list(Side)), rng.choice(kinds), rng.choice(rules))
        run(
            desk.exchange,
            number,
            rng.choice(
                [("place", *terms, size, offset, rng.randint(-15, 15), rng.random() < 0.3)] * 6
                + [("cancel", size), ("replace", size, rng.randint(1, 200), offset), ("step",)]
            ),
        )
        desk.clock.advance(100 * MILLISECOND)
        if number % 15 == 14:
            reopened = reopen(desk, path, tmp_path / str(number))
            assert books_of_record(reopened) == books_of_record(desk.exchange)
            check_both_go_on_alike(desk.exchange, reopened)
            reopened.close()
    check_books(desk)
    fills = {name: desk.exchange.clearing.store.fills(name, "ETH-USDC", 0) for name in SPOT}
    assert all(len(found) > 10 for found in fills.values())  # the session was worth its name
    desk.exchange.close()
