"""The store's queries stay quick however long the journal grows: each goes by an index."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.journal.sqlite import SqliteStore
from daemon.journal.store import Filter, OrderRow, Store

CURSOR = (1, "a", "v", "x")
QUERIES: dict[str, Callable[[Store], object]] = {
    "meta": lambda s: s.meta("k"),
    "last_sequence": lambda s: s.last_sequence(),
    "events": lambda s: s.events(5, 10),
    "events of an account": lambda s: s.events(5, 10, "a"),
    "story": lambda s: s.story("a", "x", 10),
    "intent": lambda s: s.intent("r"),
    "order": lambda s: s.order("a", "v", "x"),
    "order of any venue": lambda s: s.order("a", "", "x"),
    "order of a venue's id": lambda s: s.order_of_venue("a", "v", "x"),
    "order of a request": lambda s: s.order_of_request("a", "r"),
    "open orders to load": lambda s: s.open_orders("a", "v"),
    "instruments": lambda s: s.instruments("a", "v", 5),
    "orders": lambda s: s.orders(Filter(), CURSOR, 10),
    "orders of an account": lambda s: s.orders(Filter(account="a"), CURSOR, 10),
    "open orders": lambda s: s.orders(Filter(open_only=True), CURSOR, 10),
    "open orders of an account": lambda s: s.orders(Filter("a", open_only=True), None, 10),
    "fills": lambda s: s.fills(Filter(), CURSOR, 10),
    "fills of an order": lambda s: s.fills(Filter("a", client_order_id="x"), CURSOR, 10),
    "fills of an account": lambda s: s.fills(Filter("a"), CURSOR, 10),
    "fill": lambda s: s.fill("a", "v", "t"),
    "funding": lambda s: s.funding(Filter("a"), CURSOR, 10),
    "funding payment": lambda s: s.funding_payment("a", "v", "p"),
    "transaction": lambda s: s.transaction("n", "h"),
    "transactions of an intent": lambda s: s.transactions("n", intent="i"),
    "transactions of an address": lambda s: s.transactions("n", address="a", since=5),
    "pending transactions": lambda s: s.transactions("n", pending_only=True),
    "transactions": lambda s: s.transaction_page("", "", False, CURSOR, 10),
}


class Watched(SqliteStore):
    """Keeps what it was asked."""

    asked: tuple[str, tuple[object, ...]]

    def _query(self, sql: str, values: object = ()) -> list[object]:
        self.asked = sql, tuple(values)  # type: ignore[arg-type]
        return super()._query(sql, values)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path / "journal.sqlite", "normal")
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_goes_by_an_index(store: Watched, name: str, tmp_path: Path) -> None:
    QUERIES[name](store)
    sql, values = store.asked
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    for step in plan:
        assert not step.startswith("SCAN") or "USING" in step, plan
    # Sorting is for what is little by nature: an order's versions, what is open or pending.
    little = (
        "open orders",
        "order",
        "transactions of",
        "pending",
        "instruments",
        "fills of an order",
    )
    if not name.startswith(little):
        assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan), plan


def test_a_page_ends_where_the_next_begins(store: Watched) -> None:
    rows = [
        OrderRow("a", "v", f"o{n}", f"v{n}", "", "i", n % 2, n // 3, n // 3, b"") for n in range(20)
    ]
    store.write(rows)
    found: list[OrderRow] = []
    after = None
    while page := store.orders(Filter(account="a"), after, 3):
        found += page
        last = page[-1]
        after = last.create_time, last.account, last.venue, last.client_order_id
    assert [row.client_order_id for row in found] == [
        row.client_order_id
        for row in sorted(rows, key=lambda r: (r.create_time, r.client_order_id), reverse=True)
    ]
    assert len(store.orders(Filter(open_only=True), None, 100)) == 10
