"""What a websocket does for the network: it makes it look at once. What it must not do: be
believed, or be needed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from solders.keypair import Keypair

from chains.solana.network import SolanaNetwork
from core.ports import FeeOptions
from core.transactions import Transaction, TransactionStatus
from tests.support.solana import INFO, Lab, lab

pytestmark = pytest.mark.solana
SOL = INFO.native
FEES = FeeOptions()
SELDOM = 1_000.0  # seconds between polls: only a push makes it look in time


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


def somebody() -> str:
    return str(Keypair().pubkey())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  sockets decide
            await asyncio.sleep(0.005)


async def until_pushed(here: Lab, network: SolanaNetwork) -> None:
    """A socket is live with its first slot."""

    def pushed() -> bool:
        here.blocks(1)
        return network._tracker.pushed

    await until(pushed)


async def until_final(here: Lab, network: SolanaNetwork, hash: str) -> Transaction:
    async with asyncio.timeout(60):
        while not (found := here.log.latest()[hash]).is_final:
            here.blocks(1)
            await asyncio.sleep(0.02)
    return found


async def test_a_push_makes_it_look(here: Lab) -> None:
    network = here.network(here.url, here.server.websocket_url, poll=SELDOM)
    await network.start()
    await until(lambda: network._pool.slot)
    await until_pushed(here, network)
    sent = await network.transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
    final = await until_final(here, network, sent.hash)
    assert final.status is TransactionStatus.FINAL
    assert "INCLUDED" in here.log.statuses(sent.hash)
    # Slots come by themselves.
    here.blocks(5)
    await until(lambda: network.height == here.chain.slots.block().slot)


async def test_a_restart_subscribes_to_what_is_pending(here: Lab) -> None:
    first = here.network()
    sent = await first.transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
    await first.stop()
    network = here.network(here.url, here.server.websocket_url, poll=SELDOM)
    await network.start()
    assert (await until_final(here, network, sent.hash)).status is TransactionStatus.FINAL


Talk = Callable[[web.WebSocketResponse, list[str]], Coroutine[None, None, None]]


async def fake(talk: Talk) -> tuple[web.AppRunner, str, list[str]]:
    """A websocket that says what it is told to, and notes what it was sent."""
    heard: list[str] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        heard.append("connected")
        talking = asyncio.create_task(talk(response, heard))
        while (message := await response.receive()).type is aiohttp.WSMsgType.TEXT:
            heard.append(message.data)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        return response

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"ws://127.0.0.1:{runner.addresses[0][1]}", heard


def note(method: str, subscription: int, result: Any) -> dict[str, Any]:
    params = {"result": result, "subscription": subscription}
    return {"jsonrpc": "2.0", "method": method, "params": params}


async def test_what_a_socket_says_is_not_believed(here: Lab) -> None:
    """It says that everything is confirmed at once; the nodes have not seen it."""
    here.chain.lose = 1_000

    async def lie(socket: web.WebSocketResponse, heard: list[str]) -> None:
        number = 0
        while True:
            slot = here.chain.slots.block().slot
            await socket.send_json(note("slotNotification", 0, {"slot": slot}))
            while number < len(heard):
                if "signatureSubscribe" in heard[number]:
                    id = int(heard[number].partition('"id":')[2].partition(",")[0])
                    await socket.send_json({"jsonrpc": "2.0", "id": id, "result": 1_000 + id})
                    value = {"context": {"slot": slot}, "value": {"err": None}}
                    await socket.send_json(note("signatureNotification", 1_000 + id, value))
                number += 1
            await asyncio.sleep(0.005)

    runner, url, heard = await fake(lie)
    try:
        network = here.network(here.url, url, poll=0.05)
        await network.start()
        await until(lambda: network._tracker.pushed)
        sent = await network.transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
        await until(lambda: any("signatureSubscribe" in one for one in heard))
        await until(lambda: network._tracker._hinted)
        await network.poll()
        assert here.log.latest()[sent.hash].status is TransactionStatus.BROADCAST
        here.chain.lose = 0
        final = await until_final(here, network, sent.hash)
        assert final.status is TransactionStatus.FINAL
        await network.stop()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "said",
    [
        "nonsense",
        '{"jsonrpc":"2.0","method":"slotNotification","params":[]}',
        '{"jsonrpc":"2.0","method":"slotNotification","params":{"result":{"slot":99999999}}}',
        '{"jsonrpc":"2.0","method":"signatureNotification","params":{"result":5}}',
        '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}',
    ],
)
async def test_a_socket_that_is_of_no_use_is_left_and_polling_goes_on(here: Lab, said: str) -> None:
    async def babble(socket: web.WebSocketResponse, heard: list[str]) -> None:
        while True:
            await socket.send_str(said)
            await asyncio.sleep(0.005)

    runner, url, heard = await fake(babble)
    try:
        network = here.network(here.url, url, here.server.websocket_url, poll=0.02)
        await network.start()
        await until(lambda: "connected" in heard)
        sent = await network.transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
        final = await until_final(here, network, sent.hash)
        assert final.status is TransactionStatus.FINAL
        # The next one is tried.
        await until_pushed(here, network)
        await network.stop()
    finally:
        await runner.cleanup()


async def test_no_socket_anywhere_is_no_trouble(here: Lab) -> None:
    network = here.network(here.url, "ws://127.0.0.1:9/secret-key", poll=0.02)
    await network.start()
    sent = await network.transfer(here.address, somebody(), SOL, 10**9, "i", FEES)
    assert (await until_final(here, network, sent.hash)).status is TransactionStatus.FINAL
    assert not network._tracker.pushed
    assert network.condition.reason == ""


async def test_a_reader_that_does_not_read_is_closed_by_the_node(here: Lab) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(here.server.websocket_url)
        call = {"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe", "params": []}
        for _ in range(1_000):
            await socket.send_json(call)
        refused = False
        await socket.send_json(call)
        async with asyncio.timeout(60):
            async for message in socket:
                if "Too many subscriptions" in message.data:
                    refused = True
                    break
        assert refused
        await socket.close()
