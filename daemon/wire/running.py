"""The calls of one connection from when they are whole: their turn, their handler, their end.

A call is over when the client has its end, or has gone, or has waited long enough. It counts as the
client's until its handler has ended too.
"""

import asyncio
from collections import deque
from typing import Protocol

import structlog

from daemon.wire import frames as f
from daemon.wire import headers as h
from daemon.wire.call import Call, CallFailed, Dialogue, Status, Unary
from daemon.wire.frames import Code
from daemon.wire.messages import TooLarge, message_in
from daemon.wire.sending import Sending

_REMEMBERED_RESETS = 200
_LONGEST_TIMEOUT = 1e6  # float: seconds; longer is as good as none

log = structlog.get_logger("wire")


class Host(Protocol):
    """What the calls of all connections have in common."""

    largest: int  # bytes of a message
    held: int  # bytes of requests, of all connections
    most_held: int

    def too_large(self, size: int) -> CallFailed:
        """How a call ends whose message has so many bytes."""
        ...

    def held_too_much(self) -> None:
        """Fails calls until less is held."""
        ...


class Line(Protocol):
    """Where connections wait whose calls are to begin."""

    def enlist(self, running: "Running") -> None:
        """`begin_next` is called when it is this one's turn."""
        ...


class Running:
    """`open` has the calls that the client waits for, by their streams."""

    def __init__(self, host: Host, line: Line, sending: Sending) -> None:
        self._host = host
        self._line = line
        self._sending = sending
        sending.sent = self.finished
        self._loop = asyncio.get_running_loop()
        self.open: dict[int, Call] = {}
        self._lingering: set[Call] = set()  # are over, but not their handlers
        self._ready: deque[Call] = deque()
        self._urgent: deque[Call] = deque()
        self.resets: deque[int] = deque(maxlen=_REMEMBERED_RESETS)  # streams that we ended early
        self.held = 0  # bytes of the client's requests

    @property
    def count(self) -> int:
        return len(self.open) + len(self._lingering)

    def tasks(self) -> list[asyncio.Task[None]]:
        """The handlers that run."""
        calls = (*self.open.values(), *self._lingering)
        return [call.task for call in calls if call.task is not None]

    def add(self, call: Call, timeout: float | None) -> None:  # float: seconds
        """A call that the client has begun."""
        self.open[call.number] = call
        if timeout is not None and timeout < _LONGEST_TIMEOUT:
            call.timer = self._loop.call_later(timeout, self._expire, call)

    def hold(self, call: Call, size: int) -> None:
        """So many bytes more are the client's; this or another call may be over then."""
        call.held += size
        self.held += size
        self._host.held += size
        if self._host.held > self._host.most_held:
            self._host.held_too_much()

    def unhold(self, call: Call, size: int) -> None:
        """So many less."""
        call.held -= size
        self.held -= size
        self._host.held -= size

    def longest(self) -> Call | None:
        """The call of which most was said that nobody has taken: one that has not begun, or a
        dialogue."""
        calls = (c for c in self.open.values() if c.received and c.trailers is None)
        return max(calls, key=lambda call: len(call.received), default=None)

    # -- beginning

    def start(self, call: Call) -> None:
        """Puts a call in line; those that lower risk go first."""
        if not self._ready and not self._urgent:
            self._line.enlist(self)
        (self._urgent if call.endpoint.urgent else self._ready).append(call)

    def begin_next(self) -> bool:
        """Begins the first call in line; whether another waits."""
        while self._urgent or self._ready:
            call = (self._urgent or self._ready).popleft()
            if call.trailers is None:
                call.task = self._loop.create_task(self._run(call))
                break
        return bool(self._urgent or self._ready)

    async def _run(self, call: Call) -> None:
        try:
            if call.trailers is not None:
                return  # over between its turn and this
            call.begun = True
            endpoint = call.endpoint
            if isinstance(endpoint, Dialogue):
                await endpoint.handle(call)
                self.end(call, None)
            elif isinstance(endpoint, Unary):
                answer = await endpoint.handle(self._message(call), call)
                if call.trailers is None:
                    self._sending.answer(call, answer)
            else:
                await endpoint.handle(self._message(call), call)
                self.end(call, None)
        except CallFailed as error:
            self.end(call, error)
        except asyncio.CancelledError:
            self.end(call, CallFailed(Status.CANCELLED, "the call was cancelled"))
            raise
        except BaseException as error:
            if isinstance(error, Exception):
                log.exception("a handler failed", path=call.path)
            self.end(call, CallFailed(Status.INTERNAL, "an internal error"))
            if not isinstance(error, Exception):
                raise
        finally:
            call.task = None
            self._lingering.discard(call)
            self._let_go(call)

    def _message(self, call: Call) -> bytes:
        """The only one of a call."""
        if call.deaf:
            return b""
        try:
            message = message_in(call.received, self._host.largest, call.encoding)
        except TooLarge as error:
            raise self._host.too_large(error.size) from None
        if message is None:
            raise CallFailed(Status.INVALID_ARGUMENT, "the call has no whole message")
        return message

    # -- ending

    def end(self, call: Call, error: CallFailed | None) -> None:
        """The call's status, after what is still to be sent; only the first counts."""
        if call.trailers is not None:
            return
        if error is None:
            self._sending.end(call, h.GOOD)
        elif call.out and error.status in (Status.CANCELLED, Status.DEADLINE_EXCEEDED):
            self._break_off(call)  # nobody waits for the rest, and half a message is none
        else:
            self._sending.end(call, h.ending(error.status, error.message, error.trailers))

    def fail(self, call: Call, status: Status, words: str) -> None:
        """Ends a call from outside."""
        self.end(call, CallFailed(status, words))
        self._let_go_unheard(call)
        self._cancel(call)

    def forget(self, call: Call) -> None:
        """A call whose client has gone."""
        if call.trailers is None:
            call.trailers = b""
        self._leave(call)
        self._cancel(call)

    def finished(self, call: Call) -> None:
        """The last byte is on its way. Tells a client that goes on talking that it need not."""
        if not call.whole:
            self.reset(call.number, Code.NO_ERROR)
        self._leave(call)

    def reset(self, number: int, code: Code) -> None:
        """Ends a stream early."""
        self.resets.append(number)
        self._sending.write(f.reset(number, code))

    def close(self) -> None:
        """Forgets all."""
        for call in list(self.open.values()):
            self.forget(call)

    def _expire(self, call: Call) -> None:
        if call.trailers is not None:  # waits to be read by the client: no longer
            self._break_off(call)
        self.fail(call, Status.DEADLINE_EXCEEDED, "the call took longer than its deadline")

    def _break_off(self, call: Call) -> None:
        call.trailers = b""
        self.reset(call.number, Code.CANCEL)
        self._leave(call)

    def _leave(self, call: Call) -> None:
        """Nobody waits for it any more."""
        if self.open.pop(call.number, None) is None:
            return
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None
        if call.out or call.waiting:
            self._sending.drop(call)
        if call.task is None:
            self._let_go(call)
        else:
            self._let_go_unheard(call)
            self._lingering.add(call)

    def _let_go(self, call: Call) -> None:
        """Nothing of what the client said is kept."""
        call.received = bytearray()
        self.unhold(call, call.held)

    def _let_go_unheard(self, call: Call) -> None:
        """Nothing is kept of it that its handler has not taken."""
        if call.received:
            self.unhold(call, len(call.received))
            call.received = bytearray()

    def _cancel(self, call: Call) -> None:
        # One that has not begun sees by itself that it is over, and would not if it were cancelled.
        if call.task is not None and call.begun:
            call.task.cancel()
