"""Every method of cambist.v1, made an endpoint of the server from its descriptor.

Each call goes by the pace (its caller's turn?), the guard (whose caller, allowed?), the rules of
its fields, and the gate (ready?) before its handler sees it.

A service is an object with one coroutine (unary) or async generator (stream) a method, named in
snake case, that takes the parsed request. Messages cross as bytes: requests are parsed here, so
that garbage is answered with a reason, and a stream may yield bytes that were encoded once for all.
"""

import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from secrets import token_hex
from typing import Any, Protocol

import structlog
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from core.errors import CambistError, Reason, Refused
from daemon.access.caller import CALLER
from daemon.access.guard import HEADER, Guard
from daemon.journal.intents import RESUMED
from daemon.observe.traces import NoTraces, Tracer
from daemon.rpc.errors import failed
from daemon.rpc.method import Method, snake_case
from daemon.rpc.pace import Pace
from daemon.rpc.rules import check
from daemon.rpc.secrets import scrubbed, secrets_of, without_secrets
from daemon.wire.call import Call, CallFailed, Endpoint, Stream, Unary

MAX_REQUEST = 1 << 20

log = structlog.get_logger("rpc")

# These pass also while the journal cannot be written: they only take away.
HARMLESS = frozenset({"orders:cancel", "risk:halt", "access:revoke"})

Handler = Callable[[Any], Awaitable[Message]]
Intents = Callable[[str, str, bytes, Callable[[], Awaitable[bytes]], bool], Awaitable[bytes]]
# The transaction of a request id, if one was signed; whether an approval counts.
SentBefore = Callable[[str, bool], Awaitable[Message | None]]


class Counts(Protocol):
    """What is counted of calls."""

    def answered(self, method: str, nanoseconds: int) -> None: ...

    def failed(self, method: str, reason: str) -> None: ...

    def opened(self, method: str) -> None: ...

    def closed(self, method: str) -> None: ...


class NotCounted:
    """For servers that nobody watches."""

    def answered(self, method: str, nanoseconds: int) -> None: ...

    def failed(self, method: str, reason: str) -> None: ...

    def opened(self, method: str) -> None: ...

    def closed(self, method: str) -> None: ...


class Gate(Protocol):
    """Whether the daemon takes calls now."""

    def admit(self, always: bool) -> None:
        """Raises STARTING_UP or SHUTTING_DOWN; calls marked `always` pass."""
        ...


class Dispatcher:
    """Turns descriptors and service objects into gRPC handlers."""

    def __init__(
        self,
        gate: Gate,
        guard: Guard,
        intents: Intents,
        metrics: Counts | None = None,
        tracer: Tracer | None = None,
        pace: Pace | None = None,
        sent_before: SentBefore | None = None,
    ) -> None:
        self._sent_before = sent_before
        self._pace = pace or Pace(0)
        self._metrics = metrics or NotCounted()
        self._tracer = tracer or NoTraces()
        self._gate = gate
        self._guard = guard
        self._intents = intents

    def endpoints(self, services: Mapping[ServiceDescriptor, object | None]) -> dict[str, Endpoint]:
        """By path; methods that no object has answer NOT_BUILT."""
        made: dict[str, Endpoint] = {}
        for descriptor, service in services.items():
            for one in descriptor.methods:
                method = Method.of(one)
                handler = getattr(service, snake_case(method.name), None)
                if method.streams:
                    made[f"/{method.path}"] = Stream(self._stream(method, handler))
                else:
                    # Cancels do not stand in line behind what they are to end.
                    urgent = method.permission in HARMLESS
                    made[f"/{method.path}"] = Unary(self._unary(method, handler), urgent)
        return made

    def _unary(
        self, method: Method, handler: Handler | None
    ) -> Callable[[bytes, Call], Awaitable[bytes]]:
        async def serve(raw: bytes, call: Call) -> bytes:
            started, request = time.monotonic_ns(), None
            try:
                with self._tracer.span(method.path, call.metadata):
                    request = await self._admit(method, raw, call, handler is None)
                    assert handler is not None
                    if method.mutation:
                        answer = await self._mutate(method, handler, request)
                    else:
                        answer = (await handler(request)).SerializeToString()
            except Exception as error:  # noqa: BLE001 - answered and logged, whatever it is
                raise self._failure(call, method, error, request) from None
            took = time.monotonic_ns() - started
            self._metrics.answered(method.path, took)
            log.debug("call", method=method.path, took_us=took // 1000)
            return answer

        return serve

    async def _mutate(self, method: Method, handler: Handler, request: Any) -> bytes:
        if not request.request_id or request.request_id.strip() != request.request_id:
            raise Refused(
                Reason.FIELD_INVALID,
                "request_id must not begin or end with blanks",
                {"field": "request_id"},
            )

        told: Message | None = None

        async def effect() -> bytes:
            nonlocal told
            told = await self._told_before(method, request) or await handler(request)
            return without_secrets(told).SerializeToString()

        if getattr(request, "dry_run", False):
            return (await handler(request)).SerializeToString()  # no effect, nothing to remember
        body = without_secrets(request).SerializeToString(deterministic=True)
        harmless = method.permission in HARMLESS
        kept = await self._intents(method.path, request.request_id, body, effect, harmless)
        return kept if told is None else told.SerializeToString()

    async def _told_before(self, method: Method, request: Any) -> Message | None:
        """The answer to a request that was begun before and has its transaction: whatever its
        handler would refuse by now, a quote that is forgotten or a halt, it was sent."""
        if self._sent_before is None or not (method.sends and RESUMED.get()):
            return None
        found = await self._sent_before(request.request_id, method.name == "Approve")
        if found is None:
            return None
        answer: Any = method.response()
        answer.transaction.CopyFrom(found)
        return answer  # type: ignore[no-any-return]

    def _stream(
        self, method: Method, handler: Callable[[Any], AsyncIterator[bytes | Message]] | None
    ) -> Callable[[bytes, Call], Awaitable[None]]:
        async def serve(raw: bytes, call: Call) -> None:
            try:
                request = await self._admit(method, raw, call, handler is None)
                assert handler is not None
                self._metrics.opened(method.path)
                try:
                    with self._guard.watch(_token(call)):
                        async for part in handler(request):
                            await call.send(
                                part if isinstance(part, bytes) else part.SerializeToString()
                            )
                finally:
                    self._metrics.closed(method.path)
            except Exception as error:  # noqa: BLE001 - answered and logged, whatever it is
                raise self._failure(call, method, error) from None

        return serve

    async def _admit(self, method: Method, raw: bytes, call: Call, missing: bool) -> Any:
        """The parsed request of a call that may go on; notes whose call it is."""
        if not method.permission:
            raise Refused(
                Reason.PERMISSION_DENIED, f"{method.path} names no permission, so it is denied"
            )
        token = _token(call)
        if self._pace.bounded:
            line = "cancels of " if method.permission in HARMLESS else ""
            await self._pace.turn(line + self._guard.identity(token, call.peer), len(raw))
        request = method.request()
        try:
            request.ParseFromString(raw)
        except DecodeError:
            raise Refused(
                Reason.MALFORMED_REQUEST,
                f"the request is not a valid {method.request.DESCRIPTOR.full_name}",
            ) from None
        caller = await self._guard.admit(
            method.path,
            method.permission,
            method.concern,
            request,
            token,
            call.source,
        )
        CALLER.set(caller)
        check(request)
        if missing:
            raise Refused(
                Reason.NOT_BUILT,
                f"{method.name} is part of the contract, but this version does not do it yet",
                {"method": method.path},
            )
        self._gate.admit(method.always)
        return request

    def _failure(
        self, call: Call, method: Method, error: Exception, request: Message | None = None
    ) -> CallFailed:
        """How a call ends whose handler raised this; logged if it is a bug."""
        token = _token(call)
        secrets = [token] if token else []
        secrets += secrets_of(request) if request is not None else ()
        if not isinstance(error, CambistError):
            incident = token_hex(4)
            # Libraries quote what they could not read.
            trace = scrubbed("".join(traceback.format_exception(error)), secrets, shortest=4)
            log.error("internal error", method=method.path, incident=incident, exception=trace)
            error = CambistError(
                Reason.INTERNAL,
                f"an internal error, logged as {incident}",
                {"incident": incident},
            )
        elif secrets:
            error.message = scrubbed(error.message, secrets)
            facts = error.metadata.items()
            error.metadata = {key: scrubbed(value, secrets) for key, value in facts}
        self._metrics.failed(method.path, error.reason.value)
        log.debug("refused", method=method.path, reason=str(error.reason), message=error.message)
        return failed(error)


def too_large(size: int) -> CallFailed:
    """How a call ends whose request is not read to its end."""
    return failed(
        Refused(
            Reason.REQUEST_TOO_LARGE,
            f"the request has {size} bytes; at most {MAX_REQUEST} are read",
            {"limit": str(MAX_REQUEST)},
        )
    )


def _token(call: Call) -> str:
    return call.metadata.get(HEADER, "").removeprefix("Bearer ")
