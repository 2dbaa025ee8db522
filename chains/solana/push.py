"""News over a websocket: slots as they begin, and our signatures as they are confirmed.

What is pushed is a hint: it makes the tracker ask at once, and it is the answer that counts. So a
socket that breaks, stalls or tells tales costs time and nothing else; polling goes on, slower while
a socket is live. https://solana.com/docs/rpc/websocket
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from chains.solana import lifecycle
from chains.solana.book import TransactionBook
from core.transactions import Transaction

_SUBSCRIBED = 256  # signatures at a time; the rest is polled
_SILENCE = 20.0  # float: seconds without a slot, after which the socket is left
_LONGEST_PAUSE = 30  # seconds between attempts
# Slots that a socket may be away from what the nodes say before it is of another cluster.
_FAR = 2_000
_MAX_MESSAGE = 1 << 20
_BROKEN = (  # what a socket and the messages on it can fail with
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    msgspec.MsgspecError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)
_log = logging.getLogger(__name__)


class _Wire(msgspec.Struct):
    """An answer or a notification."""

    id: int | None = None
    result: Any = None
    error: Any = None
    method: str | None = None
    params: Any = None


_DECODE = msgspec.json.Decoder(_Wire)
Wanted = tuple[str, str]  # signature, commitment


class Push:
    """`on_live` tells whether a socket is live, `on_slot` of slots, `on_signature` of a signature
    that has reached the next commitment. `slot` is what the nodes say, 0 while they have not."""

    def __init__(
        self,
        urls: Sequence[str],
        book: TransactionBook,
        slot: Callable[[], int],
        on_live: Callable[[bool], None],
        on_slot: Callable[[int], None],
        on_signature: Callable[[str], None],
    ) -> None:
        self._urls = list(urls)
        self._book = book
        self._slot = slot
        self._on_live = on_live
        self._on_slot = on_slot
        self._on_signature = on_signature
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._live = False
        # Of the present socket.
        self._ids = itertools.count(1)
        self._asked: dict[int, Wanted] = {}  # request -> what it asked for
        self._numbers: dict[int, Wanted] = {}  # subscription -> what it is for
        self._told: set[Wanted] = set()  # once is enough: a socket must not drive us in circles
        self._slots: int | None = None  # the request for slots

    def start(self) -> None:
        """Begins to listen; nothing without urls."""
        if self._urls:
            self._book.subscribe(self._note)
            self._task = asyncio.create_task(self._run(), name="Solana websocket")

    async def stop(self) -> None:
        """Ends the socket."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _note(self, transaction: Transaction) -> None:
        self._changed.set()

    async def _run(self) -> None:
        turns = 0
        while True:
            url = self._urls[turns % len(self._urls)]
            was_live = False
            try:
                async with aiohttp.ClientSession() as session:
                    async with session.ws_connect(
                        url, heartbeat=_SILENCE, max_msg_size=_MAX_MESSAGE
                    ) as socket:
                        await self._talk(socket)
            except _BROKEN as error:
                # Not the error's words: they may hold the url, and keys sit in urls.
                _log.info("a Solana websocket broke: %s", type(error).__name__)
            finally:
                was_live = self._live
                self._set_live(False)
            turns = 1 if was_live else turns + 1
            await asyncio.sleep(min(2 ** min(turns - 1, 10), _LONGEST_PAUSE))

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._asked.clear()
        self._numbers.clear()
        self._told.clear()
        self._slots = next(self._ids)
        await self._call(socket, self._slots, "slotSubscribe", [])
        asking = asyncio.create_task(self._ask_for_ever(socket))
        listening = asyncio.create_task(self._listen(socket))
        both = {asking, listening}
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await socket.receive(timeout=_SILENCE)
            if message.type is aiohttp.WSMsgType.TEXT:
                self._take(_DECODE.decode(message.data))
            elif message.type is not aiohttp.WSMsgType.BINARY:
                return

    def _take(self, wire: _Wire) -> None:
        if wire.method == "slotNotification":
            self._take_slot(int(wire.params["result"]["slot"]))
        elif wire.method == "signatureNotification":
            if wire.params["result"]["value"] == "receivedSignature":
                return
            found = self._numbers.pop(wire.params["subscription"], None)
            if found is not None:
                self._told.add(found)
                self._on_signature(found[0])
        elif wire.id is not None and wire.id == self._slots:
            if wire.error is not None:
                raise ValueError("the node does not tell slots")
        elif wire.id in self._asked:
            wanted = self._asked.pop(wire.id)
            if isinstance(wire.result, int) and wire.error is None:
                self._numbers[wire.result] = wanted

    def _take_slot(self, slot: int) -> None:
        known = self._slot()
        if not known:
            return  # the nodes have not said yet where the chain is
        if abs(slot - known) > _FAR:
            raise ValueError("the websocket is of another cluster, or far behind")
        self._set_live(True)
        self._on_slot(slot)

    async def _ask_for_ever(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Keeps subscriptions as the book is."""
        while True:
            self._changed.clear()
            wanted = self._wanted()
            self._told.intersection_update(wanted)
            present = {*self._asked.values(), *self._numbers.values(), *self._told}
            for number in [n for n, one in self._numbers.items() if one not in wanted]:
                del self._numbers[number]
                await self._call(socket, next(self._ids), "signatureUnsubscribe", [number])
            for one in wanted:
                if one not in present:
                    id = next(self._ids)
                    self._asked[id] = one
                    params = [one[0], {"commitment": one[1]}]
                    await self._call(socket, id, "signatureSubscribe", params)
            await self._changed.wait()

    def _wanted(self) -> list[Wanted]:
        """The newest that are pending: what is older will hardly be told of any more."""
        return [
            (one.hash, "confirmed" if lifecycle.is_waiting(one) else "finalized")
            for one in list(self._book.pending())[-_SUBSCRIBED:]
        ]

    @staticmethod
    async def _call(
        socket: aiohttp.ClientWebSocketResponse, id: int, method: str, params: list[Any]
    ) -> None:
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        await socket.send_str(msgspec.json.encode(body).decode())

    def _set_live(self, live: bool) -> None:
        if live != self._live:
            self._live = live
            self._on_live(live)
