"""One command, from the question to the answer: budget, signature, transport, outcome, parsing."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from cex.engine import outcome, request, wire
from cex.engine.clock_offset import ClockOffset
from cex.engine.commands import Command, ServerTime
from cex.engine.credentials import Credentials
from cex.engine.http import Http, LostError, NotSentError, Reply
from cex.engine.limiter import Limiter
from cex.engine.meter import Permit
from cex.engine.spec import Failure, Moment, Operation, Request, Scope, VenueSpec
from core import traffic
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused
from core.orders import Fill, OrderReport
from core.steps import step

V = TypeVar("V")

_READS = 3  # attempts of a read
_PAUSE = SECOND // 4  # before the second; doubles
_PAGES = 2000


class Line(Protocol):
    """Another way for commands than REST; see cex.engine.order_entry."""

    def operation(self, command: Command[Any]) -> Operation[Any, Any] | None: ...

    async def send(
        self, operation: Operation[Any, Any], command: Command[Any]
    ) -> tuple[Reply, Mapping[str, int]]: ...


class Caller:
    """Sends the commands of one venue, for its public side and all its accounts."""

    def __init__(
        self, spec: VenueSpec, http: Http, limiter: Limiter, offset: ClockOffset, clock: Clock
    ) -> None:
        self._spec = spec
        self._http = http
        self._limiter = limiter
        self._offset = offset
        self._clock = clock
        self._nonce = 0

    def moment(self) -> Moment:
        """The venue's time now, and a number larger than any before."""
        now = self._offset.now()
        self._nonce = self._spec.nonce.after(self._nonce, now)
        return Moment(now, self._nonce)

    def operation(self, command: Command[Any]) -> Operation[Any, Any]:
        """How the venue answers a command; raises Refused when it cannot."""
        operation = self._spec.operations.get(type(command))
        if operation is None:
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"{self._spec.name} has no call for {type(command).__name__}",
                {"venue": self._spec.id},
            )
        return operation

    async def synchronize(self) -> None:
        """Measures the venue's clock."""
        asked = self._clock.monotonic()
        venue_time = await self.call(ServerTime(), self.scope_of("", _no_instrument))
        self._offset.sample(asked, self._clock.monotonic(), venue_time)

    def scope_of(self, account: str, instrument: Callable[[str], Any]) -> Scope:
        """What parsers get besides the payload."""
        return Scope(self._spec.id, account, instrument)

    async def call(
        self,
        command: Command[V],
        scope: Scope,
        credentials: Credentials | None = None,
        patience: int | None = None,
        effects: Callable[[OrderReport | Fill], None] | None = None,
        line: Line | None = None,
    ) -> V:
        """The answer. Raises CambistError; for a command that mutates one of Refused, Rejected
        and Unconfirmed. `effects` is told what a failing command changed nevertheless. `line` is
        tried before REST; only what did not leave by it goes by REST."""
        operation = self.operation(command)
        attempt = 0
        resynchronized = False
        while True:
            attempt += 1
            try:
                return await self._once(
                    operation, command, scope, credentials, patience, effects, line
                )
            except CambistError as error:
                if error.reason is Reason.CLOCK_SKEW and operation.signed and not resynchronized:
                    # The venue refused to look at it for its time: it did nothing, so that
                    # repeating it with the right time is safe even for an order.
                    resynchronized = True
                    self._offset.reset()
                    await self._resynchronize(error)
                    continue
                retry = not command.mutates and attempt < _READS
                if not retry or error.reason is not Reason.VENUE_UNAVAILABLE:
                    raise
            pause = _PAUSE << (attempt - 1)
            await asyncio.sleep((pause + random.randrange(pause)) / SECOND)  # float: asyncio's unit

    async def pages(
        self, command: Command[Any], scope: Scope, credentials: Credentials | None = None
    ) -> list[Any]:
        """All pages of a command whose answer is a sequence."""
        return [item for page in await self.parts(command, scope, credentials) for item in page]

    async def parts(
        self, command: Command[Any], scope: Scope, credentials: Credentials | None = None
    ) -> list[Any]:
        """All answers of a command that is answered in several calls."""
        operation = self.operation(command)
        found: list[Any] = []
        for _ in range(_PAGES):
            page = await self.call(command, scope, credentials)
            found.append(page)
            following = operation.more(command, page) if operation.more else None
            if following is None:
                return found
            command = following
        raise wire.protocol_error(
            self._spec.id, type(command).__name__, ValueError(f"more than {_PAGES} pages")
        )

    async def _resynchronize(self, cause: CambistError) -> None:
        try:
            await self.synchronize()
        except CambistError:
            raise cause from None

    async def _once(
        self,
        operation: Operation[Any, Any],
        command: Command[V],
        scope: Scope,
        credentials: Credentials | None,
        patience: int | None,
        effects: Callable[[OrderReport | Fill], None] | None,
        line: Line | None,
    ) -> V:
        over = line.operation(command) if line is not None else None
        operation = over or operation
        cost = operation.cost(command) if callable(operation.cost) else operation.cost
        if operation.cost_at is not None:
            cost = operation.cost_at(command, self._offset.now())
        with step("venue.rate_limit", venue=self._spec.id):
            permit = await self._limiter.acquire(
                cost, account_scope(credentials), command.priority, patience
            )
        operation, reply = await self._exchange(
            operation, command, credentials, permit, line if over is not None else None
        )
        failure, readable = None, True
        try:
            failure = (operation.failure or self._spec.failure)(reply.status, reply.body)
        except wire.MALFORMED:
            readable = False
        if failure is not None and failure.code in operation.already:
            return None  # type: ignore[return-value] # the operations are of commands without one
        if not readable or failure is not None or not 200 <= reply.status < 300:
            exhausted = outcome.limited_pools(self._spec, reply, failure)
            if exhausted is not None:
                # Of a pool that each instrument has, this instrument's is exhausted.
                mine = [name for name in cost if name.partition("/")[0] in exhausted]
                account = account_scope(credentials)
                delay = outcome.retry_after(self._spec, reply)
                self._limiter.pause(delay, mine or exhausted, account)
            done: Sequence[OrderReport | Fill] = ()
            if failure is not None and operation.effects is not None:
                done, failure = _effects(operation, reply, command, scope)
            if failure is not None and credentials is not None:
                failure = Failure(*map(credentials.redact, (failure.code, failure.text)))
            error = outcome.failed(self._spec, reply, failure, command.mutates)
            for value in done:
                error.metadata["replaced"] = "canceled"
                if effects is not None:
                    effects(value)
            raise error
        try:
            return read(operation, command, scope, reply.body)
        except CambistError as problem:
            if not command.mutates:
                raise
            raise outcome.unconfirmed(self._spec, problem.message, problem.metadata) from None

    def _request(
        self, operation: Operation[Any, Any], command: Command[Any], credentials: Credentials | None
    ) -> Request:
        try:
            return request.build(self._spec, operation, command, credentials, self.moment())
        except ValueError as error:
            raise self._unsigned(error) from None

    def _unsigned(self, error: ValueError) -> Refused:
        """A private key that is none, say. The words are the library's, never the key."""
        return Refused(
            Reason.VENUE_AUTHENTICATION_FAILED,
            f"the request to {self._spec.name} could not be signed ({type(error).__name__}): "
            "check the account's key",
            {"venue": self._spec.id},
        )

    async def _exchange(
        self,
        operation: Operation[Any, Any],
        command: Command[Any],
        credentials: Credentials | None,
        permit: Permit,
        line: Line | None,
    ) -> tuple[Operation[Any, Any], Reply]:
        usage: Mapping[str, int] = {}
        try:
            if line is not None:
                try:
                    _sent(operation, command, "over its websocket")
                    with step("venue.request", venue=self._spec.id, by="websocket"):
                        reply, usage = await line.send(operation, command)
                    _received(reply, credentials)
                    return operation, reply
                except NotSentError:
                    operation = self.operation(command)
                except ValueError as error:
                    raise self._unsigned(error) from None
            signed = self._request(operation, command, credentials)
            _sent(operation, command, f"{signed.method} {signed.path}")
            with step("venue.request", venue=self._spec.id, by="rest", method=signed.method):
                reply = await self._http.send(signed)
            _received(reply, credentials)
            usage = self._spec.usage(reply.headers)
            return operation, reply
        except NotSentError as error:
            traffic.tell(False, "not sent", error.__str__)
            raise outcome.not_sent(self._spec, str(error), command.mutates) from None
        except LostError as error:
            traffic.tell(False, "no answer", error.__str__)
            if command.mutates:
                raise outcome.unconfirmed(self._spec, str(error)) from None
            raise CambistError(
                Reason.VENUE_UNAVAILABLE,
                f"{self._spec.name} did not answer ({error}); try again",
                {"venue": self._spec.id},
            ) from None
        finally:
            permit.landed(usage)


def _sent(operation: Operation[Any, Any], command: Command[Any], summary: str) -> None:
    """Before it is signed: no key and no signature is in it."""
    traffic.tell(True, summary, lambda: wire.encode(operation.params(command)).decode())


def _received(reply: Reply, credentials: Credentials | None) -> None:
    def text() -> str:
        said = reply.body[: 4 * traffic.LONGEST].decode(errors="replace")
        return credentials.redact(said) if credentials is not None else said

    traffic.tell(False, str(reply.status), text)


def read(operation: Operation[Any, Any], command: Command[V], scope: Scope, body: bytes) -> V:
    """The value of a success reply; raises CambistError with VENUE_PROTOCOL_ERROR, nothing else."""
    try:
        value: V = operation.parse(wire.decode(operation.reply, body), command, scope)
    except wire.MALFORMED as error:
        what = f"{type(command).__name__} reply"
        raise wire.protocol_error(scope.venue, what, error) from None
    return value


def _effects(
    operation: Operation[Any, Any], reply: Reply, command: Command[Any], scope: Scope
) -> tuple[Sequence[OrderReport | Fill], Failure | None]:
    assert operation.effects is not None
    try:
        return operation.effects(reply.body, command, scope)
    except wire.MALFORMED:
        return (), None


def account_scope(credentials: Credentials | None) -> str:
    """Accounts with the same key share their budgets; the key itself is not to be shown."""
    if credentials is None:
        return ""
    return hashlib.sha256(credentials.api_key.encode()).hexdigest()[:12]


def _no_instrument(symbol: str) -> Any:
    raise wire.UnknownSymbol(symbol)
