"""Nodes that answer nonsense: every value of every answer is replaced by others. Only clear errors
may come of it, nothing wrong is signed twice, and the network lives on."""

import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from chains.solana.network import SolanaNetwork
from core.errors import CambistError
from core.ports import FeeOptions
from core.transactions import TransactionStatus
from tests.support.solana import INFO, USDC, Lab, Twisted, lab

pytestmark = pytest.mark.solana
SOL = INFO.native
FEES = FeeOptions()
RECEIVER = str(Keypair().pubkey())
NONSENSE: list[Any] = [None, "", "nonsense", -1, 1 << 70, [], {}]
UNREAD = {  # by anything of ours
    *("preBalances", "postBalances", "preTokenBalances", "postTokenBalances", "rewards"),
    *("innerInstructions", "loadedAddresses", "computeUnitsConsumed", "returnData", "version"),
    *("rentEpoch", "space", "apiVersion", "epoch", "slotIndex", "slotsInEpoch", "status"),
    *("transactionCount", "replacementBlockhash", "confirmations"),
}
SEND, READ, FOLLOW = "send", "read", "follow"
METHODS = {
    "getEpochInfo": [FOLLOW],
    "getFirstAvailableBlock": [FOLLOW],
    "getLatestBlockhash": [SEND],
    "getMinimumBalanceForRentExemption": [SEND],
    "getMultipleAccounts": [SEND, READ],
    "getRecentPrioritizationFees": [SEND],
    "getSignatureStatuses": [READ, FOLLOW],
    "getTokenAccountsByOwner": [READ],
    "getTransaction": [READ, FOLLOW],
    "sendTransaction": [SEND],
    "simulateTransaction": [SEND],
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as made:
        yield made


def spoiled(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be replaced; of a list only the first."""
    yield path
    if isinstance(value, dict):
        for key in value.keys() - UNREAD:
            yield from spoiled(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from spoiled(value[0], (*path, 0))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    made = copy.deepcopy(value)
    place = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = by
    return made


class Spoiler:
    """Answers of one method with one place replaced; `turns` counts through places and values."""

    def __init__(self, node: Twisted, method: str) -> None:
        self._node = node
        self._method = method
        self.turn = 0
        self.used = False

    def __call__(self, params: list[Any]) -> Any:
        answer = self._node.true(self._method, params)
        places = list(spoiled(answer))
        place, value = divmod(self.turn, len(NONSENSE))
        if place >= len(places):
            return answer
        self.used = True
        return replaced(answer, places[place], NONSENSE[value])


async def act(network: SolanaNetwork, here: Lab, kind: str, old: str, intent: str) -> None:
    """Everything of a kind; what fails has to fail clearly."""
    steps: dict[str, list[Callable[[], Awaitable[object]]]] = {
        SEND: [
            lambda: network.transfer(here.address, RECEIVER, USDC, 1, intent, FEES),
            lambda: network.unwrap(here.address, 1, intent, FEES),
            lambda: network.estimate_fees(),
        ],
        READ: [
            lambda: network.balances(here.address, [SOL, USDC]),
            lambda: network.holdings(here.address),
            lambda: network.token(USDC.address),
            lambda: network.transaction(old),
        ],
        FOLLOW: [network.poll, network.poll],
    }
    for step in steps[kind]:
        with suppress(CambistError):
            await step()


@pytest.mark.parametrize("method", METHODS)
async def test_nonsense_is_told_and_survived(here: Lab, method: str) -> None:
    node = await here.another()
    spoiler = Spoiler(node, method)
    real = here.network()
    old = await real.transfer(here.address, RECEIVER, SOL, 10**9, "old", FEES)
    await real.wrap(here.address, 10**9, "wrap", FEES)
    here.chain.lose = 1_000
    lost = await real.transfer(here.address, RECEIVER, SOL, 10**9, "lost", FEES)
    here.chain.lose = 0
    here.blocks(250)
    # What is wrong with the answers must not be hidden by what was learned before.
    before = list(here.log.history)
    spoiler.used = True
    while spoiler.used:
        spoiler.used = False
        node.lies[method] = spoiler
        here.log.history[:] = before
        network = here.network(node.url)
        await network._tracker.book.load()
        for kind in METHODS[method]:
            await act(network, here, kind, old.hash, f"i{spoiler.turn}")
        if method != "getSignatureStatuses":  # the only node may say that it knows none
            dead = here.log.latest()[old.hash]
            assert dead.status is not TransactionStatus.DROPPED
        await network.stop()
        here.networks.remove(network)
        spoiler.turn += 1
    assert spoiler.turn > len(NONSENSE)
    # What was sent in between is followed to its true end by a node that makes sense.
    node.lies.clear()
    last = here.network(node.url)
    await last._tracker.book.load()
    for _ in range(4):
        here.blocks(50)
        await last.poll()
    ends = {sent.hash: sent.status for sent in here.log.latest().values()}
    assert ends.pop(lost.hash) is TransactionStatus.DROPPED
    assert set(ends.values()) == {TransactionStatus.FINAL}
