"""`cambist explain`: an order's whole story, with what was said to the venue about it."""

import asyncio
import json
import os
import sys
from pathlib import Path

import cambist
from tests.support.binance_server import error
from tests.support.live import CREDENTIALS, KEY, ORDER, PASSPHRASE, SECRET, live, ready


async def test_an_order_tells_its_whole_story_also_after_a_restart(tmp_path: Path) -> None:
    async with live(tmp_path) as (daemon, server), cambist.connect(daemon.connect) as owner:
        await owner.wallets.unlock_wallets(PASSPHRASE)
        await owner.accounts.add_account("main", "binance", CREDENTIALS)
        await ready(owner)
        token = (await owner.access.bake_token("grid", cambist.Grant())).token
        async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
            order = await bot.trading.place_order(**ORDER, request_id="ask-1")
            await bot.trading.cancel_order(order.client_order_id, account="main")
            server.place_mode = lambda placed: error(-2010, f"Not with {KEY} and {SECRET}.")
            try:
                await bot.trading.place_order(**ORDER, request_id="ask-2")
            except cambist.Error as refused:
                words = f"{refused} {refused.metadata}"
            refused_id = (
                await bot.trading.get_order(account="main", request_id="ask-2")
            ).client_order_id
        await daemon.kill()
        await daemon.start()
        await owner.wallets.unlock_wallets(PASSPHRASE)
        await ready(owner)
        steps = await owner.trading.explain_order(order.client_order_id, account="main")
        kinds = [step.kind for step in steps]
        assert kinds[:4] == ["request", "check", "sent", "reply"], steps
        assert "ask-1" in steps[0].summary
        assert "grid" in steps[0].summary
        assert "grid" in steps[1].summary
        placed, canceled = [step for step in steps if step.kind == "sent"]
        assert placed.summary.startswith("binance: ")
        for said in ("BTCUSDT", "BUY", order.client_order_id):
            assert said in placed.detail_json
        assert order.venue_order_id in canceled.detail_json
        assert kinds.count("reply") == 2
        times = [step.time for step in steps if step.time]
        assert times == sorted(times)
        assert len(times) == len(steps)
        assert steps[-1].summary.startswith("canceled")
        for step in steps:
            if step.kind in ("request", "event"):
                assert json.loads(step.detail_json)["order"]["client_order_id"]
        story = await owner.trading.explain_order(refused_id, account="main")
        assert "rejected" in story[-1].summary
        assert any("-2010" in step.detail_json for step in story if step.kind == "reply")
        told = await _command(daemon.connect, "explain", order.client_order_id, "--account", "main")
        assert "request ask-1 of grid" in told
        assert "canceled" in told
        for text in (words, str(steps), str(story), told):
            assert KEY not in text
            assert SECRET not in text
            assert "signature" not in text


async def _command(connect: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "daemon.cli.cambist",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"CAMBIST_CONNECT": connect, "COLUMNS": "200"},
    )
    out, _ = await process.communicate()
    return out.decode()
