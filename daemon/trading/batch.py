"""New orders that wait for each other and leave together, each journaled and judged by itself."""

import asyncio
from collections.abc import Awaitable, Callable

from core.errors import CambistError
from core.orders import OrderReport, OrderRequest
from core.ports import Batching

Send = Callable[[OrderRequest], Awaitable[OrderReport]]


class Batch:
    """So many members, numbered in their order. Each either comes to be sent or leaves; when the
    last has done one of these, all that came are sent."""

    def __init__(self, account: Batching, members: int) -> None:
        self._account = account
        self._awaited = set(range(members))
        self._came: dict[int, tuple[OrderRequest, asyncio.Future[OrderReport]]] = {}
        self._task: asyncio.Task[None] | None = None

    def send(self, number: int) -> Send:
        """What a member calls in place of core.ports.Account.place."""

        async def wait(request: OrderRequest) -> OrderReport:
            answer: asyncio.Future[OrderReport] = asyncio.get_running_loop().create_future()
            self._came[number] = request, answer
            self.leave(number)
            return await answer

        return wait

    def leave(self, number: int) -> None:
        """A member is no longer waited for."""
        self._awaited.discard(number)
        if not self._awaited and self._task is None and self._came:
            self._task = asyncio.create_task(self._send(), name="batch of orders")

    async def _send(self) -> None:
        came = [self._came[number] for number in sorted(self._came)]
        try:
            found = await self._account.place_many([request for request, _ in came])
            results = list(zip(came, found, strict=True))
        except Exception as error:  # noqa: BLE001 - each member judges it as one of its own
            for _, answer in came:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), result in results:
            if answer.done():
                continue  # who waited was cancelled
            if isinstance(result, CambistError):
                answer.set_exception(result)
            else:
                answer.set_result(result)
