"""Limits, halts and leases against a real daemon: what they refuse, and that they survive it."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cambist
from tests.support.daemon import running_daemon, sandbox_arguments

BOUND = 20


def limited(directory: Path, *limits: str) -> list[str]:
    """Arguments of a sandbox with these limits."""
    arguments = sandbox_arguments(directory)
    config = directory / "cambist.toml"
    tables = "\n".join(f"[[risk.limits]]\n{one}" for one in limits)
    config.write_text(config.read_text() + tables)
    return arguments


def order(**changes: Any) -> dict[str, Any]:
    """A spot order that rests far below the market."""
    resting: dict[str, Any] = {
        "account": "paper", "venue": "paper", "instrument": "ETH-USDC", "side": cambist.Side.BUY,
        "quantity": "1", "price": "1000",
    }  # fmt: skip
    return resting | changes


async def until(condition: Any, what: str) -> None:
    """Waits for a condition, a coroutine function."""
    async with asyncio.timeout(BOUND):
        while not await condition():  # noqa: ASYNC110 - it asks the daemon
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("limit", "passes", "refused", "used"),
    [
        ('rule = "order_quantity"\nlimit = "2"', {"quantity": "2"}, {"quantity": "2.01"}, "2.01"),
        ('rule = "order_notional"\nlimit = "1000"', {}, {"quantity": "1.01"}, "1010"),
        ('rule = "open_orders"\nlimit = "1"', {}, {}, "2"),
        ('rule = "order_rate"\nlimit = "1"', {}, {}, "2"),
        ('rule = "day_notional"\nlimit = "1500"', {}, {}, "2000"),
        (
            'rule = "price_band"\nlimit = "0.9"\nasset = "USDC"',
            {"price": "2900"},
            {"price": "100", "quantity": "1"},
            None,
        ),
    ],
)
async def test_a_limit_refuses_what_is_above_it_and_names_itself(
    tmp_path: Path, limit: str, passes: dict[str, str], refused: dict[str, str], used: str | None
) -> None:
    async with running_daemon(tmp_path, *limited(tmp_path, limit)) as daemon:
        async with cambist.connect(daemon.connect) as bot:
            await bot.trading.place_order(**order(**passes))
            for dry_run in (True, False):
                with pytest.raises(cambist.RiskLimitExceeded) as error:
                    await bot.trading.place_order(**order(**refused), dry_run=dry_run)
                assert error.value.metadata["rule"] in limit
                if used is not None:
                    assert error.value.metadata["used"] == used
            assert len(await bot.trading.list_orders(account="paper")) == 1


async def test_market_orders_are_valued_and_positions_are_limited(tmp_path: Path) -> None:
    limits = (
        'rule = "position"\nlimit = "1"\naccount = "paper_perpetual"',
        'rule = "order_notional"\nlimit = "6000"',
        'rule = "slippage"\nlimit = "0.01"',
    )
    async with running_daemon(tmp_path, *limited(tmp_path, *limits)) as daemon:
        async with cambist.connect(daemon.connect) as bot:
            perpetual = order(
                account="paper_perpetual", venue="paper_perpetual", instrument="ETH-USDT-PERP",
                price=None, max_slippage="0.01",
            )  # fmt: skip
            await bot.trading.place_order(**perpetual | {"quantity": "0.75"})

            async def held() -> bool:
                found = await bot.accounts.list_positions(account="paper_perpetual")
                return any(one.quantity == Decimal("0.75") for one in found)

            await until(held, "the position")
            with pytest.raises(cambist.RiskLimitExceeded) as error:
                await bot.trading.place_order(**perpetual | {"quantity": "0.26"})
            assert error.value.metadata["rule"] == "position"
            # Selling down passes, selling through to a larger short does not.
            sell = {"side": cambist.Side.SELL, "quantity": "1.8"}
            with pytest.raises(cambist.RiskLimitExceeded):
                await bot.trading.place_order(**perpetual | sell)
            await bot.trading.place_order(
                **perpetual | {"side": cambist.Side.SELL, "quantity": "0.5"}
            )
            with pytest.raises(cambist.RiskLimitExceeded) as error:
                await bot.trading.place_order(
                    **perpetual | {"quantity": "0.1", "max_slippage": "0.02"}
                )
            assert error.value.metadata["rule"] == "slippage"
            with pytest.raises(cambist.RiskLimitExceeded) as error:
                await bot.trading.place_order(
                    **order(quantity="3", price=None, max_slippage="0.01")
                )
            assert error.value.metadata["rule"] == "order_notional"


async def test_limits_are_read_again_and_bots_only_tighten(tmp_path: Path) -> None:
    arguments = limited(tmp_path, 'rule = "order_notional"\nlimit = "5000"')
    config = tmp_path / "cambist.toml"
    async with running_daemon(tmp_path, *arguments) as daemon:
        async with cambist.connect(daemon.connect) as bot:
            with pytest.raises(cambist.RiskLimitExceeded):
                await bot.risk.tighten_risk_limit("order_notional", 5001)
            await bot.risk.tighten_risk_limit("order_notional", 2000)
            await bot.risk.tighten_risk_limit(
                "open_orders", 1, scope=cambist.Scope(instrument="BTC-USDT")
            )
            with pytest.raises(cambist.RiskLimitExceeded):
                await bot.trading.place_order(**order(quantity="2.1"))
            await daemon.kill()
            await daemon.start()
            with pytest.raises(cambist.RiskLimitExceeded):
                await bot.trading.place_order(**order(quantity="2.1"))
            config.write_text(config.read_text().replace('"5000"', '"nonsense"'))

            async def told() -> bool:
                parts = (await bot.system.get_status()).components
                return any(one.id == "risk" and one.condition.reason for one in parts)

            await until(told, "the mistake in the file")
            with pytest.raises(cambist.RiskLimitExceeded):
                await bot.trading.place_order(**order(quantity="2.1"))
            config.write_text(config.read_text().replace('"nonsense"', '"4000"'))

            async def loosened() -> bool:
                limits = {one.name: one.limit for one in await bot.risk.list_risk_limits()}
                return limits == {"order_notional": Decimal(4000), "open_orders": Decimal(1)}

            await until(loosened, "the new figure")
            await bot.trading.place_order(**order(quantity="2.1"))


async def test_a_halt_stops_what_is_new_and_outlives_the_daemon(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as bot:
        one = await bot.trading.place_order(**order())
        two = await bot.trading.place_order(**order(price="1001"))
        halt = await bot.risk.halt(reason="testing", scope=cambist.Scope(venue="paper"))
        with pytest.raises(cambist.Halted) as error:
            await bot.trading.place_order(**order())
        assert (error.value.metadata["halt"], "testing" in error.value.message) == (halt.id, True)
        with pytest.raises(cambist.Halted):
            await bot.trading.replace_order(
                one.client_order_id, account="paper", quantity="1", price="1002"
            )
        await bot.trading.cancel_order(one.client_order_id, account="paper")
        elsewhere = order(
            venue="paper_perpetual", account="paper_perpetual", instrument="ETH-USDT-PERP"
        )
        await bot.trading.place_order(**elsewhere)
        await daemon.kill()
        await daemon.start()
        with pytest.raises(cambist.Halted):
            await bot.trading.place_order(**order())
        status = {part.id: part.condition for part in (await bot.system.get_status()).components}
        assert halt.id in status["risk"].reason
        everything = await bot.risk.halt(cancel_orders=True)

        async def canceled() -> bool:
            return not await bot.trading.list_orders(open_only=True)

        await until(canceled, "no open order")
        assert (await bot.trading.get_order(two.client_order_id, account="paper")).status is (
            cambist.OrderStatus.CANCELED
        )
        for id in (halt.id, everything.id):
            await bot.risk.resume(id)
        with pytest.raises(cambist.HaltNotFound):
            await bot.risk.resume(halt.id)
        await bot.trading.place_order(**order())


async def test_what_nothing_is_called_is_not_halted_by_mistake(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as bot:
        for scope, words in (
            (cambist.Scope(venue="papr"), "paper"),
            (cambist.Scope(account="papr"), "paper"),
            (cambist.Scope(instrument="ETH-USDD"), "did you mean"),
            (cambist.Scope(venue="paper", instrument="ETH-USDC-PERP"), "ETH-USDC"),
            (cambist.Scope(token_root="bott"), "cambist token list"),
        ):
            with pytest.raises(cambist.Error, match=words):
                await bot.risk.halt(scope=scope)
            with pytest.raises(cambist.Error, match=words):
                await bot.risk.tighten_risk_limit("open_orders", 1, scope=scope)
        assert not await bot.risk.list_halts()
        await bot.access.bake_token("bot", cambist.Grant())
        for good in ("bot", "owner"):
            await bot.risk.halt(scope=cambist.Scope(token_root=good, instrument="ETH-USDC"))


async def test_reduce_lets_only_smaller_positions_be(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as bot:
        await bot.risk.halt(mode=cambist.HaltMode.REDUCE)
        with pytest.raises(cambist.Halted):
            await bot.trading.place_order(**order())
        # What is there may be sold, and a short is not opened.
        await bot.trading.place_order(**order(side=cambist.Side.SELL, price="9000", quantity="0.5"))
        perpetual = "paper_perpetual"
        short = order(venue=perpetual, account=perpetual, instrument="ETH-USDT-PERP")
        with pytest.raises(cambist.Halted):
            await bot.trading.place_order(**short | {"side": cambist.Side.SELL, "price": "9000"})


async def test_orders_of_a_bot_that_goes_silent_are_canceled(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        token = (await owner.access.bake_token("bot", cambist.Grant())).token
        async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
            lease = await bot.risk.open_lease(timedelta(seconds=1.5), ["paper"])
            await bot.trading.place_order(**order())
            with pytest.raises(cambist.LeaseNotFound):
                await owner.risk.renew_lease(lease.lease_id)  # another's
            assert await bot.risk.renew_lease(lease.lease_id) > lease.expire_time

            async def canceled() -> bool:
                return not await owner.trading.list_orders(account="paper", open_only=True)

            assert not await canceled()
            await until(canceled, "the cancel")
            with pytest.raises(cambist.LeaseNotFound):
                await bot.risk.renew_lease(lease.lease_id)
            # One that is renewed keeps its orders; one that the daemon's death interrupts ends too.
            async with bot.risk.lease(timedelta(seconds=1.5), ["paper"]):
                await bot.trading.place_order(**order())
                await asyncio.sleep(2.5)
                assert not await canceled()
            await bot.risk.open_lease(timedelta(seconds=1.5), ["paper"])
        await daemon.kill()
        await daemon.start()
        await until(canceled, "the cancel after the restart")


async def test_two_bots_do_not_trade_with_each_other(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        ticker = await owner.market.get_ticker("paper", "ETH-USDC")
        assert ticker.bid_price is not None
        inside = str(ticker.bid_price + Decimal("0.01"))
        token = (await owner.access.bake_token("bot", cambist.Grant())).token
        mine = await owner.trading.place_order(**order(price="2000"))
        async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
            sell = order(side=cambist.Side.SELL, quantity="0.1", price="1990")
            with pytest.raises(cambist.SelfTrade) as error:
                await bot.trading.place_order(**sell)
            assert error.value.metadata["order"] == mine.client_order_id
            await bot.trading.place_order(**sell | {"price": "9000"})
            await owner.trading.cancel_order(mine.client_order_id, account="paper")
            await bot.trading.place_order(**sell | {"price": inside})


async def test_a_token_limits_amounts_and_what_increases(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as owner:
        grant = cambist.Grant(
            max_order_notional=Decimal(1500),
            max_day_notional=Decimal(2500),
            max_slippage=Decimal("0.01"),
        )
        token = (await owner.access.bake_token("bot", grant)).token
        async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
            with pytest.raises(cambist.PermissionDenied) as error:
                await bot.trading.place_order(**order(quantity="1.6"))
            assert "order notional is limited to 1500" in error.value.message
            await bot.trading.place_order(**order(quantity="1.4"))
            with pytest.raises(cambist.PermissionDenied) as error:
                await bot.trading.place_order(**order(quantity="1.2"))
            assert "day notional is limited to 2500" in error.value.message
            await daemon.kill()
            await daemon.start()
            with pytest.raises(cambist.PermissionDenied):
                await bot.trading.place_order(**order(quantity="1.2"))
            await bot.trading.place_order(**order(quantity="1.1"))
            market = order(quantity="0.1", price=None)
            with pytest.raises(cambist.PermissionDenied):
                await bot.trading.place_order(**market)
        reducing = (await owner.access.bake_token("b2", cambist.Grant(reduce_only=True))).token
        async with cambist.connect(f"{daemon.connect}?token={reducing}") as bot:
            with pytest.raises(cambist.PermissionDenied) as error:
                await bot.trading.place_order(**order())
            assert "only reduces" in error.value.message
            await bot.trading.place_order(
                **order(side=cambist.Side.SELL, quantity="0.1", price="9000")
            )
