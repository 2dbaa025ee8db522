"""One call: its deadline, and what is sent again.

A call is repeated, with the very same message and so with the same `request_id`, while the daemon
cannot be reached or says that it is starting, stopping or reconciling. The daemon gives one effect
and one answer to a `request_id`, so that killing and restarting it in the middle does no harm. What
a venue or a rule answers is never repeated here: that is for the bot to judge by `Error.retryable`.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, TypeVar

import grpc

from cambist import errors

if TYPE_CHECKING:
    from google.protobuf.message import Message

    Q = TypeVar("Q", bound=Message)
    R = TypeVar("R", bound=Message)

# The daemon's own states; they pass by themselves. All are UNAVAILABLE and nothing was done.
PASSING = frozenset({"STARTING_UP", "SHUTTING_DOWN", "ACCOUNT_NOT_RECONCILED"})

# A daemon that comes back is noticed within half a second; a book may hold more than 4 MB at once.
CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 5000),  # for one attempt, on a machine that is busy
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # A connection of its own: else a client that was refused a moment ago has the next one refused.
    ("grpc.use_local_subchannel_pool", 1),
)


class Backoff:
    """Growing pauses with jitter, up to a deadline."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.reset()

    def reset(self) -> None:
        """It went well: start from the shortest pause and the whole patience again."""
        self._next = 0.05
        self._deadline = time.monotonic() + self._patience

    @property
    def remaining(self) -> float:
        """Seconds until patience ends."""
        return self._deadline - time.monotonic()

    async def pause(self, at_least: float = 0.0) -> bool:
        """False, at once, when the pause would end after the deadline."""
        delay = max(at_least, self._next * random.uniform(0.5, 1.0))
        if delay >= self.remaining:
            return False
        await asyncio.sleep(delay)
        self._next = min(self._next * 2, 1.0)
        return True


def passes(error: errors.Error) -> bool:
    """Whether the same call may simply be sent again, see above."""
    return isinstance(error, errors.ConnectionLost) or error.reason in PASSING


class Rpc:
    """The channel to one daemon, and how calls are made on it."""

    def __init__(
        self, channel: grpc.aio.Channel, address: str, timeout: float, patience: float
    ) -> None:
        self.channel = channel
        self.address = address
        self.timeout = timeout
        self.patience = patience
        self.heartbeat = 0.0  # seconds; the longest silence of a stream, once the daemon said it

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        timeout: float | None = None,
    ) -> R:
        """The answer within `timeout` seconds, attempts and pauses together; raises `Error`."""
        backoff = Backoff(self.timeout if timeout is None else timeout)
        request_id: str = getattr(request, "request_id", "")
        while True:
            try:
                return await method(request, timeout=max(backoff.remaining, 0.0))
            except grpc.aio.AioRpcError as failure:
                error = errors.decode(failure, request_id)
            if not passes(error):
                raise error
            delay = error.retry_after.total_seconds() if error.retry_after else 0.0
            if not await backoff.pause(delay):
                raise self._gave_up(error) from error

    def _gave_up(self, error: errors.Error) -> errors.Error:
        if not isinstance(error, errors.ConnectionLost):
            return error
        words = f"the connection to {self.address} broke and the daemon did not come back in time"
        if error.request_id:
            words += f"; repeat the call with request_id={error.request_id!r} to learn its outcome"
        return errors.ConnectionLost(
            words,
            metadata={"address": self.address, "cause": error.message},
            retryable=True,
            code=error.code,
            request_id=error.request_id,
        )
