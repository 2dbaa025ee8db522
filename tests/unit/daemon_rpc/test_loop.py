"""grpc's wake-ups must not cost a turn of the loop each: they pile up until all stands still."""

import asyncio
import functools
import socket
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from daemon.rpc import loop as made

WAKE_UPS = 200


class PollerCompletionQueue:
    """As grpc's: a byte a turn."""

    def __init__(self, waker: socket.socket) -> None:
        self.waker = waker
        self.turns = 0

    def handle(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waker.recv(1)
        self.turns += 1


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, theirs


async def until_empty(waker: socket.socket) -> None:
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0)
            try:
                waker.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return


def test_many_wake_ups_are_one_turn() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        ours, theirs = pair()
        with ours, theirs:
            queue = PollerCompletionQueue(ours)
            loop.add_reader(ours, functools.partial(queue.handle, loop))
            for _ in range(WAKE_UPS):
                theirs.send(b"1")
            await until_empty(ours)
            loop.remove_reader(ours)
            return queue.turns

    assert made.run(main()) == 1


def test_a_wake_up_after_the_last_is_a_turn_of_its_own() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        ours, theirs = pair()
        with ours, theirs:
            queue = PollerCompletionQueue(ours)
            loop.add_reader(ours, functools.partial(queue.handle, loop))
            for _ in range(3):
                theirs.send(b"11")
                await until_empty(ours)
            loop.remove_reader(ours)
            return queue.turns

    assert made.run(main()) == 3


def test_other_readers_are_left_alone() -> None:
    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        ours, theirs = pair()
        read: list[bytes] = []
        with ours, theirs:
            loop.add_reader(ours, lambda: read.append(ours.recv(1)))
            theirs.send(b"abc")
            await until_empty(ours)
            loop.remove_reader(ours)
        return read

    assert made.run(main()) == [b"a", b"b", b"c"]


def test_grpc_of_this_version_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, grpc wakes the loop in another way: see whether the mend is still needed."""
    seen: list[socket.socket] = []
    together = made.together

    def spy(waker: socket.socket, callback: Callable[[], Any]) -> Callable[[], None]:
        seen.append(waker)
        return together(waker, callback)

    monkeypatch.setattr(made, "together", spy)

    async def main() -> None:
        server = grpc.aio.server()
        await server.start()
        await server.stop(None)

    made.run(main())
    assert len(seen) == 1
