"""Several RPC nodes of one cluster that behave as one that is always there.

Reads go to the best node and fail over, to a second one also when it is slow; transactions go to
all. Questions that belong together are put to one node, since another may lag behind it; what is
only true if no node says otherwise (is this transaction unknown?) is asked of all.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import aiohttp
import msgspec

from chains.budget import Budget
from chains.nodes import THROTTLED, Node, NodeError, NodeTrouble, post, strangers
from chains.racing import OFTEN_OUTRUN, patience, race
from chains.solana import reasons
from chains.solana.wire import EpochInfo, Valued
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason

T = TypeVar("T")
Params = list[Any]

MAX_LAG = 40  # slots behind the best node before a node is used last
_IN_FLIGHT = 64
_SEND = "sendTransaction"
_PROBE_LIMIT = 3.0  # float: seconds
# Errors that speak of the node and not of the request: another node may well answer.
# https://github.com/anza-xyz/agave (rpc-client-api, custom_error.rs); 401 and 403 are how hosts of
# nodes answer who may not ask them this.
_NODE_ERRORS = {
    *(-32001, -32004, -32005, -32009, -32010, -32011, -32014, -32016, -32019),
    *(-32601, -32603, -32429, 401, 403, 429),
}


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

    async def listed(
        self, method: str, asked: Sequence[str], options: dict[str, Any], type: type[T]
    ) -> Valued[list[T | None]]:
        """An answer for each of what is asked for, in order."""
        shape = Valued[list[type | None]]  # type: ignore[valid-type]
        answer: Valued[list[T | None]] = await self.call(method, [list(asked), options], shape)
        if len(answer.value) != len(asked):
            raise NodeTrouble(f"{len(answer.value)} answers to {len(asked)} questions of {method}")
        return answer


class RpcPool:
    """Start-up needs no network: nodes are met on use. `genesis` is the cluster's genesis hash,
    which every node must have; "" leaves it unchecked."""

    def __init__(
        self,
        urls: Sequence[str],
        clock: Clock,
        genesis: str = "",
        timeout: float = 10.0,  # float: seconds for aiohttp
        quorum: int = 1,
        rate: int = 0,  # requests a second to each node; 0: no limit
    ) -> None:
        self.nodes = [Node(url) for url in urls]
        self.quorum = quorum
        self.height = 0  # that the nodes agreed on when they were last probed
        self.slot = 0
        self.genesis = genesis
        self.hedging = True  # whether a second node is asked when the first is slow
        self._clock = clock
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._budgets = {id(node): Budget(rate, clock) for node in self.nodes}

    @property
    def strangers(self) -> list[str]:
        """See chains.nodes."""
        return strangers(self.nodes)

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
        """A conversation with one node; with the next from its beginning if that one fails or
        takes unusually long. It only asks: two nodes may be asked the same."""
        return await race(
            self._order(),
            lambda node: self._talk(node, conversation),
            lambda node, answer: True,
            lambda node: patience(node, self._timeout) if self.hedging else None,
            self._unavailable,
        )

    async def with_all(self, conversation: Callable[[Asker], Awaitable[T]]) -> list[T]:
        """A conversation with every node at once: what those say that answer, best node first.
        NODE_UNAVAILABLE if none does."""
        results = await asyncio.gather(
            *(self._talk(node, conversation) for node in self._order()), return_exceptions=True
        )
        answers: list[T] = []
        for result in results:
            if isinstance(result, NodeTrouble | NodeError):
                continue
            if isinstance(result, BaseException):
                raise result
            answers.append(result)
        if not answers:
            raise self._unavailable()
        return answers

    async def agreed(self, conversation: Callable[[Asker], Awaitable[list[T]]]) -> list[T]:
        """Where a quorum is asked for, what so many nodes say alike in each place of their lists;
        else what one says. NODE_UNAVAILABLE where they do not agree, or too few answer."""
        if self.quorum <= 1:
            return await self.with_one(conversation)
        rows = await self.with_all(conversation)
        found: list[T] = []
        for column in zip(*rows, strict=True):
            votes = [sum(one == other for other in column) for one in column]
            most = max(votes)
            if most < self.quorum:
                raise CambistError(
                    Reason.NODE_UNAVAILABLE,
                    f"at most {most} Solana nodes say the same, and {self.quorum} must; ask again,"
                    " as one may lag for a moment",
                    {"nodes": ", ".join(node.label for node in self.nodes)},
                    retry_after=SECOND,
                )
            found.append(column[votes.index(most)])
        return found

    async def probe(self) -> None:
        """Looks how far each node is: `height` and `slot` become what at least half of those that
        answer have reached, so that one that lies or races ahead is not believed."""
        now = self._clock.monotonic()

        async def look(node: Node) -> EpochInfo | None:
            try:
                asker = Asker(self, node)
                async with asyncio.timeout(min(self._timeout, _PROBE_LIMIT)):
                    found: EpochInfo = await asker.call(
                        "getEpochInfo", [{"commitment": "confirmed"}], EpochInfo
                    )
            except (NodeTrouble, NodeError, TimeoutError) as error:
                trouble = error if isinstance(error, NodeTrouble) else NodeTrouble(_words(error))
                node.failed(trouble, self._clock.monotonic())
                return None
            node.head = found.absolute_slot
            return found

        awake = [node for node in self.nodes if node.paused_until <= now] or self.nodes
        found = [one for one in await asyncio.gather(*map(look, awake)) if one is not None]
        if not found:
            raise self._unavailable()
        self.height = _common([one.block_height for one in found])
        self.slot = _common([one.absolute_slot for one in found])

    async def broadcast(self, raw: bytes) -> str:
        """Sends a transaction to every node. "" once one has taken it, else what they said, which
        proves nothing: a node may say no to what another has let in."""
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        params = [base64.b64encode(raw).decode(), options]
        answers = await asyncio.gather(*(self._tell(node, params) for node in self.nodes))
        return "" if "" in answers else "; ".join(answers)[:300]

    async def ask(self, node: Node, method: str, params: Params) -> Any:
        """A node's answer, once it has shown that it is of this cluster."""
        if self.genesis and not node.verified:
            found = await self._post(node, "getGenesisHash", [])
            if found != self.genesis:
                node.stranger = f"is of another cluster: its genesis hash is {found}"[:200]
                raise NodeTrouble(node.stranger)
            node.verified, node.stranger = True, ""
        asked = self._clock.monotonic()
        answer = await self._post(node, method, params)
        node.succeeded(self._clock.monotonic() - asked)
        return answer

    async def _talk(self, node: Node, conversation: Callable[[Asker], Awaitable[T]]) -> T:
        try:
            return await conversation(Asker(self, node))
        except NodeTrouble as trouble:
            node.failed(trouble, self._clock.monotonic())
            raise

    async def _tell(self, node: Node, params: Params) -> str:
        try:
            await self.ask(node, _SEND, params)
        except NodeTrouble as trouble:
            node.failed(trouble, self._clock.monotonic())
            return f"{node.label}: {trouble}"
        except NodeError as error:
            failed = reasons.preflight(error.data)
            return f"{node.label}: {reasons.explain(*failed) if failed else error.text}"
        return ""

    async def _post(self, node: Node, method: str, params: Params) -> Any:
        await self._budgets[id(node)].spend(1, method == _SEND, self._timeout)
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_IN_FLIGHT, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector)
        async with self._slots:
            answer = (await post(self._session, node, [(method, params)], self._timeout))[0]
        if isinstance(answer, NodeError):
            throttled = answer.code in (429, -32429) or answer.is_throttling
            if throttled or answer.code in _NODE_ERRORS:
                text = f"error {answer.code}: {answer.text}"[:200]
                raise NodeTrouble(text, THROTTLED if throttled else None)
            raise answer
        return answer

    def _order(self) -> list[Node]:
        """Nodes to try, best first. Throttled ones are left out until their time has come; nodes
        that merely failed are tried last, since there may be no better."""
        now = self._clock.monotonic()
        best = max((node.head for node in self.nodes), default=0)

        def rank(node: Node) -> tuple[bool, bool, bool, int]:
            slow = node.outrun if node.outrun >= OFTEN_OUTRUN else 0
            spent = self._budgets[id(node)].is_spent
            lags = best - node.head > MAX_LAG
            return node.paused_until > now, lags, spent, node.failures + slow

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


def _common(values: Sequence[int]) -> int:
    """The highest that at least half have reached."""
    return sorted(values)[(len(values) - 1) // 2]


def _words(error: Exception) -> str:
    return str(error)[:200] or "no answer in time"
