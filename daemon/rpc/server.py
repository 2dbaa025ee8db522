"""The gRPC server: every method of cambist.v1 is registered from its descriptor.

Each call goes by the pace (its caller's turn?), the guard (whose caller, allowed?), the rules of
its fields, and the gate (ready?) before its handler sees it.

A service is an object with one coroutine (unary) or async generator (stream) a method, named in
snake case, that takes the parsed request. Messages cross as bytes: requests are parsed here, so
that garbage is answered with a reason, and a stream may yield bytes that were encoded once for all.
"""

import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, NoReturn, Protocol

import grpc
import structlog
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from cambist.v1 import options_pb2
from core.errors import CambistError, Reason, Refused
from daemon.access.caller import CALLER
from daemon.access.guard import HEADER, Guard
from daemon.access.scopes import SCOPES, Concern
from daemon.journal.intents import RESUMED
from daemon.observe.traces import NoTraces, Tracer
from daemon.rpc.errors import status
from daemon.rpc.pace import Pace
from daemon.rpc.rules import check
from daemon.rpc.secrets import scrubbed, secrets_of, without_secrets

MAX_REQUEST = 1 << 20
# Above what we accept, so that a request that is too large gets our answer and not a bare code; but
# not far above: the transport puts it together in memory first, as many at once as calls are open.
MAX_RECEIVED = 4 << 20
MAX_SENT = 32 << 20

# Calls that run at once on one connection; what is above waits at the client, or is refused by the
# transport itself. Those that nobody has looked at yet stand in one line with everybody's.
MAX_CALLS = 500
MAX_CONNECTIONS = 2000  # of each listener
MAX_PENDING = 50_000
_LONGEST_AGENT = 100

log = structlog.get_logger("rpc")

# Cancels and halts pass also while the journal cannot be written: they only lower exposure.
HARMLESS = frozenset({"orders:cancel", "risk:halt"})

Handler = Callable[[Any], Awaitable[Message]]
Intents = Callable[[str, str, bytes, Callable[[], Awaitable[bytes]], bool], Awaitable[bytes]]
# The transaction of a request id, if one was signed; whether an approval counts.
SentBefore = Callable[[str, bool], Awaitable[Message | None]]
Context = grpc.aio.ServicerContext[bytes, bytes]


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


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the contract and what its options say of it."""

    service: str
    name: str
    permission: str
    mutation: bool
    always: bool
    streams: bool
    request: type[Message]
    response: type[Message]
    sends: bool  # a transaction, which the response has
    concern: Concern

    @classmethod
    def of(cls, descriptor: MethodDescriptor) -> "Method":
        """Reads a method's descriptor."""
        access = descriptor.GetOptions().Extensions[options_pb2.access]
        return cls(
            service=descriptor.containing_service.full_name,
            name=descriptor.name,
            permission=access.permission,
            mutation=access.mutation,
            always=access.always,
            streams=descriptor.server_streaming,
            request=GetMessageClass(descriptor.input_type),
            response=GetMessageClass(descriptor.output_type),
            sends=access.mutation and "transaction" in descriptor.output_type.fields_by_name,
            concern=Concern.of(
                descriptor.input_type,
                tuple(scope for scope in SCOPES if scope in access.scopes),
                names=descriptor.containing_service.name == "WalletService",
            ),
        )

    @property
    def path(self) -> str:
        """The name in errors and logs."""
        return f"{self.service}/{self.name}"


def snake_case(name: str) -> str:
    """`PlaceOrder` -> `place_order`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


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

    def handlers(
        self, services: Mapping[ServiceDescriptor, object | None]
    ) -> Iterable[grpc.GenericRpcHandler]:
        """One generic handler a service; methods that no object has answer NOT_BUILT."""
        for descriptor, service in services.items():
            made: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {}
            for one in descriptor.methods:
                method = Method.of(one)
                handler = getattr(service, snake_case(method.name), None)
                if method.streams:
                    made[method.name] = grpc.unary_stream_rpc_method_handler(
                        self._stream(method, handler)
                    )
                else:
                    made[method.name] = grpc.unary_unary_rpc_method_handler(
                        self._unary(method, handler)
                    )
            yield grpc.method_handlers_generic_handler(descriptor.full_name, made)

    def _unary(
        self, method: Method, handler: Handler | None
    ) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def serve(raw: bytes, context: Context) -> bytes:
            started, request = time.monotonic_ns(), None
            try:
                with self._tracer.span(method.path):
                    request = await self._admit(method, raw, context, handler is None)
                    assert handler is not None
                    if method.mutation:
                        answer = await self._mutate(method, handler, request)
                    else:
                        answer = (await handler(request)).SerializeToString()
            except Exception as error:  # noqa: BLE001 - answered and logged, whatever it is
                await self._abort(context, method, error, request)
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
    ) -> Callable[[bytes, Context], Awaitable[None]]:
        async def serve(raw: bytes, context: Context) -> None:
            try:
                request = await self._admit(method, raw, context, handler is None)
                assert handler is not None
                self._metrics.opened(method.path)
                try:
                    with self._guard.watch(_metadata(context)):
                        async for part in handler(request):
                            await context.write(
                                part if isinstance(part, bytes) else part.SerializeToString()
                            )
                finally:
                    self._metrics.closed(method.path)
            except Exception as error:  # noqa: BLE001 - answered and logged, whatever it is
                await self._abort(context, method, error)

        return serve

    async def _admit(self, method: Method, raw: bytes, context: Context, missing: bool) -> Any:
        """The parsed request of a call that may go on; notes whose call it is."""
        if not method.permission:
            raise Refused(
                Reason.PERMISSION_DENIED, f"{method.path} names no permission, so it is denied"
            )
        metadata, peer = _metadata(context), context.peer()
        # Cancels do not stand in line behind what they are to end.
        who = self._guard.identity(metadata, peer, _agent(context))
        line = "cancels of " if method.permission in HARMLESS else ""
        await self._pace.turn(line + who, len(raw))
        if len(raw) > MAX_REQUEST:
            raise Refused(
                Reason.REQUEST_TOO_LARGE,
                f"the request has {len(raw)} bytes; at most {MAX_REQUEST} are read",
                {"limit": str(MAX_REQUEST)},
            )
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
            metadata,
            peer,
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

    async def _abort(
        self,
        context: Context,
        method: Method,
        error: Exception,
        request: Message | None = None,
    ) -> NoReturn:
        secrets = [one.removeprefix("Bearer ") for one in _metadata(context).values()]
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
        code, message, trailers = status(error)
        self._metrics.failed(method.path, error.reason.value)
        log.debug("refused", method=method.path, reason=str(error.reason), message=message)
        await context.abort(code, message, trailers)


def _metadata(context: Context) -> dict[str, str]:
    return {key: str(value) for key, value in context.invocation_metadata() or () if key == HEADER}


def _agent(context: Context) -> str:
    pairs = context.invocation_metadata() or ()
    return next((str(value)[:_LONGEST_AGENT] for key, value in pairs if key == "user-agent"), "")


def permissions(contract: Iterable[FileDescriptor]) -> dict[str, str]:
    """Every method of the contract, as errors and tokens name it, with what it needs."""
    methods = (
        Method.of(one)
        for file in contract
        for service in file.services_by_name.values()
        for one in service.methods
    )
    return {method.path: method.permission for method in methods}


class Strangers(grpc.aio.ServerInterceptor):
    """Paces what is not of our contract, and so goes by no dispatcher: health, reflection, and
    methods that do not exist. All callers of those stand in one line. `paths` are ours."""

    def __init__(self, pace: Pace, paths: Iterable[str]) -> None:
        self._pace = pace
        self._paths = frozenset(paths)

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """See grpc.aio.ServerInterceptor."""
        if details.method not in self._paths:
            try:
                await self._pace.turn("strangers")
            except Refused as error:
                return _refusal(error)
        return await continuation(details)


def _refusal(error: Refused) -> "grpc.RpcMethodHandler[bytes, bytes]":
    async def refuse(raw: bytes, context: Context) -> bytes:
        await context.abort(*status(error))

    return grpc.unary_unary_rpc_method_handler(refuse)


def new_server(interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> grpc.aio.Server:
    """A server with the bounds that the daemon keeps."""
    return grpc.aio.server(
        interceptors=interceptors,
        options=(
            ("grpc.max_receive_message_length", MAX_RECEIVED),
            ("grpc.max_send_message_length", MAX_SENT),
            ("grpc.max_concurrent_streams", MAX_CALLS),
            ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
            # By default the transport refuses calls at random once a thousand wait to be looked at,
            # whoever made them, and a flood lives on the room that this makes. We look at all.
            ("grpc.server.max_pending_requests", MAX_PENDING),
            ("grpc.server.max_pending_requests_hard_limit", 2 * MAX_PENDING),
            ("grpc.so_reuseport", 0),  # a second daemon on the same port must fail, not share it
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ),
    )
