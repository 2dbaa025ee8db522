"""What an operator sees: metrics that Prometheus reads, and spans of calls."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

import cambist
from daemon.config import ConfigError
from daemon.observe.endpoint import parse
from daemon.observe.traces import OpenTelemetry
from tests.support.daemon import running_daemon, sandbox_arguments


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
    with traces.span("cambist.v1.SystemService/GetInfo"):
        pass
    error = cambist.Error("quotes a secret", reason="HALTED")
    with pytest.raises(cambist.Error):
        with traces.span("cambist.v1.TradingService/PlaceOrder"):
            raise error
    await asyncio.to_thread(traces.close)
    good, bad = exporter.get_finished_spans()
    assert good.attributes["rpc.method"] == "GetInfo"
    assert bad.status.description == "HALTED"
    assert "secret" not in bad.to_json()
