"""The demo: starts a sandbox of its own, lets the bot trade in it, and shows what it earned.

    python -m examples.demo

Ends with 0 only if the bot earned and the books add up. The daemon may be killed while it runs: it
is started again, and the bot goes on.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import cambist
from cambist import DaemonState, Health
from examples.arbitrage import Result, arbitrage
from examples.placing import GaveUp
from examples.planning import Settings
from examples.report import show

FOLDER = Path(".cambist/demo")
# A unix socket's path has room for 107 bytes.
LONGEST_SOCKET = 107
# Seconds for the chains to start, and for the daemon to stop.
START = 120.0
STOP = 30.0


class Sandbox:
    """A `cambistd` with a data directory of its own, started again when it dies."""

    def __init__(self, data_dir: Path, seed: int) -> None:
        self._data_dir = data_dir
        self._seed = seed
        self._process: asyncio.subprocess.Process | None = None
        self.connect = f"unix://{data_dir / 'cambist.sock'}"
        self.log = data_dir / "daemon.log"

    async def start(self) -> None:
        """Starts the process."""
        command = ["-m", "daemon.cli.cambistd", "run", "--profile", "sandbox", "--tcp", "off"]
        command += ["--data-dir", str(self._data_dir), "--seed", str(self._seed)]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *command, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        if self._process is None:
            raise RuntimeError("it does not run")
        return self._process.pid

    async def keep_running(self) -> None:
        """Until it is cancelled."""
        failures = 0
        while self._process is not None:
            code = await self._process.wait()
            failures = failures + 1 if code > 0 else 0
            if failures > 3:
                raise RuntimeError(f"the daemon does not start:\n{self.last_words()}")
            print(f"the daemon ended ({code}): starting it again", flush=True)
            await self.start()

    async def stop(self) -> None:
        """Ends it in order."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


async def ready(connect: str, settings: Settings) -> None:
    """Waits until the venues and accounts that the bot needs are ready; says what is missing."""
    needed = {
        ("venue", settings.exchange),
        ("venue", settings.pool_venue),
        ("account", f"{settings.account}@{settings.exchange}"),
        ("account", f"{settings.wallet}@{settings.pool_venue}"),
    }
    said = ""
    async with asyncio.timeout(START), cambist.connect(connect, wait=START) as client:
        async for status in client.system.status():
            parts = {(part.kind, part.id): part.condition for part in status.components}
            missing = sorted(
                id_
                for kind, id_ in needed
                if (kind, id_) not in parts or parts[kind, id_].health is not Health.READY
            )
            if not missing:
                return
            words = f"waiting for {', '.join(missing)}"
            if words != said:
                print(words, flush=True)
                said = words
            if status.state is DaemonState.STOPPING:
                raise RuntimeError("the daemon is stopping")


def new_folder() -> Path:
    """Where this run keeps its things."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=FOLDER.absolute()))
    if len(str(folder / "cambist.sock")) > LONGEST_SOCKET:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="cambist-demo-"))
    return folder


@asynccontextmanager
async def sandbox(arguments: argparse.Namespace) -> AsyncIterator[tuple[str, Path]]:
    """A connect string and a folder: of a daemon of our own, or of the given one."""
    folder = new_folder()
    try:
        if arguments.connect:
            yield arguments.connect, folder
            return
        daemon = Sandbox(folder, arguments.seed)
        print(f"starting a sandbox in {folder}", flush=True)
        await daemon.start()
        keeper = asyncio.create_task(daemon.keep_running())
        try:
            yield daemon.connect, folder
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            await daemon.stop()
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


async def run(arguments: argparse.Namespace) -> Result:
    """The whole demo."""
    settings = Settings(pace=arguments.pace)
    async with sandbox(arguments) as (connect, folder):
        await ready(connect, settings)
        return await arbitrage(
            connect, folder / "notebook.json", settings, lambda words: print(words, flush=True)
        )


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo", description="Start a sandbox, let a bot trade, show it."
    )
    parser.add_argument("--connect", help="use this running sandbox instead of an own one")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated market")
    parser.add_argument("--pace", type=float, default=0.2, help="seconds between steps")
    parser.add_argument("--keep", action="store_true", help="keep the data directory")
    arguments = parser.parse_args()
    try:
        result = asyncio.run(run(arguments))
    except KeyboardInterrupt:
        return 130
    except (cambist.Error, GaveUp, RuntimeError, TimeoutError) as error:
        print(f"error: {str(error) or 'the sandbox is not ready in time'}", file=sys.stderr)
        return 1
    print()
    show(result)
    return 0 if result.earned > 0 and result.account.exact else 1


if __name__ == "__main__":
    sys.exit(main())
