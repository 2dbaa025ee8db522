"""Calls against a real server: values, pages, errors, retries, and how a daemon is found."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import grpc
import pytest

import cambist
from cambist import Side, TimeInForce
from cambist.v1 import accounts_pb2, system_pb2, trading_pb2, venues_pb2
from core.errors import Reason, Refused, Rejected
from tests.support.fake_daemon import FakeDaemon


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with FakeDaemon(tmp_path / "cambist.sock") as running:
        yield running


def placed(request: trading_pb2.PlaceOrderRequest) -> trading_pb2.PlaceOrderResponse:
    order = trading_pb2.Order(
        client_order_id="c1",
        request_id=request.request_id,
        spec=request.order,
        status=trading_pb2.ORDER_STATUS_OPEN,
        filled_quantity="0",
        remaining_quantity=request.order.quantity,
    )
    order.create_time.FromNanoseconds(1_700_000_000_123_456_789)
    return trading_pb2.PlaceOrderResponse(order=order)


async def place(request: trading_pb2.PlaceOrderRequest) -> trading_pb2.PlaceOrderResponse:
    return placed(request)


async def test_values_are_exact_and_times_are_in_utc(daemon: FakeDaemon) -> None:
    daemon.answers["place_order"] = place
    async with cambist.connect(daemon.address) as c:
        order = await c.trading.place_order(
            "paper",
            "ETH-USDC",
            Side.BUY,
            Decimal("1E+3"),
            account="paper",
            price=Decimal("0.00000001"),
            time_in_force=TimeInForce.IOC,
            request_id="r1",
        )
    (request,) = daemon.of("place_order")
    assert request.order.quantity == "1000"
    assert request.order.price == "0.00000001"
    assert request.order.type == trading_pb2.ORDER_TYPE_LIMIT
    assert order.status is cambist.OrderStatus.OPEN
    assert order.spec.quantity == Decimal(1000)
    assert order.spec.time_in_force is TimeInForce.IOC
    assert order.spec.trigger_price is None
    assert order.average_price is None
    assert order.create_time == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert order.update_time is None


async def test_an_order_without_a_price_is_a_market_order(daemon: FakeDaemon) -> None:
    daemon.answers["place_order"] = place
    async with cambist.connect(daemon.address) as c:
        order = await c.trading.place_order("paper", "ETH-USDC", Side.SELL, 2, account="paper")
        with pytest.raises(ValueError, match="needs its type"):
            await c.trading.place_order(
                "paper", "ETH-USDC", Side.SELL, 2, account="paper", trigger_price=5
            )
    assert order.spec.type is cambist.OrderType.MARKET
    assert order.spec.time_in_force is None
    assert len(order.request_id) == 36


async def test_a_float_is_refused_before_anything_is_sent(daemon: FakeDaemon) -> None:
    daemon.answers["place_order"] = place
    async with cambist.connect(daemon.address) as c:
        with pytest.raises(TypeError, match=r"Decimal\('0.1'\)"):
            await c.trading.place_order("paper", "ETH-USDC", Side.BUY, 0.1, account="paper")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="finite"):
            await c.trading.place_order(
                "paper", "ETH-USDC", Side.BUY, Decimal("NaN"), account="paper"
            )
    assert not daemon.of("place_order")


async def test_pages_are_followed(daemon: FakeDaemon) -> None:
    async def page(request: venues_pb2.ListVenuesRequest) -> venues_pb2.ListVenuesResponse:
        start = int(request.page_token or 0)
        venues = [venues_pb2.Venue(id=f"v{n}") for n in range(start, start + 2)]
        token = "" if start == 4 else str(start + 2)
        return venues_pb2.ListVenuesResponse(venues=venues, next_page_token=token)

    daemon.answers["list_venues"] = page
    async with cambist.connect(daemon.address) as c:
        everything = await c.venues.list_venues()
        lazily = [venue.id async for venue in c.venues.list_venues()]
        asked = len(daemon.of("list_venues"))
        first = await c.venues.list_venues().first(1)
        assert len(daemon.of("list_venues")) == asked + 1
    assert [venue.id for venue in everything] == lazily == ["v0", "v1", "v2", "v3", "v4", "v5"]
    assert [venue.id for venue in first] == ["v0"]


async def test_a_page_that_repeats_is_an_error_not_an_endless_loop(daemon: FakeDaemon) -> None:
    daemon.answers["list_venues"] = venues_pb2.ListVenuesResponse(next_page_token="again")
    async with cambist.connect(daemon.address) as c:
        with pytest.raises(cambist.ProtocolError):
            await c.venues.list_venues()


async def test_accounts_that_could_not_be_asked_are_named(daemon: FakeDaemon) -> None:
    daemon.answers["list_balances"] = accounts_pb2.ListBalancesResponse(
        balances=[accounts_pb2.Balance(account="a", asset="ETH", total="1", available="1")],
        unavailable=[accounts_pb2.UnavailableAccount(account="b", reason="VENUE_UNAVAILABLE")],
    )
    async with cambist.connect(daemon.address) as c:
        pages = c.accounts.list_balances()
        (balance,) = await pages
    assert balance.units is None
    assert [one.account for one in pages.unavailable] == ["b"]


async def test_errors_have_their_own_classes(daemon: FakeDaemon) -> None:
    daemon.answers["place_order"] = Rejected(
        Reason.ORDER_REJECTED, "no", {"venue": "paper", "venue_code": "-2010"}
    )
    async with cambist.connect(daemon.address) as c:
        with pytest.raises(cambist.OrderRejected) as caught:
            await c.trading.place_order("paper", "X", Side.BUY, 1, account="a", request_id="r7")
    error = caught.value
    assert isinstance(error, cambist.FailedPrecondition)
    assert error.reason == "ORDER_REJECTED"
    assert error.metadata == {"venue": "paper", "venue_code": "-2010", "outcome": "REJECTED"}
    assert not error.retryable
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.request_id == "r7"


async def test_retryability_and_delay_come_with_the_error(daemon: FakeDaemon) -> None:
    daemon.answers["get_status"] = Refused(
        Reason.RATE_LIMITED, "slow down", retry_after=1_500_000_000
    )
    async with cambist.connect(daemon.address) as c:
        with pytest.raises(cambist.RateLimited) as caught:
            await c.system.get_status()
    assert caught.value.retryable
    assert caught.value.retry_after == timedelta(seconds=1.5)


async def test_what_is_not_built_says_so(daemon: FakeDaemon) -> None:
    async with cambist.connect(daemon.address) as c:
        with pytest.raises(cambist.NotBuilt):
            await c.system.shutdown()


async def test_a_daemon_that_reconciles_is_asked_again(daemon: FakeDaemon) -> None:
    tries = 0

    async def reconciling(
        request: trading_pb2.PlaceOrderRequest,
    ) -> trading_pb2.PlaceOrderResponse:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Refused(Reason.ACCOUNT_NOT_RECONCILED, "soon", retry_after=1_000_000)
        return placed(request)

    daemon.answers["place_order"] = reconciling
    async with cambist.connect(daemon.address) as c:
        order = await c.trading.place_order("paper", "X", Side.BUY, 1, account="a")
    assert tries == 3
    assert len({request.request_id for request in daemon.of("place_order")}) == 1
    assert order.client_order_id == "c1"


async def test_a_daemon_killed_between_effect_and_answer_does_not_do_it_twice(
    daemon: FakeDaemon,
) -> None:
    daemon.answers["place_order"] = place
    daemon.held = asyncio.Event()
    async with cambist.connect(daemon.address) as c:
        call = asyncio.create_task(
            c.trading.place_order("paper", "X", Side.BUY, 1, account="a", request_id="once")
        )
        await asyncio.wait_for(daemon.effected.wait(), 10)
        await daemon.kill()
        daemon.held = None
        await daemon.start()
        order = await asyncio.wait_for(call, 20)
    assert order.request_id == "once"
    assert daemon.effects["once"] == 1
    assert daemon.calls["once"] == 2


async def test_a_daemon_that_stays_away_is_an_error_that_names_the_request(
    daemon: FakeDaemon,
) -> None:
    daemon.answers["place_order"] = place
    async with cambist.connect(daemon.address, timeout=0.4) as c:
        await daemon.kill()
        with pytest.raises(cambist.ConnectionLost, match="request_id='mine'") as caught:
            await c.trading.place_order("p", "X", Side.BUY, 1, account="a", request_id="mine")
    assert caught.value.retryable
    assert caught.value.request_id == "mine"


async def test_a_daemon_that_hangs_is_not_waited_for_longer_than_said(daemon: FakeDaemon) -> None:
    daemon.answers["place_order"] = place
    daemon.held = asyncio.Event()
    async with cambist.connect(daemon.address) as c:
        with pytest.raises(cambist.DeadlineExceeded) as caught:
            await c.trading.place_order("p", "X", Side.BUY, 1, account="a", timeout=0.2)
    assert caught.value.request_id


@pytest.mark.parametrize("text", ["0,5", "1e3", "1_000", "٣", " 1", "", ".5", "5.", "NaN", "0x1"])
async def test_a_text_that_is_no_plain_number_is_a_slip(daemon: FakeDaemon, text: str) -> None:
    async with cambist.connect(daemon.address) as c:
        with pytest.raises(ValueError, match="no plain decimal number"):
            await c.trading.place_order("p", "X", Side.BUY, text, account="a")
    assert daemon.of("place_order") == []


async def test_no_daemon_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(cambist.NoDaemon, match="cambistd run --profile sandbox"):
        await cambist.connect(f"unix://{tmp_path}/none.sock")


async def test_another_version_of_the_contract_is_told_at_once(tmp_path: Path) -> None:
    async with FakeDaemon(tmp_path / "s", api="cambist.v2") as daemon:
        with pytest.raises(cambist.IncompatibleDaemon, match=r"cambist\.v2"):
            await cambist.connect(daemon.address)


async def test_discovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBIST_HOME", str(tmp_path))
    monkeypatch.delenv("CAMBIST_CONNECT", raising=False)
    (tmp_path / "live").mkdir()
    (tmp_path / "sandbox").mkdir()
    sandbox = FakeDaemon(tmp_path / "sandbox" / "cambist.sock")
    live = FakeDaemon(tmp_path / "live" / "cambist.sock")
    other = FakeDaemon(tmp_path / "other.sock")
    async with sandbox, other:
        async with cambist.connect() as c:
            assert c.address == sandbox.address
        with pytest.raises(cambist.NoDaemon):
            await cambist.connect(profile="live")
        async with live, cambist.connect() as c:
            assert c.address == live.address
        monkeypatch.setenv("CAMBIST_CONNECT", other.address)
        async with cambist.connect() as c:
            assert c.address == other.address
        async with cambist.connect(profile="sandbox") as c:
            assert c.address == sandbox.address


async def test_waiting_for_a_daemon_that_is_about_to_start(tmp_path: Path) -> None:
    daemon = FakeDaemon(tmp_path / "s")
    connecting = asyncio.ensure_future(cambist.connect(daemon.address, wait=20)._connect())
    await asyncio.sleep(0)
    async with daemon:
        client = await asyncio.wait_for(connecting, 20)
        assert client.info.profile == "sandbox"
        await client.close()


@pytest.mark.parametrize(
    "bad", ["", "http://x", "unix://", "cambist://", "127.0.0.1:7177", "cambist://h:99999"]
)
async def test_addresses_that_cannot_be(bad: str) -> None:
    with pytest.raises(cambist.BadAddress):
        await cambist.connect(bad or "nonsense")


async def test_a_token_is_not_dropped_silently() -> None:
    with pytest.raises(cambist.BadAddress, match="token"):
        await cambist.connect("cambist://127.0.0.1:7177?token=t")


async def test_status_stream(daemon: FakeDaemon) -> None:
    async def states(_: object) -> AsyncIterator[system_pb2.StreamStatusResponse]:
        for state in (1, 4, 99):
            yield system_pb2.StreamStatusResponse(status=system_pb2.Status(state=state))  # type: ignore[arg-type]
        await asyncio.Event().wait()

    daemon.answers["stream_status"] = states
    seen = []
    async with cambist.connect(daemon.address) as c, c.system.status() as stream:
        async for status in stream:
            seen.append(status.state)
            if len(seen) == 3:
                break
    unknown = cambist.DaemonState.UNKNOWN  # a state that this client does not know yet
    assert seen == [cambist.DaemonState.STARTING, cambist.DaemonState.READY, unknown]
