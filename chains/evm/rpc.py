"""A pool of RPC nodes that behaves as one that is always there.

Reads go to the best node and fail over, to a second one also when it is slow, and to all where a
quorum is asked for; transactions go to all. A node that lags, throttles, times
out or turns out to be of another chain is left alone for a while.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp

from chains.budget import Budget
from chains.evm.broadcast import Outcome, Verdict, outcome, verdict
from chains.evm.codec import hexadecimal, integer
from chains.evm.quorum import elect
from chains.evm.ranking import Ranking
from chains.nodes import THROTTLED, Answer, Node, NodeError, NodeTrouble, post
from chains.racing import patience, race
from core.clock import Clock
from core.errors import CambistError

BATCH_LIMIT = 100  # public endpoints commonly refuse more in one request
_IN_FLIGHT = 64
_SEND = "eth_sendRawTransaction"
_PROBE_TIMEOUT = 3.0  # float: seconds
_BLOCK_HEADS = {"eth_blockNumber", "eth_getBlockByNumber"}

Request = tuple[str, list[Any]]


class RpcPool:
    """JSON-RPC over several nodes of one chain. Start-up needs no network: nodes are met on use."""

    def __init__(
        self,
        urls: Sequence[str],
        chain_id: int,
        clock: Clock,
        timeout: float = 10.0,  # float: seconds for aiohttp
        network: str = "",
        private: Sequence[str] = (),
        quorum: int = 1,
        rate: int = 0,  # requests a second to each node; 0: no limit
    ) -> None:
        self.network = network or f"chain {chain_id}"
        self.nodes = [Node(url) for url in urls]
        self.private = [Node(url) for url in private]
        self.quorum = quorum
        self.hedging = True  # whether a second node is asked when the first is slow
        self.chain_id = chain_id
        self._clock = clock
        self._timeout = timeout
        self._budgets = {id(one): Budget(rate, clock) for one in (*self.nodes, *self.private)}
        self.ranking = Ranking(self.nodes, self._budgets, clock)
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._stragglers: set[asyncio.Task[Answer | NodeTrouble]] = set()

    async def close(self) -> None:
        for task in self._stragglers:
            task.cancel()
        await asyncio.gather(*self._stragglers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, params: list[Any]) -> Any:
        """One answer. Raises NodeError for a node's own error, CambistError with NODE_UNAVAILABLE
        when no node answers."""
        answer = (await self.batch([(method, params)]))[0]
        if isinstance(answer, NodeError):
            raise answer
        return answer

    async def batch(self, calls: Sequence[Request]) -> list[Answer]:
        """Several answers in one round trip, in order, a NodeError where the node refused one."""
        answers: list[Answer] = []
        for start in range(0, len(calls), BATCH_LIMIT):
            answers += await self._anywhere(list(calls[start : start + BATCH_LIMIT]))
        return answers

    async def agreed(self, calls: Sequence[Request]) -> list[Answer]:
        """As `batch`, but where a quorum is asked for, what so many nodes say alike; a Disagreement
        in the place of what they do not agree on. NODE_UNAVAILABLE if too few answer."""
        if self.quorum <= 1 or not calls:
            return await self.batch(calls)
        rows = await self.ask_all(calls)
        if len(rows) < self.quorum:
            raise self._unavailable()
        return [elect(column, self.quorum) for column in zip(*rows, strict=True)]

    async def ask_all(
        self,
        calls: Sequence[Request],
        timeout: float | None = None,  # float: seconds
        only_well: bool = False,
    ) -> list[list[Answer]]:
        """The answers of every node that gives them in time, or of those that have not failed of
        late where there are any; NODE_UNAVAILABLE if none does."""
        nodes = self.ranking.well() if only_well else self.ranking.order()
        results = await asyncio.gather(
            *(self._ask(node, list(calls), timeout) for node in nodes),
            return_exceptions=True,
        )
        answers = [result for result in results if isinstance(result, list)]
        for result in results:
            if not isinstance(result, (list, NodeTrouble)):
                raise result
        if not answers:
            raise self._unavailable()
        return answers

    async def is_plausible(self, number: int) -> bool:
        """Whether a head may be as high as `number`."""
        if number <= self.ranking.highest or len(self.nodes) < 2:
            return True
        try:
            await self.ask_all([("eth_blockNumber", [])], _PROBE_TIMEOUT)
        except CambistError:
            return False
        return number <= self.ranking.highest

    async def broadcast(self, raw: bytes, private: bool = False) -> Outcome:
        """Sends a raw transaction to every node, whatever is thought of it, or to every private one
        and to nobody else; returns as soon as one has taken it, while the rest are still being
        told. Never raises."""
        tell, nodes = (self._whisper, self.private) if private else (self._tell, self.nodes)
        tasks = [asyncio.create_task(tell(node, raw)) for node in nodes]
        self._stragglers.update(tasks)
        for task in tasks:
            task.add_done_callback(self._stragglers.discard)
        answers: list[Answer | NodeTrouble] = []
        for done in asyncio.as_completed(tasks):
            answers.append(await done)
            if verdict(answers[-1]) is Verdict.ACCEPTED:
                break
        return outcome(answers)

    async def _tell(self, node: Node, raw: bytes) -> Answer | NodeTrouble:
        try:
            return (await self._ask(node, [_send(raw)], None))[0]
        except NodeTrouble as trouble:
            return trouble

    async def _whisper(self, node: Node, raw: bytes) -> Answer | NodeTrouble:
        """To a private node, which need not answer anything else, such as for its chain id. The
        chain id is in what is signed: on another chain it means nothing."""
        try:
            answer = (await self._post(node, [_send(raw)], self._timeout))[0]
        except NodeTrouble as trouble:
            node.failed(trouble, self._clock.monotonic())
            return trouble
        node.succeeded()
        return answer

    async def _anywhere(self, calls: list[Request]) -> list[Answer]:
        """From the best node that answers; a second one is asked as well when it takes long."""
        return await race(
            self.ranking.order(),
            lambda node: self._ask(node, calls, None),
            self._good,
            lambda node: patience(node, self._timeout) if self.hedging else None,
            self._unavailable,
        )

    def _good(self, node: Node, answers: list[Answer]) -> bool:
        """Whether answers speak of the request and not of the node."""
        errors = [answer for answer in answers if isinstance(answer, NodeError)]
        if any(error.is_throttling for error in errors):
            node.failed(NodeTrouble("too many requests", THROTTLED), self._clock.monotonic())
        return not any(error.is_node_trouble for error in errors)

    async def _ask(
        self,
        node: Node,
        calls: list[Request],
        timeout: float | None,  # float: seconds
    ) -> list[Answer]:
        limit = timeout or self._timeout  # float: seconds
        asked = self._clock.monotonic()
        try:
            answers = await self._verified(node, calls, limit)
        except NodeTrouble as trouble:
            node.failed(trouble, self._clock.monotonic())
            raise
        node.succeeded(self._clock.monotonic() - asked)
        for (method, params), answer in zip(calls, answers, strict=True):
            if method in _BLOCK_HEADS:
                _note_head(node, params, answer)
        return answers

    async def _verified(
        self,
        node: Node,
        calls: list[Request],
        limit: float,  # float: seconds
    ) -> list[Answer]:
        """Asks, and on the first acquaintance with a node asks for its chain id as well."""
        if node.verified:
            return await self._post(node, calls, limit)
        chain, *answers = await self._post(node, [("eth_chainId", []), *calls], limit)
        if isinstance(chain, NodeError):
            raise NodeTrouble(f"no chain id: {chain.text}"[:200])
        try:
            found = integer(chain)
        except ValueError as error:
            raise NodeTrouble(f"no chain id: {error}") from error
        if found != self.chain_id:
            node.stranger = f"is on chain {found}, not {self.chain_id}"
            raise NodeTrouble(node.stranger)
        node.verified, node.stranger = True, ""
        return answers

    async def _post(
        self,
        node: Node,
        calls: list[Request],
        limit: float,  # float: seconds
    ) -> list[Answer]:
        urgent = any(method == _SEND for method, _ in calls)
        await self._budgets[id(node)].spend(len(calls), urgent, limit)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_IN_FLIGHT, keepalive_timeout=60)
            )
        async with self._slots:
            if node.takes_batches or len(calls) == 1:
                try:
                    return await post(self._session, node, calls, limit)
                except NodeTrouble as trouble:
                    if len(calls) == 1 or not str(trouble).startswith("batch refused"):
                        raise
                    node.takes_batches = False
            return [(await post(self._session, node, [call], limit))[0] for call in calls]

    def _unavailable(self) -> CambistError:
        return self.ranking.unavailable(self.network)


def _send(raw: bytes) -> Request:
    return _SEND, [hexadecimal(raw)]


def _note_head(node: Node, params: list[Any], answer: Answer) -> None:
    """Remembers how far a node is, when it told; "latest" only, older blocks say nothing."""
    try:
        if isinstance(answer, str):
            node.head = integer(answer)
        elif isinstance(answer, dict) and params[:1] == ["latest"]:
            node.head = integer(answer.get("number"))
    except ValueError:
        return
