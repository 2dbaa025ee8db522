"""What the services share."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from cambist.convert import decode, optional_text
from cambist.fees import FeeOptions
from cambist.pages import Pages
from cambist.v1 import chains_pb2

if TYPE_CHECKING:
    import grpc.aio
    from google.protobuf.message import Message

    from cambist.convert import Amount
    from cambist.rpc import Rpc
    from cambist.types import FeeStrategy

    Q = TypeVar("Q", bound=Message)
    R = TypeVar("R", bound=Message)

T = TypeVar("T")


class Service:
    """Calls of one service on one connection."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def _pages(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        field: str,
        cls: type[T],
    ) -> Pages[T]:
        """The elements in `field` of all pages, as `cls`."""

        async def fetch(token: str) -> tuple[list[T], str]:
            page: Any = type(request)()
            page.CopyFrom(request)
            page.page_token = token
            response: Any = await self._rpc.call(method, page)
            return [
                decode(cls, item) for item in getattr(response, field)
            ], response.next_page_token

        return Pages(fetch)


def new_request_id(given: str | None) -> str:
    """The given id, or a new one that nobody else has."""
    return given or str(uuid.uuid4())


def fee_options(
    strategy: FeeStrategy | FeeOptions | None, max_fee: Amount | None
) -> chains_pb2.FeeOptions | None:
    """None when the daemon's configuration decides everything."""
    if strategy is None and max_fee is None:
        return None
    options = strategy if isinstance(strategy, FeeOptions) else FeeOptions(strategy)
    named, route = options.strategy, options.route
    return chains_pb2.FeeOptions(
        strategy=chains_pb2.FeeStrategy.ValueType(named.value) if named else None,
        max_fee=optional_text(options.max_fee if max_fee is None else max_fee),
        unit_price=optional_text(options.unit_price),
        priority_price=optional_text(options.priority_price),
        route=chains_pb2.Route.ValueType(route.value if route else 0),
    )
