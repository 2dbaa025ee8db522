"""The daemon's event loop: uvloop's where there is one, with a mend for grpc.

grpc's thread tells the loop of each finished operation by a byte in a socket, and its reader takes
one byte a turn of the loop, though it handles every operation that is finished by then. When turns
are long and operations many (a busy feed with sixteen subscribers), bytes pile up until the socket
is full; then grpc's thread sleeps until three quarters are read, for some two hundred turns, and
every call of the daemon stands still for a second or two. So the surplus bytes are taken first: all
but one, which the reader takes. Nothing is missed, because the reader looks afterwards.
"""

import asyncio
import functools
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_SURPLUS = 4096  # bytes; more than a socket holds of so small messages
_WAKER = "PollerCompletionQueue"


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs the program; as asyncio.run."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop that takes grpc's wake-ups together."""
    base: Any
    try:
        from uvloop import Loop as base  # noqa: N813
    except ImportError:  # no uvloop on this platform
        if sys.platform == "win32":
            return asyncio.new_event_loop()
        base = asyncio.SelectorEventLoop

    class Loop(base):  # type: ignore[misc]  # either base
        def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> Any:
            if isinstance(fd, socket.socket) and is_waker(callback):
                return super().add_reader(fd, together(fd, callback))
            return super().add_reader(fd, callback, *args)

    loop: asyncio.AbstractEventLoop = Loop()
    return loop


def is_waker(callback: object) -> bool:
    """Whether this is grpc's reader; anything else, and a grpc of another make, is left alone."""
    if not isinstance(callback, functools.partial):
        return False
    return type(getattr(callback.func, "__self__", None)).__name__ == _WAKER


def together(waker: socket.socket, callback: Callable[[], Any]) -> Callable[[], None]:
    """The callback, after the surplus bytes are taken."""

    def read() -> None:
        try:
            waiting = len(waker.recv(_SURPLUS, socket.MSG_PEEK))
        except BlockingIOError:  # a false alarm
            return
        if waiting > 1:
            waker.recv(waiting - 1)
        callback()

    return read
