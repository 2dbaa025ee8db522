"""Keeps anvil alive while a daemon is, and for a while after: `python -m chains.localnet.keeper`.

A daemon that is killed must find its chain again, with the transactions that were pending; a chain
that nobody comes back to must end. So anvil runs under this small process, detached from the
daemon, which watches the lock file that the daemon holds. It imports the standard library only.
"""

import argparse
import contextlib
import fcntl
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ADDRESS = "chain.json"  # port, pids and options of the running chain
LOCK = "keeper.lock"  # held by the keeper for as long as it lives
STATE = "state.json"
LOG = "keeper.log"
OUTPUT = "anvil.log"
UNREADABLE = "state.unreadable.json"
_STATE_INTERVAL = 5  # seconds between anvil's dumps
_PATIENCE = 10.0  # float: seconds that anvil gets to start, and to dump its state
_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
_PR_SET_PDEATHSIG = 1


class Asked(Exception):
    """Somebody asked the keeper to end."""


def held(path: Path) -> bool:
    """Whether a process holds the lock file. A shared probe disturbs no holder; where there is
    none it is taken for some microseconds, which a daemon that starts just then must retry."""
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def listening(output: Path) -> int | None:
    """The port that anvil says it took. It must say so itself: a port that was free a moment ago
    may answer by now because another chain took it."""
    found = _LISTENING.search(output.read_text(errors="replace"))
    return int(found[1]) if found else None


def hush(port: int) -> None:
    """Stops anvil's log of every request, which would grow for ever."""
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "anvil_setLoggingEnabled", "params": [False]}
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    finally:
        connection.close()


def die_with_parent() -> None:
    """Asks Linux to end anvil when the keeper is killed; elsewhere its user must."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def launch(anvil: str, directory: Path, options: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Starts anvil and waits until it listens; its port. A state that keeps it from starting is
    set aside, and comes back if it was not to blame."""
    state, aside = directory / STATE, directory / UNREADABLE
    started = attempt(anvil, directory, options)
    if started is None and state.exists():
        state.replace(aside)
        started = attempt(anvil, directory, options)
        if started is None:
            aside.replace(state)
        else:
            say(f"anvil could not read its state; the chain starts anew, {aside} has the old one")
    if started is None:
        raise SystemExit("anvil does not start")
    return started


def attempt(
    anvil: str, directory: Path, options: list[str]
) -> tuple[subprocess.Popen[bytes], int] | None:
    output = directory / OUTPUT
    command = [anvil, "--host", "127.0.0.1", "--port", "0", "--state", str(directory / STATE)]
    command += ["--state-interval", str(_STATE_INTERVAL), *options]
    with output.open("wb") as written:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            preexec_fn=die_with_parent,
        )
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        port = listening(output)
        if port is not None:
            hush(port)
            return process, port
        time.sleep(0.002)
    end(process)
    say(output.read_text(errors="replace")[-1000:])
    return None


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def watch(process: subprocess.Popen[bytes], lock_file: Path, grace: float) -> str:  # float: seconds
    """Returns why the chain is to end."""
    alone_since: float | None = None  # float: seconds, monotonic
    while True:
        if process.poll() is not None:
            return f"anvil ended by itself with code {process.returncode}"
        now = time.monotonic()
        if held(lock_file):
            alone_since = None
        elif alone_since is None:
            alone_since = now
        elif now - alone_since >= grace:
            return f"no daemon for {grace} s"
        time.sleep(min(1.0, grace / 4))


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM makes anvil dump its state."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def detach() -> int:
    """Goes on in a process of its own session. The first one waits until `ready`, or the end, and
    tells with its exit code; returns the descriptor that `ready` takes."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        code = 0 if os.read(reader, 1) else 1
        os._exit(code)
    os.close(reader)
    os.setsid()
    return writer


def ready(writer: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(writer, b"1")
    os.close(writer)


def keep(
    anvil: str,
    directory: Path,
    lock_file: Path,
    grace: float,  # float: seconds
    options: list[str],
) -> str:
    """Runs the chain to its end. Returns why it ended."""
    writer = detach()
    own = (directory / LOCK).open("a+b")
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("another keeper has this chain") from None

    def ask(*_: object) -> None:
        raise Asked

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    address = directory / ADDRESS
    process = None
    try:
        process, port = launch(anvil, directory, options)
        wire = {"port": port, "keeper": os.getpid(), "anvil": process.pid, "options": options}
        temporary = address.with_suffix(".new")
        temporary.write_text(json.dumps(wire))
        temporary.replace(address)
        ready(writer)
        why = watch(process, lock_file, grace)
    except Asked:
        why = "asked to end"
    # A second signal must not cut the dump short.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    address.unlink(missing_ok=True)
    if process is not None:
        end(process)
    return why


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chains.localnet.keeper")
    parser.add_argument("--anvil", required=True)
    parser.add_argument("--directory", required=True, type=Path)
    parser.add_argument("--lock-file", required=True, type=Path)
    parser.add_argument("--grace", type=float, default=30.0)  # float: seconds
    given, options = parser.parse_known_args()
    why = keep(given.anvil, given.directory, given.lock_file, given.grace, options)
    say(f"the chain ended: {why}")


if __name__ == "__main__":
    main()
