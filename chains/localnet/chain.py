"""The local chain as the daemon sees it: start it or find it again, fund wallets, stop it.

chain = LocalChain(directory, lock_file, clock)
found = await chain.start(fund=[address])
if isinstance(found, LeftOut): ...   # no anvil here: say what is missing and go on without
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.evm.rpc import RpcPool
from chains.localnet import deploy, deployment, keeper, packages
from chains.localnet.deployment import Deployment
from chains.localnet.kept import Kept
from chains.localnet.packages import LeftOut
from chains.networks import NETWORKS
from core.clock import Clock
from core.errors import CambistError, Reason

_MANIFEST = "deployment.json"


@dataclass(frozen=True, slots=True)
class _Running:
    port: int
    options: list[str]


class LocalChain:
    """anvil with contracts, in a directory of its own. Several daemons have several directories.

    `lock_file` is the file that the daemon holds with flock for as long as it lives: once nobody
    has held it for `grace` seconds, the chain ends by itself, its state on disk. `block_time`
    (seconds) mines at an interval, `mining=False` not at all; by default a block comes with each
    transaction.
    """

    def __init__(
        self,
        directory: Path,
        lock_file: Path,
        clock: Clock,
        block_time: int | None = None,
        mining: bool = True,
        grace: float = 30.0,  # float: seconds
    ) -> None:
        self._directory = directory
        self._process = Kept(
            name="the local chain",
            module="chains.localnet.keeper",
            lock=directory / keeper.LOCK,
            address=directory / keeper.ADDRESS,
            log=directory / keeper.LOG,
            pid="keeper",
        )
        self._lock_file = lock_file
        self._clock = clock
        self._grace = grace
        chain_id = NETWORKS[deployment.NETWORK].info.chain_id
        self._chain_id = chain_id
        self._options = ["--chain-id", str(chain_id)]
        if block_time is not None:
            self._options += ["--block-time", str(block_time)]
        self._mining = mining

    async def start(self, fund: Sequence[str] = ()) -> Deployment | LeftOut:
        """The chain, running, with its contracts, the addresses `fund` funded (once each). Raises
        CambistError if anvil is there and does not work."""
        installed = await asyncio.to_thread(packages.find)
        if isinstance(installed, LeftOut):
            return installed
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        port = await self._port(str(installed.anvil))
        url = f"http://127.0.0.1:{port}"
        rpc = RpcPool([url], self._chain_id, self._clock)
        try:
            path = self._directory / _MANIFEST
            known = deployment.read(path)
            manifest, fresh = await deploy.settle(rpc, installed, known, fund)
            if manifest != known:
                deployment.write(path, manifest)
            if not self._mining:
                await rpc.call("evm_setAutomine", [False])
        finally:
            await rpc.close()
        return Deployment(url, f"ws://127.0.0.1:{port}", manifest.contracts, manifest.funded, fresh)

    async def fund(self, wallet: str) -> None:
        """Gives one more wallet its coins and tokens; nothing if it has had them."""
        await self.start([wallet])

    async def stop(self) -> None:
        """Ends the chain and waits until its state is on disk. Nothing if it does not run."""
        await self._process.end()

    async def _port(self, anvil: str) -> int:
        """The port of the running chain, or of one that is started now."""
        running = self._running()
        if (
            running is None
            or running.options != self._options
            or not await self._answers(running.port)
        ):
            await self.stop()
            await self._launch(anvil)
            running = self._running()
        if running is None:
            raise CambistError(Reason.INTERNAL, "the local chain ended as it started")
        return running.port

    async def _launch(self, anvil: str) -> None:
        arguments = ["--anvil", anvil, "--directory", str(self._directory)]
        arguments += ["--lock-file", str(self._lock_file), "--grace", str(self._grace)]
        await self._process.start([*arguments, *self._options])

    def _running(self) -> _Running | None:
        """The chain that a living keeper keeps; None also while it starts or ends."""
        wire = self._process.where()
        try:
            return None if wire is None else _Running(int(wire["port"]), list(wire["options"]))
        except (ValueError, KeyError, TypeError):
            return None

    async def _answers(self, port: int) -> bool:
        rpc = RpcPool([f"http://127.0.0.1:{port}"], self._chain_id, self._clock, timeout=3.0)
        try:
            await rpc.call("eth_blockNumber", [])
        except CambistError:
            return False
        finally:
            await rpc.close()
        return True
