"""A disk that takes no more bytes: trading stops in words, halts work, and all of it comes back."""

import asyncio
import resource
from pathlib import Path
from typing import Any

import pytest

import cambist
from daemon.journal.verify import verify
from tests.support.daemon import running_daemon

ORDER: dict[str, Any] = {
    "account": "paper", "venue": "paper", "instrument": "ETH-USDC", "side": cambist.Side.BUY,
    "quantity": "0.1", "price": "1000",
}  # fmt: skip


async def test_a_full_disk_stops_trading_and_not_the_trader(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon, cambist.connect(daemon.connect) as bot:

        async def journal() -> cambist.Condition:
            parts = (await bot.system.get_status()).components
            return next(one.condition for one in parts if one.kind == "journal")

        await bot.trading.place_order(**ORDER, request_id="before")
        stolen = (await bot.access.bake_token("stolen", cambist.Grant())).token
        _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(cambist.JournalUnavailable):
            await bot.trading.place_order(**ORDER, request_id="during", timeout=5)
        told = await journal()
        assert (told.health.name, "cannot write the journal" in told.reason) == ("DOWN", True)
        with pytest.raises(cambist.JournalUnavailable):
            await bot.access.bake_token("bot", cambist.Grant(), timeout=5)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (64, hard))
        with pytest.raises(cambist.JournalUnavailable, match="h-1 is in force"):
            await bot.risk.halt(reason="the disk is full", timeout=5)
        assert [one.id for one in await bot.risk.list_halts()] == ["h-1"]
        with pytest.raises(cambist.JournalUnavailable, match="worthless until"):
            await bot.access.revoke_token_root("stolen", timeout=5)
        with pytest.raises(cambist.Unauthenticated):
            async with cambist.connect(f"{daemon.connect}?token={stolen}") as thief:
                await thief.system.get_status()

        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (hard, hard))

        async def recovered() -> bool:
            return (await journal()).health.name == "READY"

        async with asyncio.timeout(60):
            while not await recovered():  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.1)
        with pytest.raises(cambist.Halted):
            await bot.trading.place_order(**ORDER, request_id="during")
        await bot.access.revoke_token_root("stolen")  # once more, for good
        await daemon.kill()
        await daemon.start()  # and the halt was kept when there was room
        assert [one.id for one in await bot.risk.list_halts()] == ["h-1"]
        await bot.risk.resume("h-1")
        first = await bot.trading.place_order(**ORDER, request_id="before")
        again = await bot.trading.place_order(**ORDER, request_id="during")
        assert first.client_order_id != again.client_order_id
        opened = [one.client_order_id async for one in bot.trading.list_orders(open_only=True)]
        assert sorted(opened) == sorted({first.client_order_id, again.client_order_id})
    assert verify(daemon.data_dir / "journal.sqlite").faults == ()
