"""The local node as a process of its own: `python -m chains.solana.localnet.process`.

It is detached from the daemon that starts it, so that a killed daemon finds its chain again; and it
ends when no daemon has held the lock file for a while, so that none is left behind for ever.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chains.localnet import keeper
from core.clock import MILLISECOND, SystemClock

if TYPE_CHECKING:
    from chains.solana.localnet.server import Server

ADDRESS = "node.json"  # port, pid and genesis hash of the node that runs, or ran last
LOCK = "node.lock"  # held by the node for as long as it lives
LOG = "node.log"
_LOOK_INTERVAL = 1.0  # float: seconds between looks at the daemon's lock


async def _run(given: argparse.Namespace, writer: int) -> str:
    # Imported here, behind the fork: these libraries may start threads.
    from chains.solana.localnet import genesis
    from chains.solana.localnet.chain import Chain
    from chains.solana.localnet.server import Server

    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    directory: Path = given.directory
    chain = Chain(directory, SystemClock(), given.slot_milliseconds * MILLISECOND)
    genesis.create(chain)
    server = Server(chain)
    try:
        await _listen(server, _last_port(directory))
        wire = {"port": server.port, "pid": os.getpid(), "genesis": str(chain.genesis)}
        temporary = directory / f"{ADDRESS}.new"
        temporary.write_text(json.dumps(wire))
        temporary.replace(directory / ADDRESS)
        keeper.ready(writer)
        return await _watch(asked, given.lock_file, given.grace)
    finally:
        await server.stop()
        chain.close()


async def _listen(server: "Server", port: int) -> None:
    """On the port of last time where it is free: clients that know it go on."""
    try:
        await server.start(port)
    except OSError:
        await server.start(0)


def _last_port(directory: Path) -> int:
    try:
        port = int(json.loads((directory / ADDRESS).read_text())["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return port if 0 <= port < 1 << 16 else 0


async def _watch(asked: asyncio.Event, lock_file: Path, grace: float) -> str:  # float: seconds
    """Returns why the node is to end."""
    loop = asyncio.get_running_loop()
    last_held = loop.time()
    while True:
        if keeper.held(lock_file):
            last_held = loop.time()
        elif loop.time() - last_held >= grace:
            return f"no daemon for {grace} s"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), min(_LOOK_INTERVAL, grace / 4))
            return "asked to end"


def main() -> None:
    """Returns in the first process once the node answers; the node goes on in a second one."""
    parser = argparse.ArgumentParser(prog="python -m chains.solana.localnet.process")
    parser.add_argument("--directory", required=True, type=Path)
    parser.add_argument("--lock-file", required=True, type=Path)
    parser.add_argument("--grace", type=float, default=30.0)  # float: seconds
    parser.add_argument("--slot-milliseconds", type=int, default=400)
    given = parser.parse_args()
    writer = keeper.detach()
    own = (given.directory / LOCK).open("a+b")
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("another node has this directory") from None
    try:
        why = asyncio.run(_run(given, writer))
    except sqlite3.DatabaseError as error:
        raise SystemExit(
            f"the chain in {given.directory} cannot be used ({error}): move it away to begin a new "
            "one"
        ) from None
    sys.stderr.write(f"the node ended: {why}\n")


if __name__ == "__main__":
    main()
