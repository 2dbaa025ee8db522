"""A node that answers with nonsense: only CambistError escapes, and nothing stops working."""

import asyncio
from typing import Any

import pytest

from chains.evm import erc20
from chains.evm.model import Call, TransactionPlan
from chains.evm.network import EvmNetwork
from core.errors import CambistError
from core.ports import FeeOptions, Health
from core.tokens import Token
from core.transactions import TransactionStatus
from tests.support.evm import ALICE, BOB, MemoryLog, anvil, network, network_info, until
from tests.support.evm_proxy import Forward, honest, proxy, result

pytestmark = pytest.mark.evm

NONSENSE: list[Any] = [
    None,
    True,
    7,
    -1,
    "",
    "0x",
    "0xzz",
    "hello",
    "0x" + "f" * 2000,
    [],
    [None],
    [[]],
    {},
    {"number": None, "hash": 5},
    {"number": "0x1", "hash": "0x2", "parentHash": "0x3", "timestamp": "soon"},
    {"status": "0x1", "blockNumber": "0x1", "logs": [None]},
    {"from": 5, "nonce": "x", "gas": None},
    {"reward": [[]], "gasUsedRatio": [1]},
    {"reward": "0x", "gasUsedRatio": "0x"},
]


async def everything(net: EvmNetwork, number: int) -> None:
    """Each call there is. Fails if anything but CambistError escapes."""
    token = Token(net.info.id, "0x" + "12" * 20, "T", 18)
    plan = TransactionPlan(ALICE, BOB, b"", 1, f"plan {number}", "test")
    attempts = (
        net.balances(ALICE, [net.info.native]),
        net.balances(ALICE, [net.info.native, token, token]),
        net.token(token.address),
        net.multicall([Call(BOB, erc20.decimals())] * 4),
        net.logs(0, 5, [BOB], [None]),
        net.receipt("0x" + "ab" * 32),
        net.transaction("0x" + "ab" * 32),
        net.simulate(plan),
        net.send(plan, FeeOptions()),
    )
    for one in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(one, BaseException) and not isinstance(one, CambistError):
            raise one


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda value: repr(value)[:30])
async def test_nonsense_is_an_error_and_passes(nonsense: Any) -> None:
    log = MemoryLog()
    async with anvil("--no-mining") as node, proxy(node.url) as mad:
        async with network([mad.url], log, info=network_info(depth=1)) as net:
            sent = await net.transfer(ALICE, BOB, net.info.native, 1, "before", FeeOptions())

            async def babble(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
                return result(request, nonsense)

            mad.behaviour = babble
            await everything(net, 1)
            asked = mad.posts
            await until(lambda: mad.posts > asked + 5)
            assert not log.rows[sent.hash].is_final
            mad.behaviour = honest
            await until(lambda: net.condition.health is not Health.DOWN)
            await node.automine(True)
            await until(lambda: log.rows[sent.hash].block is not None)
            await node.mine(2)
            await until(lambda: log.rows[sent.hash].status is TransactionStatus.FINAL)
            assert log.rows[sent.hash].succeeded


@pytest.mark.parametrize(
    "method",
    [
        "eth_getTransactionReceipt",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getBlockByNumber",
        "eth_call",
        "eth_estimateGas",
        "eth_getBalance",
        "eth_feeHistory",
        "eth_sendRawTransaction",
    ],
)
async def test_one_method_that_babbles(method: str) -> None:
    """Each answer in turn is wrong while the others are right; what is sent ends as it should."""
    log = MemoryLog()
    async with anvil() as node, proxy(node.url) as mad:
        async with network([mad.url], log, info=network_info(depth=1)) as net:
            await until(lambda: net.head)
            turn = 0

            async def babble(request: dict[str, Any], forward: Forward) -> dict[str, Any]:
                nonlocal turn
                if request["method"] != method:
                    return await forward(request)
                turn += 1
                return result(request, NONSENSE[turn % len(NONSENSE)])

            mad.behaviour = babble
            for number in range(3):
                await everything(net, number)
            mad.behaviour = honest
            await until(lambda: net.condition.health is not Health.DOWN)
            await until(lambda: all(row.block is not None for row in log.rows.values()))
            await node.mine(2)
            await until(lambda: all(row.is_final for row in log.rows.values()))
            ends = {row.status for row in log.rows.values()}
            assert ends <= {TransactionStatus.FINAL}
