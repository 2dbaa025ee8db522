"""Transfers on a local Solana chain."""

import itertools
import json
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

import cambist
from chains.solana.localnet import process
from tests.crash.transactions import WAITING, answered, included
from tests.crash.trial import DONE, Intent

NETWORK, WALLET = "solana_local", "trader_solana"
AMOUNT = Decimal("0.01")


class SolanaLedger:
    """The wallet and the chain."""

    def __init__(self, client: cambist.Client, data_dir: Path) -> None:
        self.client = client
        self._address = data_dir / "solana" / process.ADDRESS
        self._session = aiohttp.ClientSession()
        self._numbers = itertools.count(1)
        self.kinds = {"transfer (Solana)": self._transfer}

    async def _transfer(self) -> Intent:
        return SolanaTransfer(self, next(self._numbers))

    async def close(self) -> None:
        """Ends the connection."""
        await self._session.close()

    async def call(self, method: str, *params: Any) -> Any:
        """A node's method."""
        port = json.loads(self._address.read_text())["port"]
        wire = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self._session.post(f"http://127.0.0.1:{port}", json=wire) as response:
            answer = await response.json()
        assert "error" not in answer, answer
        return answer["result"]


class SolanaTransfer:
    """Coins to somebody who has none."""

    def __init__(self, ledger: SolanaLedger, number: int) -> None:
        from solders.keypair import Keypair

        self._ledger = ledger
        self._id = f"solana-{number}"
        self._to = str(Keypair.from_seed(sha256(self._id.encode()).digest()).pubkey())

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
        found = [
            one
            for one in await self._ledger.client.chains.list_transactions(
                network=NETWORK, page_size=5
            ).first(5)
            if one.intent == self._id
        ]
        if any(one.status in WAITING for one in found):
            return False
        return sum(bool(one.succeeded) for one in found) == await self.effects()

    async def effects(self) -> int:
        options = {"commitment": "processed"}
        got = (await self._ledger.call("getBalance", self._to, options))["value"]
        times, rest = divmod(got, int(AMOUNT * 10**9))
        assert not rest
        return int(times)

    async def meanwhile(self, random: Random) -> None:
        return None

    async def over(self) -> None:
        return None
