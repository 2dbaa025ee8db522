"""Transactions through a real daemon's API: what they cost, hurried, taken back, and allowances."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import cambist
from cambist import (
    FeeOptions,
    FeeStrategy,
    Order,
    OrderStatus,
    OrderType,
    Route,
    Side,
    TimeInForce,
    Transaction,
    TransactionStatus,
)
from tests.support.evm import BOB, installed
from tests.support.sandbox import sandbox_daemon

pytestmark = pytest.mark.evm

EVM, SOLANA = "ethereum_local", "solana_local"
VENUE = "uniswap_v2@ethereum_local"


class Node:
    """The sandbox's own node, which the test stops from mining."""

    def __init__(self, data_dir: Path) -> None:
        port = json.loads((data_dir / "localnet" / "chain.json").read_text())["port"]
        self._url = f"http://127.0.0.1:{port}"

    async def call(self, method: str, *params: Any) -> Any:
        async with aiohttp.ClientSession() as session:
            wire = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            async with session.post(self._url, json=wire) as response:
                answer = await response.json()
                assert "error" not in answer, answer
                return answer["result"]


async def ended(client: cambist.Client, sent: Transaction) -> Transaction:
    ends = (
        TransactionStatus.FINAL,
        TransactionStatus.REVERTED,
        TransactionStatus.REPLACED,
        TransactionStatus.DROPPED,
    )
    async with asyncio.timeout(60):
        while sent.status not in ends:
            await asyncio.sleep(0.02)
            sent = await client.chains.get_transaction(sent.network, sent.hash)
    return sent


async def costs_and_allowances(client: cambist.Client) -> None:
    slow, normal, fast = await client.chains.estimate_fees(EVM)
    assert (slow.strategy, fast.strategy) == (FeeStrategy.SLOW, FeeStrategy.FAST)
    assert 0 < slow.unit_price <= normal.unit_price <= fast.unit_price
    assert fast.transfer_fee == fast.unit_price * 21_000
    assert fast.base_price is not None
    assert fast.priority_price is not None
    cheap, *_ = await client.chains.estimate_fees(SOLANA)
    assert cheap.transfer_fee >= Decimal("0.000005")
    assert cheap.base_price is None

    assert await client.wallets.list_approvals(EVM, wallet="trader") == []
    sent = await client.wallets.approve(VENUE, "USDC", "12.5", wallet="trader")
    assert (await ended(client, sent)).succeeded
    (found,) = await client.wallets.list_approvals(EVM, wallet="trader")
    assert (found.venue, found.amount.amount, found.amount.units) == (
        VENUE,
        Decimal("12.5"),
        12_500_000,
    )
    sent = await client.wallets.approve(VENUE, "USDC", 0, wallet="trader")
    await ended(client, sent)
    assert await client.wallets.list_approvals(EVM, wallet="trader") == []
    with pytest.raises(cambist.UnsupportedByVenue):
        await client.wallets.list_approvals(SOLANA, wallet="trader_solana")


async def hurried(client: cambist.Client, node: Node) -> None:
    await node.call("evm_setAutomine", False)
    first = await client.wallets.transfer(EVM, BOB, "0.5", wallet="trader")
    with pytest.raises(cambist.FeeCapExceeded):
        await client.chains.speed_up_transaction(EVM, first.hash, max_fee="0.000000001")
    second = await client.chains.speed_up_transaction(EVM, first.hash, request_id="hurry")
    assert (second.intent, second.nonce) == (first.intent, first.nonce)
    again = await client.chains.speed_up_transaction(EVM, first.hash, request_id="hurry")
    assert again.hash == second.hash
    with pytest.raises(cambist.InvalidArgument):  # the sandbox has no private nodes
        await client.chains.speed_up_transaction(
            EVM, first.hash, strategy=FeeOptions(route=Route.PRIVATE)
        )
    await node.call("anvil_mine", "0x1")
    assert (await ended(client, first)).status is TransactionStatus.REPLACED
    assert (await ended(client, second)).status is TransactionStatus.FINAL
    with pytest.raises(cambist.TransactionFinal):
        await client.chains.cancel_transaction(EVM, first.hash)
    with pytest.raises(cambist.TransactionNotFound):
        await client.chains.cancel_transaction(EVM, "0x" + "ab" * 32)
    with pytest.raises(cambist.UnsupportedByVenue, match="blockhash"):
        await client.chains.cancel_transaction(SOLANA, "1" * 64)


async def place(client: cambist.Client, id_: str) -> tuple[Order, Transaction]:
    """An order whose swap waits, as nothing is mined."""
    book = await client.market.get_order_book(VENUE, "WETH-USDC", depth=3)
    placing = asyncio.create_task(
        client.trading.place_order(
            account="trader",
            venue=VENUE,
            instrument="WETH-USDC",
            side=Side.SELL,
            type=OrderType.LIMIT,
            quantity=Decimal("0.1"),
            price=book.bids[2].price,
            time_in_force=TimeInForce.IOC,
            request_id=id_,
        )
    )
    async with asyncio.timeout(60):
        while True:
            waiting = await client.chains.list_transactions(network=EVM, pending_only=True).first(5)
            swaps = [one for one in waiting if one.purpose == "swap"]
            if swaps:
                return await placing, swaps[0]
            await asyncio.sleep(0.02)


async def orders(client: cambist.Client, node: Node) -> None:
    await client.wallets.wrap(EVM, 1, wallet="trader")
    await node.call("anvil_mine", "0x1")
    sent = await client.wallets.approve(VENUE, "WETH", 1, wallet="trader")
    await node.call("anvil_mine", "0x1")
    await ended(client, sent)

    order, swap = await place(client, "sped-up")
    faster = await client.chains.speed_up_transaction(EVM, swap.hash)
    assert (faster.purpose, faster.intent) == ("swap", swap.intent)
    await node.call("anvil_mine", "0x1")
    assert (await ended(client, faster)).succeeded
    assert (await ended(client, swap)).status is TransactionStatus.REPLACED
    order = await finished(client, order)
    assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal("0.1"))
    fills = [
        one
        async for one in client.trading.list_fills(account="trader")
        if one.client_order_id == order.client_order_id
    ]
    assert sum(one.quantity for one in fills) == Decimal("0.1")
    assert len(fills) == 1

    order, swap = await place(client, "canceled")
    nothing = await client.chains.cancel_transaction(EVM, swap.hash)
    assert nothing.purpose == "cancel"
    await node.call("anvil_mine", "0x1")
    assert (await ended(client, swap)).status is TransactionStatus.REPLACED
    order = await finished(client, order)
    assert order.filled_quantity == 0
    assert order.status not in (OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED)


async def sixteen_at_once(address: str, node: Node) -> None:
    """Bots of their own, one wallet, nothing approved yet: each swap succeeds, and each once."""
    await node.call("evm_setAutomine", True)

    async def bot() -> Transaction:
        async with cambist.connect(address) as client:
            swapped = await client.swaps.swap_now(
                VENUE, "USDC", "WETH", 50, wallet="trader", slippage="0.1", timeout=60
            )
            assert swapped.transaction is not None
            return await ended(client, swapped.transaction)

    async with cambist.connect(address) as client:

        async def dollars() -> Decimal:
            _, balance = await client.wallets.list_wallet_balances(
                EVM, wallet="trader", tokens=["USDC"]
            )
            return balance.total

        before = await dollars()
        swaps = await asyncio.gather(*(bot() for _ in range(16)))
        assert all(swap.succeeded for swap in swaps)
        assert {swap.status for swap in swaps} == {TransactionStatus.FINAL}
        assert len({swap.nonce for swap in swaps}) == 16
        assert before - await dollars() == 16 * 50


async def finished(client: cambist.Client, order: Order) -> Order:
    async with asyncio.timeout(60):
        while order.status.name not in ENDS:
            await asyncio.sleep(0.02)
            order = await client.trading.get_order(order.client_order_id, account="trader")
    return order


ENDS = {"FILLED", "CANCELED", "EXPIRED", "REJECTED"}


async def use(address: str, data_dir: Path) -> None:
    async with cambist.connect(address) as client:
        node = Node(data_dir)
        await costs_and_allowances(client)
        await hurried(client, node)
        await orders(client, node)
    await sixteen_at_once(address, node)


def test_transactions_through_the_api(tmp_path: Path) -> None:
    installed()  # skips where there is no local chain
    with sandbox_daemon(tmp_path) as address:
        asyncio.run(use(address, tmp_path))
