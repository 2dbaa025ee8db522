"""What is sent to a chain as intents: transfers, swaps, and replacements by fee."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

import cambist
from cambist import Client, Transaction, TransactionStatus
from tests.crash.chain import Chain
from tests.crash.trial import DONE, REJECTED, Intent

NETWORK, VENUE = "ethereum_local", "uniswap_v2@ethereum_local"
WALLET = "trader"
AMOUNT = Decimal("0.001")
APPROVE = "0x095ea7b3"  # approve(address,uint256)
AGAIN = {"OUTCOME_UNKNOWN", "BOOK_NOT_LIVE", "NODE_UNAVAILABLE", "STARTING_UP", "WALLETS_LOCKED"}
WAITING = {
    TransactionStatus.PLANNED, TransactionStatus.SIMULATED, TransactionStatus.SIGNED,
    TransactionStatus.BROADCAST, TransactionStatus.SEEN, TransactionStatus.REORGANISED,
}  # fmt: skip


class Ledger:
    """The wallet, the chain, and who was given what."""

    def __init__(self, client: Client, chain: Chain, address: str) -> None:
        self.client = client
        self.chain = chain
        self.address = address.lower()
        self._numbers = itertools.count(1)
        self.kinds = {
            "transfer": self._transfer,
            "swap": self._swap,
            "swap (quoted before)": self._quoted,
            "swap (of a token)": self._of_token,
            "speed-up": self._speed_up,
            "cancel of a transfer": self._cancel,
        }

    async def begun(self) -> tuple[int, int]:
        """The number of the next intent, and the block before it."""
        return next(self._numbers), await self.chain.number("eth_blockNumber")

    async def _transfer(self) -> Intent:
        return Transfer(self, *await self.begun())

    async def _swap(self) -> Intent:
        return Swap(self, *await self.begun(), "now")

    async def _quoted(self) -> Intent:
        return Swap(self, *await self.begun(), "quoted")

    async def _of_token(self) -> Intent:
        return Swap(self, *await self.begun(), "token")

    async def _speed_up(self) -> Intent:
        return Replacement(self, *await self.begun(), await self._pending(), "speed-up")

    async def _cancel(self) -> Intent:
        return Replacement(self, *await self.begun(), await self._pending(), "cancel")

    async def _pending(self) -> Transaction:
        """A transfer that waits, as nothing is mined; its recipient is its own."""
        await self.chain.call("evm_setAutomine", False)
        number = next(self._numbers)
        sent = await self.client.wallets.transfer(
            NETWORK, recipient(number), AMOUNT, wallet=WALLET, request_id=f"pending-{number}"
        )
        while sent.status is not TransactionStatus.SEEN:  # all of it is journaled
            await asyncio.sleep(0.02)
            sent = await self.client.chains.get_transaction(NETWORK, sent.hash)
        return sent

    async def swaps(self, since: int, approvals: int) -> list[dict[str, Any]]:
        """What is in the blocks after one and is no approval; of those there may be so many."""
        sent = await self.chain.sent(self.address, since)
        swaps = [one for one in sent if not one["input"].startswith(APPROVE)]
        assert len(sent) - len(swaps) <= approvals, "approved too often"
        return swaps

    async def intended(self, intent: str) -> list[Transaction]:
        """What the daemon has signed for an intent lately, newest first."""
        found = []
        async for one in self.client.chains.list_transactions(network=NETWORK, page_size=20):
            if one.intent == intent:
                found.append(one)
            if len(found) > 5:
                break
            if one.intent != intent and found:
                break
        return found


def recipient(number: int) -> str:
    """An address that nobody else pays."""
    return f"0x{number + 0xC0FFEE:040x}"


async def answered(ask: Callable[[], Awaitable[Transaction]]) -> Transaction:
    """The answer to a request that is repeated while that is right."""
    while True:
        try:
            return await ask()
        except cambist.Error as error:
            if error.reason not in AGAIN:
                raise
            await asyncio.sleep(0.05)


async def included(client: Client, sent: Transaction) -> Transaction:
    """Waits until a transaction is in a block, or has ended."""
    while sent.status in WAITING:
        await asyncio.sleep(0.02)
        sent = await client.chains.get_transaction(sent.network, sent.hash)
    return sent


class Transfer:
    """Coins to somebody who has none."""

    def __init__(self, ledger: Ledger, number: int, block: int) -> None:
        self._ledger = ledger
        self._id = f"transfer-{number}"
        self._to = recipient(number)

    async def ask(self) -> str:
        ledger = self._ledger
        sent = await answered(
            lambda: ledger.client.wallets.transfer(
                NETWORK, self._to, AMOUNT, wallet=WALLET, request_id=self._id, timeout=200
            )
        )
        sent = await included(ledger.client, sent)
        assert sent.succeeded, sent
        return DONE

    async def known(self) -> bool:
        found = await self._ledger.intended(self._id)
        if any(one.status in WAITING for one in found):
            return False
        return sum(bool(one.succeeded) for one in found) == await self.effects()

    async def effects(self) -> int:
        got = await self._ledger.chain.number("eth_getBalance", self._to, "latest")
        times, rest = divmod(got, int(AMOUNT * 10**18))
        assert not rest
        return times

    async def meanwhile(self, random: Random) -> None:
        return None

    async def over(self) -> None:
        assert not await self._ledger.chain.waiting(self._ledger.address)


class Swap:
    """Coins for a token, quoted at once or before; or a token for coins, after an approval."""

    def __init__(self, ledger: Ledger, number: int, block: int, how: str) -> None:
        self._ledger = ledger
        self._block = block
        self._how = how
        self._id = f"swap-{number}"
        self._amount = Decimal("0.0001") + number * Decimal("0.000001")
        self._tries = 0
        self._quote: cambist.Quote | None = None

    async def ask(self) -> str:
        sent = await answered(self._ask)
        sent = await included(self._ledger.client, sent)
        assert sent.succeeded, sent
        return DONE

    async def _ask(self) -> Transaction:
        swaps = self._ledger.client.swaps
        if self._how != "quoted":
            tokens = ("USDC", "ETH") if self._how == "token" else ("ETH", "USDC")
            swapped = await swaps.swap_now(
                VENUE, *tokens, self._amount, wallet=WALLET, request_id=self._id, timeout=200
            )
        else:
            while True:
                if self._quote is None:
                    self._quote = await swaps.get_quote(VENUE, "ETH", "USDC", self._amount)
                    self._tries += 1
                try:
                    swapped = await swaps.swap(
                        self._quote,
                        wallet=WALLET,
                        request_id=f"{self._id}-{self._tries}",
                        timeout=200,
                    )
                    break
                except cambist.QuoteNotFound as error:
                    # It was quoted by a daemon that is no more, and nothing was sent.
                    if error.metadata["outcome"] != "NOT_SENT":
                        raise
                    self._quote = None
        assert swapped.transaction is not None
        return swapped.transaction

    async def known(self) -> bool:
        id = f"{self._id}-{self._tries}" if self._how == "quoted" else self._id
        found = [one for one in await self._ledger.intended(id) if one.purpose == "swap"]
        if any(one.status in WAITING for one in found):
            return False
        return sum(bool(one.succeeded) for one in found) == await self.effects()

    async def effects(self) -> int:
        """Swaps in the blocks since; an approval goes to the token and is none."""
        return len(await self._ledger.swaps(self._block, approvals=self._how == "token"))

    async def meanwhile(self, random: Random) -> None:
        return None

    async def over(self) -> None:
        assert not await self._ledger.chain.waiting(self._ledger.address)


class Replacement:
    """Another transaction in the place of a transfer that waits: the same, or nothing. It can come
    too late: a block may have the transfer meanwhile."""

    def __init__(
        self, ledger: Ledger, number: int, block: int, pending: Transaction, how: str
    ) -> None:
        self._ledger = ledger
        self._block = block
        self._pending = pending
        self._how = how
        self._id = f"{how}-{number}"
        self._made: str | None = None

    async def ask(self) -> str:
        chains = self._ledger.client.chains
        act = chains.speed_up_transaction if self._how == "speed-up" else chains.cancel_transaction
        try:
            made = await answered(
                lambda: act(NETWORK, self._pending.hash, request_id=self._id, timeout=200)
            )
        except cambist.TransactionFinal:
            assert self._made is None, f"{self._made} was made, and is denied"
            return REJECTED
        assert self._made in (None, made.hash), "another replacement for the same request"
        self._made = made.hash
        while not await self.effects():
            now = await chains.get_transaction(NETWORK, made.hash)
            if now.status is TransactionStatus.REPLACED:
                return REJECTED  # the transfer itself was in a block before it
            await asyncio.sleep(0.02)
        return DONE

    async def _waiting(self) -> str:
        """The hash of what waits."""
        pool = await self._ledger.chain.call("txpool_content")
        mine: dict[str, dict[str, Any]] = {
            key.lower(): value for key, value in pool["pending"].items()
        }.get(self._ledger.address, {})
        return str(next(iter(mine.values()), {}).get("hash", ""))

    async def _mined(self) -> str:
        """The hash of what a block has."""
        sent = await self._ledger.chain.sent(self._ledger.address, self._block)
        assert len(sent) <= 1, "two with one nonce"
        return str(sent[0]["hash"]) if sent else ""

    async def known(self) -> bool:
        """The daemon's word on what waits, or is in a block, is the node's."""
        there = await self._mined() or await self._waiting()
        found = await self._ledger.intended(self._pending.intent)
        made = [one for one in found if one.hash != self._pending.hash]
        if await self._mined():
            live = [one.hash for one in found if one.status not in WAITING and one.succeeded]
            return live == [there]
        return there == (made[0].hash if made else self._pending.hash)

    async def effects(self) -> int:
        """Replacements that were made: those that wait, or are in a block."""
        return len({await self._waiting(), await self._mined()} - {"", self._pending.hash})

    async def meanwhile(self, random: Random) -> None:
        if random.random() < 0.3:
            await self._ledger.chain.call("anvil_mine", "0x1")

    async def over(self) -> None:
        """Mines: the transfer happened once, or never."""
        ledger = self._ledger
        await ledger.chain.call("anvil_mine", "0x1")
        await ledger.chain.call("evm_setAutomine", True)
        winner = await self._mined()
        got = await ledger.chain.number("eth_getBalance", self._pending.to, "latest")
        paid = self._how == "speed-up" or winner == self._pending.hash
        assert got == (int(AMOUNT * 10**18) if paid else 0)
        for hash in {self._made or winner, self._pending.hash}:
            ended = await ledger.client.chains.get_transaction(NETWORK, hash)
            ended = await included(ledger.client, ended)
            assert ended.succeeded if hash == winner else ended.status.name == "REPLACED", ended
        assert not await ledger.chain.waiting(ledger.address)
