"""One RPC node: its address, how it has behaved, and how its failures are drawn.

JSON-RPC 2.0 over HTTP: https://www.jsonrpc.org/specification, https://ethereum.github.io/execution-apis
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from core.clock import MILLISECOND, SECOND
from core.errors import CambistError, Reason
from core.steps import stepped

MAX_ANSWER = 64 * 1024 * 1024
_FIRST_PAUSE = 250 * MILLISECOND
_LONGEST_PAUSE = 30 * SECOND
THROTTLED = 2 * SECOND
_LONGEST_RETRY = 600 * SECOND  # whatever a server asks for: then it is tried again

# Error answers that speak of the node and not of the request: another node may well answer.
_NODE_TROUBLE = re.compile(
    r"rate|limit exceeded|too many|capacity|timed? ?out|header not found|unknown block|"
    r"missing trie|state .*not available|pruned|not synced|syncing|unavailable|internal error|"
    r"method not found|not supported|does not exist/is not available|block not found|quota",
    re.IGNORECASE,
)
_THROTTLING = re.compile(r"rate.?limit|too many requests|request count|quota", re.IGNORECASE)
_ABOUT_THE_REQUEST = re.compile(
    r"revert|insufficient funds|nonce|gas|opcode|evm error", re.IGNORECASE
)


class NodeError(CambistError):
    """A node's own error answer, kept as it came: `code`, text and `data`."""

    def __init__(self, code: int, text: str, data: object = None) -> None:
        super().__init__(
            Reason.NODE_UNAVAILABLE,
            f"the node answered with error {code}: {text[:300]}",
            {"node_code": str(code), "node_message": text[:1000]},
        )
        self.code = code
        self.text = text
        self.data = data

    @property
    def is_node_trouble(self) -> bool:
        """Whether another node may answer the same request."""
        if self.data is not None or self.code == 3 or _ABOUT_THE_REQUEST.search(self.text):
            return False
        return self.code in (-32005, -32601, -32603, 429) or bool(_NODE_TROUBLE.search(self.text))

    @property
    def is_throttling(self) -> bool:
        """Whether the node asks for fewer requests."""
        return self.code == 429 or (self.is_node_trouble and bool(_THROTTLING.search(self.text)))


class NodeTrouble(Exception):
    """A node that did not answer the question: unreachable, throttled, unparsable, wrong chain."""

    def __init__(self, text: str, pause: int | None = None) -> None:
        super().__init__(text)
        self.pause = pause  # ns that the node asked for


class Wire(msgspec.Struct):
    """One JSON-RPC answer."""

    id: int | None = None
    result: Any = None
    error: Any = None


T = TypeVar("T")
Answer = Any  # a JSON value, or a NodeError in its place
_ENCODE = msgspec.json.Encoder()
_ONE = msgspec.json.Decoder(Wire)
_MANY = msgspec.json.Decoder(list[Wire])


def parsed(parse: Callable[[Any], T], answer: Answer, what: str) -> T:
    """What an answer means; NodeError for the node's own error, and for what makes no sense."""
    if isinstance(answer, NodeError):
        raise answer
    try:
        return parse(answer)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise NodeError(0, f"malformed {what}: {error!r}"[:200]) from error


@dataclass(slots=True)
class Node:
    """What is known of one URL. `label` is fit for logs: keys often sit in a URL's path."""

    url: str
    head: int = 0
    failures: int = 0
    paused_until: int = 0
    throttled: bool = False
    verified: bool = False
    takes_batches: bool = True
    trouble: str = ""
    stranger: str = ""  # why it can never be of use: it is of another chain
    latency: int = 0  # ns, of its answers, smoothed; 0 while none was measured
    outrun: int = 0  # times in a row that another node answered first, though asked later
    label: str = field(init=False)

    def __post_init__(self) -> None:
        self.label = urlsplit(self.url).hostname or "node"

    def succeeded(self, took: int = 0) -> None:
        """An answer, `took` ns after it was asked for."""
        self.failures, self.paused_until, self.throttled, self.trouble = 0, 0, False, ""
        self.outrun = 0
        self.latency = (self.latency * 7 + took) // 8 if self.latency else took

    def lost(self) -> None:
        """Another node, which was asked after it, has answered."""
        self.outrun += 1
        self.trouble = "slow: another node answered first"

    def failed(self, trouble: NodeTrouble, now: int) -> None:
        """Leaves the node alone for a while: as long as it asked, else longer each time."""
        pause = min(_FIRST_PAUSE << min(self.failures, 10), _LONGEST_PAUSE)
        self.throttled = trouble.pause is not None
        if trouble.pause is not None:
            pause = max(pause, trouble.pause)
        self.failures += 1
        self.paused_until = now + pause
        self.trouble = str(trouble)
        self.verified = False


@stepped("node.request")
async def post(
    session: aiohttp.ClientSession,
    node: Node,
    calls: list[tuple[str, list[Any]]],
    timeout: float,  # float: seconds for aiohttp
) -> list[Answer]:
    """Asks a node several things in one round trip; an answer a call, in order. NodeTrouble."""
    requests = [
        {"jsonrpc": "2.0", "id": index, "method": method, "params": params}
        for index, (method, params) in enumerate(calls)
    ]
    body = _ENCODE.encode(requests if len(requests) > 1 else requests[0])
    try:
        async with session.post(
            node.url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as response:
            if response.status == 429:
                raise NodeTrouble("too many requests", _retry_after(response.headers))
            content = await _bounded(response)
            if response.status >= 400 and not content.lstrip().startswith((b"{", b"[")):
                raise NodeTrouble(f"HTTP status {response.status}")
    except TimeoutError as error:
        raise NodeTrouble(f"no answer in {timeout} s") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise NodeTrouble("its name is not found") from error
    except aiohttp.ClientConnectorError as error:
        raise NodeTrouble("it cannot be connected to") from error
    except aiohttp.ClientError as error:
        raise NodeTrouble(f"{type(error).__name__}: {error}"[:200]) from error
    return _sort_out(content, len(requests))


def strangers(nodes: Iterable[Node]) -> list[str]:
    """Nodes of other chains, in words: their urls are mistakes."""
    return [
        f"{node.label} {node.stranger}: mend the network's urls in the configuration"
        for node in nodes
        if node.stranger
    ]


def _sort_out(content: bytes, count: int) -> list[Answer]:
    try:
        wires = _MANY.decode(content) if count > 1 else [_ONE.decode(content)]
    except msgspec.MsgspecError as error:
        raise NodeTrouble(_why_not(content, error)) from error
    by_id = {wire.id: wire for wire in wires}
    if count == 1:
        return [_value(wires[0])]
    if any(index not in by_id for index in range(count)):
        raise NodeTrouble("a batch answer with parts missing")
    return [_value(by_id[index]) for index in range(count)]


def _why_not(content: bytes, error: Exception) -> str:
    """A single error object where a list was due is a node that refuses the batch as such."""
    try:
        single = _value(_ONE.decode(content))
    except msgspec.MsgspecError:
        return f"not a JSON-RPC answer: {error}"[:200]
    return f"batch refused: {single}"[:300]


def _value(wire: Wire) -> Answer:
    if wire.error is None:
        return wire.result
    if not isinstance(wire.error, dict):
        return NodeError(0, str(wire.error))
    code = wire.error.get("code")
    text = str(wire.error.get("message", ""))
    return NodeError(code if isinstance(code, int) else 0, text, wire.error.get("data"))


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_ANSWER:
            raise NodeTrouble(f"an answer of more than {MAX_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


def _retry_after(headers: Mapping[str, str]) -> int:
    """Seconds, or a date, which counts from the server's own Date:
    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    text = headers.get("Retry-After", "")
    if text.isdecimal() and len(text) < 6:
        return min(int(text) * SECOND, _LONGEST_RETRY)
    try:
        then, now = (parsedate_to_datetime(one) for one in (text, headers.get("Date", "")))
        pause = int((then - now).total_seconds()) * SECOND
    except (TypeError, ValueError):
        return THROTTLED
    return min(max(pause, THROTTLED), _LONGEST_RETRY)
