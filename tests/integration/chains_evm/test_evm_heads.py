"""Heads by websocket: one that falls silent without closing holds nothing up."""

import asyncio

import pytest

from tests.support.evm import anvil, network, until
from tests.support.evm_proxy import websocket

pytestmark = pytest.mark.evm


async def test_a_socket_that_falls_silent_is_left_for_polling_and_for_another() -> None:
    async with anvil() as node, websocket() as mute, websocket() as other:
        async with network([node.url, mute.url, other.url]) as net:
            heads = net._heads
            await until(lambda: heads._pushed and net.head)
            first = await node.rpc.call("eth_getBlockByNumber", ["latest", False])
            await mute.push(first)  # it did work
            await until(lambda: heads._pushes == 1)
            height = 0
            async with asyncio.timeout(20):
                while not other.subscribed:  # and now it says nothing, and does not close
                    height += 1
                    await node.mine()
                    await until(lambda height=height: net.height == height)  # type: ignore[misc]


async def test_a_socket_that_pushes_is_kept_though_polls_see_blocks_first() -> None:
    async with anvil() as node, websocket() as late:
        async with network([node.url, late.url]) as net:
            heads = net._heads
            await until(lambda: heads._pushed and net.head)
            for number in range(1, 6):
                await node.mine()
                block = await node.rpc.call("eth_getBlockByNumber", ["latest", False])
                await late.push(block)
                await until(lambda number=number: net.height == number)  # type: ignore[misc]
            assert heads._pushed
            assert late.subscribed == 1
