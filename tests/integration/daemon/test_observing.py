"""What an operator sees: metrics that Prometheus reads, and spans of calls."""

import asyncio
import re
import socket
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

import cambist
from daemon.config import ConfigError
from daemon.observe.endpoint import parse
from daemon.observe.traces import OpenTelemetry
from tests.support.daemon import running_daemon, sandbox_arguments

GUIDE = Path(__file__).parents[3] / "docs/guides/operating.md"
SCOPE = ("venue", "account", "instrument", "token_root", "asset")
EMPTY_HERE = {
    "cambist_rate_limit_used", "cambist_rate_limit_blocked_seconds", "cambist_rate_limit_waiting",
    "cambist_clock_offset_seconds", "cambist_position", "cambist_position_notional",
    "cambist_unrealized_profit", "cambist_transactions_pending", "cambist_market_data_readers",
    "cambist_streams",
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def scraped(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            text = await answer.text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_tell_of_calls_errors_orders_and_parts(tmp_path: Path) -> None:
    port = free_port()
    arguments = sandbox_arguments(tmp_path)
    config = tmp_path / "cambist.toml"
    config.write_text(config.read_text() + f'metrics = "127.0.0.1:{port}"\n')
    async with running_daemon(tmp_path, *arguments) as daemon:
        async with cambist.connect(daemon.connect) as bot:
            await bot.trading.place_order(
                venue="paper",
                account="paper",
                instrument="ETH-USDC",
                side=cambist.Side.BUY,
                quantity="0.1",
                price="1000",
            )
            with pytest.raises(cambist.VenueNotFound):
                await bot.venues.get_venue("nowhere")
            found = await scraped(port)
            place = (("method", "cambist.v1.TradingService/PlaceOrder"),)
            assert found["cambist_rpc_seconds_count", place] == 1
            errors = (("method", "cambist.v1.VenueService/GetVenue"), ("reason", "VENUE_NOT_FOUND"))
            assert found["cambist_rpc_errors_total", errors] == 1
            assert found["cambist_open_orders", (("account", "paper"), ("venue", "paper"))] == 1
            assert found["cambist_component_health", (("id", "journal"), ("kind", "journal"))] == 3
            assert found["cambist_state", (("state", "READY"),)] == 1
            assert found["cambist_journal_sequence", ()] > 0
            where = (("account", "paper"), ("venue", "paper"))
            instrument = ("instrument", "ETH-USDC")
            bought = (where[0], instrument, ("side", "buy"), where[1])
            assert found["cambist_open_quantity", bought] == 0.1
            assert found["cambist_balance", (where[0], ("asset", "USDC"), where[1])] > 0
            assert found["cambist_journal_lag_seconds", ()] >= 0
            assert found["cambist_journal_write_seconds", ()] > 0
            limit = {"rule": "open_orders", **dict.fromkeys(SCOPE, "")}
            await bot.risk.tighten_risk_limit("open_orders", 7)
            await bot.risk.halt(scope=cambist.Scope(venue="paper_perpetual"))
            async with bot.risk.lease(timedelta(seconds=60), ["paper"]):
                found = await scraped(port)
            assert found["cambist_risk_limit", tuple(sorted(limit.items()))] == 7
            assert found["cambist_risk_limit_used", tuple(sorted(limit.items()))] == 1
            assert (found["cambist_halts", ()], found["cambist_leases", ()]) == (1, 1)
            names = {name for name, _ in found}
            # What a stream, an exchange that meters, a position or a network would fill.
            assert EMPTY_HERE.isdisjoint(names)
            listed = set(re.findall(r"^\| `(cambist_\w+)`", GUIDE.read_text(), re.MULTILINE))
            counted = {name for name in names if not name.endswith("_created")}
            assert {re.sub("_(count|sum|bucket)$", "", name) for name in counted} <= listed
            assert listed - names - {"cambist_rpc_seconds"} == EMPTY_HERE


def test_metrics_are_for_this_machine_only() -> None:
    assert parse("127.0.0.1:7178") == ("127.0.0.1", 7178)
    for address in ("0.0.0.0:7178", "example.com:1", "127.0.0.1", "127.0.0.1:99999"):
        with pytest.raises(ConfigError, match="must be a loopback address"):
            parse(address)


async def test_a_span_a_call_that_quotes_nobody() -> None:
    memory = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="needs OpenTelemetry"
    )
    exporter = memory.InMemorySpanExporter()
    traces = OpenTelemetry("", exporter)
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    caller = {"traceparent": f"00-{trace}-{parent}-01"}
    with traces.span("cambist.v1.SystemService/GetInfo", caller):
        pass
    error = cambist.Error("quotes a secret", reason="HALTED")
    with pytest.raises(cambist.Error):
        with traces.span("cambist.v1.TradingService/PlaceOrder", {}):
            raise error
    await asyncio.to_thread(traces.close)
    good, bad = exporter.get_finished_spans()
    assert good.attributes["rpc.method"] == "GetInfo"
    assert f"{good.context.trace_id:032x}" == trace  # the bot's own trace goes on
    assert f"{good.parent.span_id:016x}" == parent
    assert bad.parent is None
    assert bad.status.description == "HALTED"
    assert "secret" not in bad.to_json()
