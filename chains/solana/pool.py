"""Several RPC nodes of one cluster that behave as one that is always there.

Reads go to the best node and fail over; transactions go to all. Questions that belong together (is
this transaction dead?) are put to one node, since another may lag behind it.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import aiohttp
import msgspec

from chains.nodes import Node, NodeError, NodeTrouble, post
from chains.solana.wire import Valued
from core.clock import Clock
from core.errors import CambistError, Reason

T = TypeVar("T")
Params = list[Any]

MAX_LAG = 40  # slots behind the best node before a node is used last
_IN_FLIGHT = 64
# Errors that speak of the node and not of the request: another node may well answer.
# https://github.com/anza-xyz/agave (rpc-client-api, custom_error.rs)
_NODE_ERRORS = {-32001, -32004, -32005, -32011, -32014, -32016, -32601, -32603, -32429, 429}


class Asker:
    """One node for the length of a conversation."""

    def __init__(self, pool: "RpcPool", node: Node) -> None:
        self._pool = pool
        self._node = node

    async def call(self, method: str, params: Params, type: type[T] | Any) -> T:
        """One answer. NodeError if the node says no to the request, NodeTrouble if the node is at
        fault: then another may be asked."""
        answer = await self._pool.ask(self._node, method, params)
        try:
            value: T = msgspec.convert(answer, type)
        except msgspec.ValidationError as error:
            raise NodeTrouble(f"an answer to {method} that is none: {error}"[:200]) from error
        if isinstance(value, Valued):
            self._node.head = max(self._node.head, value.context.slot)
        return value


class RpcPool:
    """Start-up needs no network: nodes are met on use. `genesis` is the cluster's genesis hash,
    which every node must have; "" leaves it unchecked."""

    def __init__(
        self,
        urls: Sequence[str],
        clock: Clock,
        genesis: str = "",
        timeout: float = 10.0,  # float: seconds for aiohttp
    ) -> None:
        self.nodes = [Node(url) for url in urls]
        self._clock = clock
        self._genesis = genesis
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(_IN_FLIGHT)

    async def close(self) -> None:
        """Ends all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, params: Params, type: type[T] | Any) -> T:
        """One answer, from whichever node gives it. NodeError if a node says no to the request,
        CambistError with NODE_UNAVAILABLE if none answers."""
        return await self.with_one(lambda asker: asker.call(method, params, type))

    async def with_one(self, conversation: Callable[[Asker], Awaitable[T]]) -> T:
        """A conversation with one node; with the next from its beginning if that one fails."""
        for node in self._order():
            try:
                return await conversation(Asker(self, node))
            except NodeTrouble as trouble:
                node.failed(trouble, self._clock.monotonic())
        raise self._unavailable()

    async def broadcast(self, raw: bytes) -> str:
        """Sends a transaction to every node. "" once one has taken it, else what they said, which
        proves nothing: a node may say no to what another has let in."""
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        params = [base64.b64encode(raw).decode(), options]
        answers = await asyncio.gather(*(self._tell(node, params) for node in self.nodes))
        return "" if "" in answers else "; ".join(answers)[:300]

    async def ask(self, node: Node, method: str, params: Params) -> Any:
        """A node's answer, once it has shown that it is of this cluster."""
        if self._genesis and not node.verified:
            found = await self._post(node, "getGenesisHash", [])
            if found != self._genesis:
                raise NodeTrouble(f"is of another cluster: its genesis hash is {found}"[:200])
            node.verified = True
        answer = await self._post(node, method, params)
        node.succeeded()
        return answer

    async def _tell(self, node: Node, params: Params) -> str:
        try:
            await self.ask(node, "sendTransaction", params)
        except NodeTrouble as trouble:
            node.failed(trouble, self._clock.monotonic())
            return f"{node.label}: {trouble}"
        except NodeError as error:
            return f"{node.label}: {error.text}"
        return ""

    async def _post(self, node: Node, method: str, params: Params) -> Any:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_IN_FLIGHT, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector)
        async with self._slots:
            answer = (await post(self._session, node, [(method, params)], self._timeout))[0]
        if isinstance(answer, NodeError):
            if answer.code in _NODE_ERRORS:
                raise NodeTrouble(f"error {answer.code}: {answer.text}"[:200])
            raise answer
        return answer

    def _order(self) -> list[Node]:
        now = self._clock.monotonic()
        best = max((node.head for node in self.nodes), default=0)

        def rank(node: Node) -> tuple[bool, bool, int]:
            return node.paused_until > now, best - node.head > MAX_LAG, node.failures

        able = [n for n in self.nodes if not (n.throttled and n.paused_until > now)]
        return sorted(able, key=rank)

    def _unavailable(self) -> CambistError:
        troubles = "; ".join(f"{node.label}: {node.trouble}" for node in self.nodes if node.trouble)
        now = self._clock.monotonic()
        waits = [node.paused_until - now for node in self.nodes if node.paused_until > now]
        return CambistError(
            Reason.NODE_UNAVAILABLE,
            f"no RPC node of the Solana cluster answers ({troubles or 'none is configured'}); check"
            " the network's urls in the configuration",
            {"nodes": troubles[:1000]},
            retry_after=min(waits) if waits else None,
        )
