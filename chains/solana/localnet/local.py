"""The local node as the daemon sees it: start it or find it again, fund wallets, stop it.

local = LocalSolana(directory, lock_file, clock)
url = await local.start(fund=[address])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from chains.localnet.kept import Kept
from chains.nodes import NodeError
from chains.solana.localnet import process
from chains.solana.pool import RpcPool
from core.clock import Clock
from core.errors import CambistError, Reason
from core.tokens import Token

NETWORK = "solana_local"
_PROBE_LIMIT = 3.0  # float: seconds


@dataclass(frozen=True, slots=True)
class _Running:
    port: int
    genesis: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _TestToken(msgspec.Struct):
    symbol: str
    mint: str
    decimals: int


class _Funded(msgspec.Struct):
    funded: list[str]
    tokens: list[_TestToken]


class LocalSolana:
    """A Solana node in a directory of its own. Several daemons have several directories.

    `lock_file` is the file that the daemon holds with flock for as long as it lives: once nobody
    has held it for `grace` seconds, the node ends by itself. Its chain stays on disk.
    """

    def __init__(
        self,
        directory: Path,
        lock_file: Path,
        clock: Clock,
        grace: float = 30.0,  # float: seconds
        slot_milliseconds: int = 400,
    ) -> None:
        self._directory = directory
        self._process = Kept(
            name="the local Solana node",
            module="chains.solana.localnet.process",
            lock=directory / process.LOCK,
            address=directory / process.ADDRESS,
            log=directory / process.LOG,
        )
        self._lock_file = lock_file
        self._clock = clock
        self._grace = grace
        self._slot_milliseconds = slot_milliseconds
        self._tokens: Sequence[Token] = ()

    @property
    def tokens(self) -> Sequence[Token]:
        """The test tokens (USDC with the Token program, T22 with Token-2022); after `start`."""
        return self._tokens

    async def start(self, fund: Sequence[str] = ()) -> str:
        """The node's url, with each address of `fund` given 100 SOL and 10,000 of each test token
        (once in the chain's life). Finds a running node again. Raises CambistError."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        running = self._running()
        if running is None or not await self._answers(running):
            await self.stop()
            await self._launch()
            running = self._running()
        if running is None:
            raise CambistError(Reason.INTERNAL, "the local Solana node ended as it started")
        await self._fund(running, fund)
        return running.url

    async def fund(self, wallet: str) -> None:
        """Gives one more wallet its coins and tokens; nothing if it has had them."""
        await self.start([wallet])

    async def stop(self) -> None:
        """Ends the node and waits for it. Nothing if it does not run."""
        await self._process.end()

    async def _fund(self, running: _Running, addresses: Sequence[str]) -> None:
        pool = RpcPool([running.url], self._clock, running.genesis)
        try:
            answer: _Funded = await pool.call("cambist_fund", [list(addresses)], _Funded)
        except NodeError as error:
            message = f"the local Solana node does not fund {', '.join(addresses)}: {error.text}"
            raise CambistError(Reason.FIELD_INVALID, message) from None
        finally:
            await pool.close()
        self._tokens = [
            Token(NETWORK, token.mint, token.symbol, token.decimals, f"Test {token.symbol}")
            for token in answer.tokens
        ]

    async def _answers(self, running: _Running) -> bool:
        """Whether the node there is the one of this directory, and well."""
        pool = RpcPool([running.url], self._clock, running.genesis, _PROBE_LIMIT)
        try:
            health: str = await pool.call("getHealth", [], str)
        except CambistError:
            return False
        finally:
            await pool.close()
        return health == "ok"

    async def _launch(self) -> None:
        arguments = ["--directory", str(self._directory), "--lock-file", str(self._lock_file)]
        arguments += ["--grace", str(self._grace)]
        await self._process.start([*arguments, "--slot-milliseconds", str(self._slot_milliseconds)])

    def _running(self) -> _Running | None:
        """The node that lives; None also while it starts or ends."""
        wire = self._process.where()
        try:
            return None if wire is None else _Running(int(wire["port"]), str(wire["genesis"]))
        except (ValueError, KeyError, TypeError):
            return None
