"""A real `cambistd` with the sandbox profile, in a process and a data directory of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cambist

START = 120.0


@contextmanager
def sandbox_daemon(data_dir: Path) -> Iterator[str]:
    """Its connect string, once all of it is ready."""
    address = f"unix://{data_dir / 'cambist.sock'}"
    command = [sys.executable, "-m", "daemon.cli.cambistd", "run", "--profile", "sandbox"]
    with (data_dir / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--tcp", "off", "--data-dir", str(data_dir)], stdout=log, stderr=log
        )
    try:
        asyncio.run(_ready(address))
        yield address
    finally:
        os.kill(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _ready(address: str) -> None:
    started = time.monotonic()
    async with asyncio.timeout(START), cambist.connect(address, wait=START) as client:
        async for status in client.system.status():
            if status.state is cambist.DaemonState.READY:
                return
            assert time.monotonic() - started < START, status
