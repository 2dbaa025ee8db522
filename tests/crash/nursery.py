"""Forks daemons: `python -m tests.crash.nursery`.

A process that has imported all of cambistd and done nothing with it. Each order on its standard
input makes a child of it, which runs `cambistd run` from its command line on, as a process of its
own. A fork spares the second that importing takes: a crash test starts a daemon a thousand times.

Lines of JSON, in: {"start": ID, "arguments": [...], "environment": {...}, "log": PATH},
{"kill": ID}, {"end": ID}; out: {"ready": true}, {"gone": ID, "code": EXIT CODE}. When its standard
input ends it kills its children and ends.
"""

import contextlib
import gc
import json
import os
import selectors
import signal
import sys
from typing import Any, NoReturn


def load() -> None:
    """Imports what a daemon of any profile needs."""
    import importlib

    for name in (
        "daemon.app", "daemon.cli.cambistd", "daemon.profiles.live", "daemon.profiles.sandbox",
        "cex.paper.live_book", "chains.evm.network", "chains.solana.network",
        "chains.solana.localnet.local", "dex.account", "dex.router", "dex.venue",
        "dex.venues.local", "eth_account", "coincurve",
    ):  # fmt: skip
        importlib.import_module(name)


class Nursery:
    """The children by their ids."""

    def __init__(self) -> None:
        self._pids: dict[int, str] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = os.pipe()
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker)
        self._input = b""

    def run(self) -> None:
        """Until nobody orders any more."""
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        say({"ready": True})
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._woken, 4096)
                elif not self._read():
                    for pid in self._pids:
                        os.kill(pid, signal.SIGKILL)
                    return
            self._reap()

    def _read(self) -> bool:
        more = os.read(0, 65536)
        *lines, self._input = (self._input + more).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(more)

    def _obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            pid = os.fork()
            if not pid:
                self._become(order)
            self._pids[pid] = order["start"]
            return
        for verb, number in (("kill", signal.SIGKILL), ("end", signal.SIGTERM)):
            for pid, id_ in self._pids.items():
                if order.get(verb) == id_:
                    os.kill(pid, number)

    def _become(self, order: dict[str, Any]) -> NoReturn:
        """In the child: a daemon, from here on."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            for end in (self._woken, self._waker):
                os.close(end)
            nothing = os.open(os.devnull, os.O_RDONLY)
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for source, target in ((nothing, 0), (log, 1), (log, 2)):
                os.dup2(source, target)
            os.environ.update(order["environment"])
            sys.argv = ["cambistd", *order["arguments"]]
            from daemon.cli import cambistd

            cambistd.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException:  # noqa: BLE001 - a child must never go on as the nursery
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self._pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            id_ = self._pids.pop(pid, "")
            if id_:
                say({"gone": id_, "code": os.waitstatus_to_exitcode(status)})


def say(message: dict[str, Any]) -> None:
    """To whoever orders."""
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    from tests.crash import steps

    load()
    steps.hook()
    gc.freeze()  # children share what is here; collecting it would copy it
    Nursery().run()
