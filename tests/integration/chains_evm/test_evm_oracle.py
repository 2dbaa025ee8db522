"""The same questions put to web3.py: the same answers."""

import asyncio
from typing import Any

import pytest
from hexbytes import HexBytes
from web3 import Web3

from chains.evm.codec import checksum, hexadecimal, keccak
from chains.evm.model import Call
from chains.evm.multicall import ADDRESS as MULTICALL
from chains.localnet.packages import sandbox_code
from core.ports import FeeOptions
from core.tokens import Token
from tests.support.evm import ALICE, BOB, CAROL, Anvil, MemoryLog, anvil, network

pytestmark = pytest.mark.evm
_STRING = {"type": "string", "name": ""}
ABI = [
    {"type": "constructor", "inputs": [_STRING, _STRING, {"type": "uint8", "name": "c"}]},
    {
        "type": "function",
        "name": "mint",
        "inputs": [{"type": "address", "name": "a"}, {"type": "uint256", "name": "b"}],
        "outputs": [],
        "stateMutability": "nonpayable",
    },
    {
        "type": "function",
        "name": "balanceOf",
        "inputs": [{"type": "address", "name": "a"}],
        "outputs": [{"type": "uint256", "name": ""}],
        "stateMutability": "view",
    },
]


def tokens(url: str, count: int) -> tuple[Web3, list[Any]]:
    """Deploys tokens through web3.py and mints an odd amount of each."""
    web3 = Web3(Web3.HTTPProvider(url))
    made: list[Any] = []
    for n in range(count):
        factory = web3.eth.contract(abi=ABI, bytecode=sandbox_code("SandboxToken"))
        hash = factory.constructor(f"Token {n}", f"T{n}", n).transact({"from": CAROL})
        address = web3.eth.wait_for_transaction_receipt(hash, poll_latency=0.005)["contractAddress"]
        contract = web3.eth.contract(address=address, abi=ABI)
        hash = contract.functions.mint(ALICE, 10**n * 7 + n).transact({"from": CAROL})
        web3.eth.wait_for_transaction_receipt(hash, poll_latency=0.005)
        made.append(contract)
    return web3, made


async def aggregating(node: Anvil, on: bool) -> None:
    if on:
        code = hexadecimal(sandbox_code("SandboxMulticall", "runtime"))
        await node.rpc.call("anvil_setCode", [MULTICALL, code])


@pytest.mark.parametrize("multicall", [True, False])
async def test_balances_and_metadata_equal_web3(multicall: bool) -> None:
    async with anvil() as node:
        await aggregating(node, multicall)
        web3, contracts = await asyncio.to_thread(tokens, node.url, 12)
        async with network([node.url]) as net:
            ours = [await net.token(one.address) for one in contracts]
            assert [one.symbol for one in ours] == [f"T{n}" for n in range(12)]
            assert [one.decimals for one in ours] == list(range(12))
            found = await net.balances(ALICE, [net.info.native, *ours])
            theirs = [
                await asyncio.to_thread(web3.eth.get_balance, Web3.to_checksum_address(ALICE))
            ]
            for one in contracts:
                theirs.append(  # noqa: PERF401
                    await asyncio.to_thread(one.functions.balanceOf(ALICE).call)
                )
            assert [balance.units for balance in found] == theirs
            assert [str(balance.total) for balance in found[1:3]] == ["7", "7.1"]


@pytest.mark.parametrize("multicall", [True, False])
async def test_balances_of_many_tokens_are_one_round_trip(multicall: bool) -> None:
    from tests.support.evm_proxy import proxy

    async with anvil() as node, proxy(node.url) as watched:
        await aggregating(node, multicall)
        _, contracts = await asyncio.to_thread(tokens, node.url, 20)
        async with network([watched.url], poll=5) as net:
            known = [Token(net.info.id, one.address, f"T{n}", n) for n, one in enumerate(contracts)]
            await net.balances(ALICE, [net.info.native, *known])
            before = watched.posts
            found = await net.balances(ALICE, [net.info.native, *known])
            assert watched.posts - before == 1
            assert len(found) == 21


async def test_one_call_that_burns_all_gas_does_not_spoil_the_others() -> None:
    from chains.evm.abi import selector

    async with anvil() as node:
        await aggregating(node, True)
        code = hexadecimal(sandbox_code("SandboxReverts"))
        made = await node.send({"from": CAROL, "data": code, "gas": hex(2_000_000)})
        address = checksum(made["contractAddress"])
        async with network([node.url]) as net:
            good = Call(address, selector("lastBlock()"))
            bad = Call(address, selector("burnAllGas()"))
            results = await net.multicall([good, bad, good])
            assert results[0] == results[2] == bytes(32)
            assert not isinstance(results[1], bytes)


async def test_blocks_receipts_and_transactions_equal_web3() -> None:
    log = MemoryLog()
    async with anvil() as node, network([node.url], log) as net:
        web3 = Web3(Web3.HTTPProvider(node.url))
        sent = await net.transfer(ALICE, BOB, net.info.native, 12345, "i", FeeOptions())
        included = await net.wait_included(sent.hash, 10)
        theirs = await asyncio.to_thread(web3.eth.get_transaction_receipt, HexBytes(sent.hash))
        ours = await net.receipt(sent.hash)
        assert ours is not None
        assert (ours.block, ours.gas_used, ours.effective_gas_price, ours.status) == (
            theirs["blockNumber"],
            theirs["gasUsed"],
            theirs["effectiveGasPrice"],
            bool(theirs["status"]),
        )
        paid = Web3.from_wei(theirs["gasUsed"] * theirs["effectiveGasPrice"], "ether")
        assert included.fee == paid
        raw = await asyncio.to_thread(web3.eth.get_raw_transaction, HexBytes(sent.hash))
        assert bytes(raw) == sent.raw
        assert sent.hash == hexadecimal(keccak(sent.raw))
        block = await asyncio.to_thread(web3.eth.get_block, "latest")
        assert net.head is not None
        assert (net.head.number, net.head.hash) == (block["number"], block["hash"].to_0x_hex())
        assert net.head.base_fee == block["baseFeePerGas"]
