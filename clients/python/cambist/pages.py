"""Lists that come in pages."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

from cambist.errors import ProtocolError

T = TypeVar("T")
Fetch = Callable[[str], Awaitable[tuple[list[T], str]]]


class Pages(Generic[T]):
    """All elements of a list, whatever the page size.

    `async for order in c.trading.list_orders()` asks for pages as it goes; `await` gives a list of
    all, `await pages.first(20)` of the first twenty.
    """

    def __init__(self, fetch: Fetch[T]) -> None:
        self._fetch = fetch

    async def __aiter__(self) -> AsyncIterator[T]:
        token, seen = "", {""}
        while True:
            items, token = await self._fetch(token)
            for item in items:
                yield item
            if not token:
                return
            if token in seen:
                raise ProtocolError("the daemon gave a page twice: report this as a bug")
            seen.add(token)

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._all().__await__()

    async def _all(self) -> list[T]:
        return [item async for item in self]

    async def first(self, count: int) -> list[T]:
        """At most `count` elements."""
        items: list[T] = []
        if count <= 0:
            return items
        async for item in self:
            items.append(item)
            if len(items) >= count:
                break
        return items
