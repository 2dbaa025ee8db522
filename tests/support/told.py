"""What a stream of a client has told so far, and waiting, with a bound, for what it will tell."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Generic, TypeVar

from cambist import Event, Fill, Order
from cambist.streams import Stream

T = TypeVar("T")
Found = TypeVar("Found")

PATIENCE = 20.0


class Told(Generic[T]):
    """The values of a stream, oldest first. `error` is what ended it."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self.error: BaseException | None = None
        self._news = asyncio.Event()

    async def until(
        self, look: Callable[[Sequence[T]], Found | None], seconds: float = PATIENCE
    ) -> Found:
        """What `look` finds in the values, as soon as that is something (true)."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = look(self.values)
                    if found:
                        return found
                    if self.error is not None:
                        raise self.error
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            last = "\n".join(map(str, self.values[-5:]))
            raise AssertionError(f"not told in {seconds} s; the last of it:\n{last}") from None

    async def read(self, stream: Stream[T] | AsyncGenerator[T, None]) -> None:
        """Reads until cancelled, or until the stream fails."""
        try:
            async with aclosing(stream):
                async for value in stream:
                    self.values.append(value)
                    self._news.set()
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            self.error = error
            self._news.set()


@asynccontextmanager
async def told(stream: Stream[T] | AsyncGenerator[T, None]) -> AsyncIterator[Told[T]]:
    """Reads a stream in the background."""
    values: Told[T] = Told()
    task = asyncio.create_task(values.read(stream))
    try:
        yield values
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def orders(events: Sequence[Event], request_id: str) -> list[Order]:
    """What the log says of the order that a request placed, oldest first."""
    return [one.order for one in events if one.order and one.order.request_id == request_id]


def fills(events: Sequence[Event], client_order_id: str) -> list[Fill]:
    """The fills of an order in the log, oldest first."""
    found = [one.fill for one in events if one.fill]
    return [fill for fill in found if fill.client_order_id == client_order_id]
