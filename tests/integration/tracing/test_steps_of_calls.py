"""The steps of calls as spans: what was done, one within the other, without anybody's words."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core import steps
from core.errors import CambistError, Reason, Refused
from core.ports import FeeOptions
from core.steps import step, stepped
from daemon.observe.traces import OpenTelemetry
from tests.integration.cex.conftest import REQUEST, Bench
from tests.integration.cex.conftest import bench as bench
from tests.support.desks import World
from tests.support.evm import ALICE, BOB, MemoryLog, anvil, network
from tests.support.model_venue import request


@dataclass
class Traced:
    """`traces` as the daemon has it, and what it would have sent."""

    traces: OpenTelemetry
    exporter: Any

    def spans(self) -> list[Any]:
        self.traces._provider.force_flush()
        return list(self.exporter.get_finished_spans())

    def paths(self) -> set[str]:
        """Each span with those that it stands in: "call/risk.admit"."""
        spans = {one.context.span_id: one for one in self.spans()}

        def path(one: Any) -> str:
            parent = one.parent and spans.get(one.parent.span_id)
            return f"{path(parent)}/{one.name}" if parent else str(one.name)

        return {path(one) for one in spans.values()}


@pytest.fixture
def traced() -> Iterator[Traced]:
    memory = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="needs OpenTelemetry"
    )
    exporter = memory.InMemorySpanExporter()
    traces = OpenTelemetry("", exporter)
    yield Traced(traces, exporter)
    traces.close()


async def test_an_orders_steps(traced: Traced, tmp_path: Path) -> None:
    world = World(tmp_path / "journal.sqlite")
    await world.start()
    await world.ready()
    try:
        with traced.traces.span("place", {}):
            state = await world.desk.place("r1", request())
        with traced.traces.span("replace", {}):
            id = state.order.client_order_id
            await world.desk.replace("r2", "main", id, Decimal(2), Decimal(101))
        with traced.traces.span("cancel", {}):
            await world.desk.cancel("r3", "main", id)
    finally:
        await world.stop()
    paths = traced.paths()
    before = ("risk.prices", "risk.admit", "journal.write")
    assert paths >= {f"place/{name}" for name in (*before, "venue.check", "venue.place")}
    assert paths >= {f"replace/{name}" for name in (*before, "venue.replace")}
    assert paths >= {"cancel/journal.write", "cancel/venue.cancel"}
    assert {path.partition("/")[0] for path in paths} == {"place", "replace", "cancel"}


async def test_a_venues_requests(traced: Traced, bench: Bench) -> None:
    with traced.traces.span("place", {}):
        await bench.account.place(REQUEST)
    assert {"place/venue.rate_limit", "place/venue.request"} <= traced.paths()
    (sent,) = (one for one in traced.spans() if one.name == "venue.request")
    assert sent.attributes["cambist.venue"] == "binance"
    assert sent.attributes["cambist.by"] == "rest"
    told = " ".join(one.to_json() for one in traced.spans())
    for word in ("signature", "CBTEXAMPLE", "127.0.0.1"):
        assert word not in told


@pytest.mark.evm
async def test_a_transactions_steps(traced: Traced) -> None:
    async with anvil() as node, network([node.url], MemoryLog()) as net:
        with traced.traces.span("transfer", {}):
            await net.transfer(ALICE, BOB, net.info.native, 1, "intent", FeeOptions())
    steps_of_it = ("prepare", "sign", "journal", "broadcast")
    paths = traced.paths()
    assert paths >= {f"transfer/transaction.{name}" for name in steps_of_it}
    assert paths >= {f"transfer/transaction.{name}/node.request" for name in ("prepare",)}


async def test_what_is_of_no_call_is_not_recorded_and_failures_are_without_words(
    traced: Traced,
) -> None:
    with step("journal.write"):
        pass
    assert traced.spans() == []

    @stepped("node.request")
    async def fails() -> None:
        raise Refused(Reason.HALTED, "quotes a secret")

    with pytest.raises(CambistError):
        with traced.traces.span("place", {}):
            await asyncio.create_task(fails())
    inner, outer = traced.spans()
    assert (inner.name, inner.status.description) == ("node.request", "HALTED")
    assert outer.status.description == "HALTED"
    assert "secret" not in inner.to_json() + outer.to_json()


def test_while_nobody_records_a_step_is_nothing() -> None:
    steps.record(None)
    assert step("a") is step("b", venue="paper")
