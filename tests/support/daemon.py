"""A real cambistd in a process of its own, to be called, killed and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from cambist.v1 import system_pb2, system_pb2_grpc

READY_SECONDS = 60


class RunningDaemon:
    """A daemon in a data directory. `arguments` go to `cambistd run`, or that of another module."""

    def __init__(
        self, data_dir: Path, arguments: Sequence[str], module: str = "daemon.cli.cambistd"
    ) -> None:
        self._module = module
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None

    @property
    def target(self) -> str:
        """What a gRPC channel connects to."""
        return f"unix:{self.data_dir / 'cambist.sock'}"

    @property
    def connect(self) -> str:
        """What a Cambist client connects to."""
        return f"unix://{self.data_dir / 'cambist.sock'}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Starts it and waits until it answers and nothing in it is still starting."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                "run",
                "--data-dir",
                str(self.data_dir),
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"CAMBIST_HOME": str(self.data_dir.parent)},
            )
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Raises with the end of the daemon's log when it does not get ready in time."""
        process = self._process
        assert process is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                async with grpc.aio.insecure_channel(self.target) as channel:
                    stub = system_pb2_grpc.SystemServiceStub(channel)
                    while process.returncode is None:
                        if await self._ready(stub):
                            return
                        await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        raise AssertionError(f"the daemon is not ready:\n{self.log.read_text()[-4000:]}")

    async def _ready(self, stub: "system_pb2_grpc.SystemServiceAsyncStub") -> bool:
        try:
            # Bounded, so that a daemon that has ended is noticed at once.
            request = system_pb2.GetStatusRequest()
            status = (await stub.GetStatus(request, wait_for_ready=True, timeout=1)).status
        except grpc.aio.AioRpcError:
            return False
        return status.state in (system_pb2.DAEMON_STATE_READY, system_pb2.DAEMON_STATE_DEGRADED)

    async def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def gone(self) -> None:
        """Returns when the process has ended, by whatever."""
        assert self._process is not None
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        process = self._process
        assert process is not None
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Waits until it is gone; the exit code."""
        process = self._process
        assert process is not None
        try:
            async with asyncio.timeout(30):
                return await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(
                f"the daemon does not stop:\n{self.log.read_text()[-4000:]}"
            ) from None


@asynccontextmanager
async def running_daemon(
    directory: Path, *arguments: str, module: str = "daemon.cli.cambistd"
) -> AsyncIterator[RunningDaemon]:
    """A daemon for the length of a test; by default the sandbox without local chains."""
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    daemon = RunningDaemon(directory / "d", arguments or sandbox_arguments(directory), module)
    try:
        await daemon.start()
        yield daemon
    finally:
        await daemon.stop()


def sandbox_arguments(
    directory: Path, evm: bool = False, solana: bool = False, security: str = "auto"
) -> list[str]:
    """Arguments for a sandbox with only those local chains."""
    config = directory / "cambist.toml"
    directory.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f"[sandbox]\nevm = {str(evm).lower()}\nsolana = {str(solana).lower()}\n"
        f'[server]\nsecurity = "{security}"\n'
    )
    return ["--profile", "sandbox", "--config", str(config), "--tcp", "off"]
