"""One websocket connection: connect, open, watch, and connect again, for as long as it is wanted.

It knows frames and acknowledgements, not what they carry: that is its owner's. Frames are handled
where they are read, many a read, without awaiting.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

from picows import WSError, WSMsgType, WSTransport, ws_connect

from cex.engine.http import LostError, NotSentError
from cex.engine.listener import Listener
from cex.engine.messages import Ack, Answer, Nack, Numbered, Outgoing, Restart, Routed
from cex.engine.spec import Session, StreamSpec
from cex.engine.wire import MALFORMED
from core.clock import SECOND, Clock
from core.errors import CambistError

_log = logging.getLogger(__name__)

_HANDSHAKE = 10.0  # float: seconds, picows' unit
_CONFIRM = 10.0  # float: seconds to wait for an acknowledgement, asyncio's unit
_ANSWER = 10.0  # float: seconds to wait for the answer to a command, asyncio's unit
_GREETING = 3.0  # float: seconds to wait for a venue's first word, asyncio's unit
_MAX_FRAME = 64 * 1024 * 1024
_REPEATS = 64  # a frame numbered so far back is one that came twice; further back, another count
_FIRST_PAUSE = SECOND // 2
_LAST_PAUSE = 30 * SECOND
_STEADY = 60 * SECOND  # a connection that lived so long was a good one


class FrameRefused(Exception):
    """The venue said no to a frame of ours: the key, its code and its words."""

    def __init__(self, key: str, code: str, text: str) -> None:
        super().__init__(f"{code} {text}".strip())
        self.key = key
        self.code = code
        self.text = text


class Owner(Protocol):
    """Whose connection it is. All but the coroutines are called on the event loop, in order."""

    async def token(self) -> str:
        """What must be known before connecting; "" if nothing. Raises CambistError."""
        ...

    async def keep(self, token: str) -> None:
        """Prolongs the token's life. Raises CambistError."""
        ...

    def session(self, token: str) -> Session:
        """Fresh numbers for a frame."""
        ...

    async def opened(self) -> None:
        """The opening steps are confirmed: subscribe."""
        ...

    def data(self, topic: str, payload: Any, received: int) -> None:
        """One message of a topic."""
        ...

    def closed(self, reason: str, refused: FrameRefused | None) -> None:
        """The connection ended or did not come about; another attempt follows. `refused` is the
        venue's no to a frame of the opening."""
        ...

    def fault(self, what: str, error: BaseException) -> None:
        """Something could not be understood; the connection stays."""
        ...


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Loading the certificate authorities takes tens of milliseconds: once for all connections.
    return ssl.create_default_context()


def _refusal(confirmations: Sequence[asyncio.Future[None]]) -> asyncio.Future[None]:
    """What fails when a frame is refused as a whole; what of it is not confirmed then fails too."""

    def spread(refused: asyncio.Future[None]) -> None:
        error = None if refused.cancelled() else refused.exception()
        for future in confirmations:
            if error is not None and not future.done():
                future.set_exception(error)

    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.add_done_callback(spread)
    return future


class Connection:
    """See the module. `start` returns at once; `stop` ends it for good."""

    def __init__(self, name: str, spec: StreamSpec, base: str, owner: Owner, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self.now, self.monotonic = clock.now, clock.monotonic
        self.transport: WSTransport | None = None
        self.heard = 0  # monotonic ns of the last frame of any kind
        self.reason = ""  # why it is about to end
        self.live = False  # open and subscribed
        self._refused: FrameRefused | None = None
        self._number: int | None = None  # of the last frame, where the venue numbers them
        self._spec = spec
        self._base = base
        self._owner = owner
        self._awaited: dict[str, asyncio.Future[Any]] = {}
        self._called: dict[str, asyncio.Future[Any]] = {}
        self._greeted = asyncio.Event()
        self._sending = asyncio.Lock()
        self._sent = 0  # monotonic ns of our last frame
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connects in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"websocket {self.name}")

    async def stop(self) -> None:
        """Disconnects; the owner hears no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def receive(self, payload: bytes, binary: bool, received: int) -> None:
        """Sorts one frame, received at a time in ns. Data goes to the owner at once."""
        owner = self._owner
        try:
            if binary and self._spec.inflate is not None:
                payload = self._spec.inflate(payload)
            for item in self._spec.route(payload):
                if type(item) is tuple:
                    owner.data(item[0], item[1], received)
                elif type(item) is not Numbered:
                    self._control(item)
                elif not self._continues(item):
                    return
        except MALFORMED as error:
            owner.fault("frame", error)
        except Exception as error:  # noqa: BLE001 - a bug must be loud, and not end the connection
            _log.exception("handling a frame of %s failed", self.name)
            owner.fault("frame", error)

    async def request(self, frames: Sequence[Outgoing]) -> None:
        """Sends frames at the pace that the venue allows, and waits until all are confirmed.

        Raises FrameRefused, TimeoutError, or ConnectionError when the connection ended meanwhile.
        """
        loop = asyncio.get_running_loop()
        waiting = {key: loop.create_future() for frame in frames for key in frame.keys}
        self._awaited.update(waiting)
        refusals = {f.id: _refusal([waiting[k] for k in f.keys]) for f in frames if f.id}
        self._awaited.update(refusals)
        try:
            for frame in frames:
                await self._send(frame.payload)
            if waiting:
                async with asyncio.timeout(_CONFIRM):
                    await asyncio.gather(*waiting.values())
        finally:
            for key, future in [*refusals.items(), *waiting.items()]:
                future.cancel()
                if self._awaited.get(key) is future:
                    del self._awaited[key]

    async def call(self, frame: Outgoing) -> Answer:
        """Sends a command at once, past what waits for its pace, and gives its answer.

        Raises NotSentError when nothing left, LostError when the answer did not come.
        """
        if not self.live or self.transport is None or self.transport.is_disconnected:
            raise NotSentError("not connected")
        (key,) = frame.keys
        answered = self._called[key] = asyncio.get_running_loop().create_future()
        try:
            self.transport.send(WSMsgType.TEXT, frame.payload)
            async with asyncio.timeout(_ANSWER):
                answer: Answer = await answered
                return answer
        except TimeoutError:
            raise LostError("no answer in time") from None
        except (ConnectionError, FrameRefused) as error:
            raise LostError(str(error)) from None
        finally:
            del self._called[key]

    def restart(self, reason: str) -> None:
        """Ends this connection; another follows."""
        self.reason = self.reason or reason
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    def _continues(self, item: Numbered) -> bool:
        """Whether a frame is the next one; what is amiss ends the connection."""
        last, number = self._number, item.number
        if last is None:
            self._number = number if item.data else None
        elif number == last + 1:
            self._number = number
        elif not item.data or last - _REPEATS < number <= last:
            return False
        else:
            self.restart(f"frame {last + 1} was due, {number} came")
            return False
        return True

    def _control(self, item: Routed) -> None:
        if isinstance(item, Answer):
            call = self._called.get(item.key)
            if call is not None and not call.done():  # else it came too late
                call.set_result(item)
        elif isinstance(item, Ack):
            if item.key == self._spec.greeting:
                self._greeted.set()
            future = self._awaited.get(item.key)
            if future is not None and not future.done():
                future.set_result(None)
        elif isinstance(item, Nack):
            future = self._awaited.get(item.key) or self._called.get(item.key)
            error = FrameRefused(item.key, item.code, item.text)
            if future is None:
                self._owner.fault("frame", error)
            elif not future.done():
                future.set_exception(error)
        elif isinstance(item, Restart):
            self.restart(item.reason)

    async def _send(self, payload: bytes) -> None:
        async with self._sending:
            if self.transport is None:
                raise ConnectionError("not connected")
            pause = self._sent + self._spec.frame_interval - self.clock.monotonic()
            if self._sent and pause > 0:
                await asyncio.sleep(pause / SECOND)  # float: asyncio's unit
                if self.transport is None:
                    raise ConnectionError("not connected")
            self._sent = self.clock.monotonic()
            self.transport.send(WSMsgType.TEXT, payload)

    async def _run(self) -> None:
        failures = 0
        while True:
            began = self.clock.monotonic()
            self.reason = ""
            self._refused = None
            self._number = None
            try:
                reason = await self._live()
            except Exception as error:  # noqa: BLE001 - a bug, or a key that cannot sign: loud
                _log.exception("the connection of %s failed", self.name)
                reason = f"internal error: {type(error).__name__}"
            self.live = False
            failures = 0 if self.clock.monotonic() - began > _STEADY else failures + 1
            self._owner.closed(reason, self._refused)
            pause = min(_FIRST_PAUSE << min(failures, 10), _LAST_PAUSE)
            pause = pause // 2 + random.randrange(pause // 2)
            await asyncio.sleep(pause / SECOND)  # float: asyncio's unit

    async def _live(self) -> str:
        """One connection's life; why it ended."""
        tasks: list[asyncio.Task[Any]] = []
        try:
            token = await self._owner.token()
            transport = await self._connect(token)
            tasks = [
                asyncio.create_task(self._open(token)),
                asyncio.create_task(transport.wait_disconnected()),
                asyncio.create_task(self._watch()),
                asyncio.create_task(self._keep(token)),
                asyncio.create_task(self._beat(token)),
            ]
            pending = set(tasks)
            while tasks[1] in pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            return self.reason or "the venue closed the connection"
        except CambistError as error:
            return error.message
        except FrameRefused as error:
            self._refused = error
            return f"refused: {error}"
        except TimeoutError:
            return self.reason or "no answer in time"
        except (OSError, WSError) as error:
            # Their messages may hold the URL, and with it a token.
            lost = "connection lost" if self.transport is not None else "cannot connect"
            return self.reason or f"{lost}: {type(error).__name__}"
        finally:
            for task in tasks:
                task.cancel()
            if self.transport is not None:
                self.transport.disconnect(graceful=False)
                self.transport = None
            for future in [*self._awaited.values(), *self._called.values()]:
                if not future.done():
                    future.set_exception(ConnectionError("the connection ended"))
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self, token: str) -> WSTransport:
        session = self._owner.session(token)
        path = self._spec.path if isinstance(self._spec.path, str) else self._spec.path(session)
        url = path if path.startswith("ws") else self._base + path
        self.heard = self.clock.monotonic()
        self._greeted.clear()
        transport, _ = await ws_connect(
            lambda: Listener(self),
            url,
            ssl_context=_tls() if url.startswith("wss:") else None,
            websocket_handshake_timeout=_HANDSHAKE,
            enable_auto_pong=False,  # we answer pings ourselves, so that we hear them
            max_frame_size=_MAX_FRAME,
            extra_headers=self._spec.headers(session) if self._spec.headers else None,
            logger_name="client",
        )
        return transport

    async def _open(self, token: str) -> None:
        if self._spec.greeting:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GREETING):
                    await self._greeted.wait()
        for step in self._spec.opening:
            await self.request(step(self._owner.session(token)))
        await self._owner.opened()
        self.live = True

    async def _keep(self, token: str) -> None:
        while self._spec.keep_token is not None:
            await asyncio.sleep(self._spec.keep_interval / SECOND)  # float: asyncio's unit
            await self._owner.keep(token)

    async def _beat(self, token: str) -> None:
        """Pings whether or not something arrives, for venues that want to hear us."""
        while self._spec.ping_every is not None and self._spec.ping is not None:
            await asyncio.sleep(self._spec.ping_every(token) / SECOND)  # float: asyncio's unit
            if self.transport is not None:
                self.transport.send(WSMsgType.TEXT, self._spec.ping(self.clock.now()))

    async def _watch(self) -> None:
        """Pings a silent connection, and ends one that does not answer.

        Any frame counts as life, pongs included: one quiet market among many is no sign of
        trouble, a connection on which nothing at all arrives is.
        """
        pinged = 0
        step = min(self._spec.quiet, self._spec.silence) / SECOND / 4  # float: asyncio's unit
        while True:
            await asyncio.sleep(step)
            silent = self.clock.monotonic() - self.heard
            if silent >= self._spec.silence:
                self.restart(f"nothing was received for {silent // SECOND} s")
            elif silent >= self._spec.quiet and self.heard != pinged and self.transport is not None:
                pinged = self.heard
                if self._spec.ping is not None:
                    self.transport.send(WSMsgType.TEXT, self._spec.ping(self.clock.now()))
                else:
                    self.transport.send_ping()
