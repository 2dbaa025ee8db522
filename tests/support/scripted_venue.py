"""Any exchange of the catalogue as a local server, made of its fixtures: an account with orders,
fills and a stream, that a test can have misbehave.

    async with ScriptedVenue("okx") as server:
        market = server.market(clock)
        server.meets[commands.Place] = lambda command: Answer(hang=True)

Requests arrive over real sockets. Which command one carries is known because this watches
`cex.engine.request.build`, and what it means to the venue is in the command: no venue's format is
written or read here (tests.support.order_templates does that by trying). Subscriptions and logins
are confirmed by frames of our own, because a fixture of a confirmation fits its own question only;
the venue's real ones are the conformance suite's business.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from cex.engine import commands, request
from cex.engine.commands import Command
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.messages import Ack, Numbered, Outgoing, Routed
from cex.engine.messages import Answer as StreamAnswer
from cex.engine.spec import (
    Moment,
    Operation,
    OrderEntry,
    PrivateSpec,
    Request,
    Session,
    StreamSpec,
    VenueSpec,
)
from core.accounts import Balance
from core.clock import Clock, ManualClock
from core.errors import Reason
from core.money import ZERO
from core.orders import FINAL, Fill, Order, OrderReport, OrderRequest, OrderStatus
from tests.support.cex_fixtures import Venue, load
from tests.support.local_exchange import Answer, LocalExchange, Seen, Socket
from tests.support.order_templates import OrderTemplates, templates
from tests.support.retelling import CannotRetellError, Lexicon, encode, retell

_CONFIRMED = b"\x00confirmed "
_ANSWERED = b"\x00answered "
RICH = Decimal(10) ** 12


@dataclass
class Resting:
    """An order that the venue has."""

    request: OrderRequest
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = ZERO
    fills: list[Fill] = field(default_factory=list)


Meets = Callable[[Any], Answer | None]


class Confirmations:
    """Stands in for a venue's "subscribed" and "logged in": each frame of ours is confirmed by one
    that names its keys."""

    def __init__(self) -> None:
        self._keys: dict[bytes, tuple[str, ...]] = {}
        self._calls: dict[bytes, tuple[str, Command[Any]]] = {}
        self._subscribing: set[bytes] = set()

    def called(self, frame: bytes) -> tuple[str, Command[Any]] | None:
        """The key and the command of a frame that carries one."""
        return self._calls.get(frame)

    @staticmethod
    def reply(key: str, answer: Answer) -> bytes:
        """The frame that answers a command."""
        headers = {name.lower(): value for name, value in answer.headers.items()}
        said = {"key": key, "status": answer.status, "headers": headers}
        return _ANSWERED + json.dumps({**said, "body": answer.body.decode()}).encode()

    def listen(self, entry: OrderEntry) -> OrderEntry:
        """The same for orders over a socket."""

        def write(word: str, command: Any, params: Any, session: Session) -> Outgoing | None:
            frame = entry.write(word, command, params, session)
            if frame is not None:
                self._calls[frame.payload] = frame.keys[0], command
            return frame

        stream = entry.stream
        return replace(entry, write=write, stream=stream and self.watch(stream))

    def answer(self, frame: bytes) -> bytes | None:
        """What confirms a frame of ours; None for one that waits for nothing."""
        keys = self._keys.get(frame)
        return _CONFIRMED + json.dumps(keys).encode() if keys else None

    def subscribes(self, frame: bytes) -> bool:
        """Whether it asks for topics."""
        return frame in self._subscribing

    def watch(self, stream: StreamSpec) -> StreamSpec:
        """The stream with its frames noted, confirmed as above, and at any pace."""

        def noted(make: Callable[..., Sequence[Outgoing]]) -> Callable[..., Sequence[Outgoing]]:
            def made(*arguments: Any) -> Sequence[Outgoing]:
                frames = list(make(*arguments))
                self._keys.update({frame.payload: frame.keys for frame in frames})
                if make is stream.subscribe:
                    self._subscribing |= {frame.payload for frame in frames}
                return frames

            return made

        def route(payload: bytes) -> Iterable[Routed]:
            if payload.startswith(_CONFIRMED):
                return [Ack(key) for key in json.loads(payload.removeprefix(_CONFIRMED))]
            if payload.startswith(_ANSWERED):
                said = json.loads(payload.removeprefix(_ANSWERED))
                body = said.pop("body").encode()
                return [StreamAnswer(**said, body=body)]
            return stream.route(payload)

        return replace(
            stream,
            route=route,
            opening=[noted(step) for step in stream.opening],
            subscribe=noted(stream.subscribe),
            unsubscribe=noted(stream.unsubscribe),
            frame_interval=0,
            greeting="",
        )

    def watch_private(self, spec: PrivateSpec) -> PrivateSpec:
        """The same for an account's connections."""
        beside = [self.watch_private(one) for one in spec.beside]
        return replace(spec, stream=self.watch(spec.stream), beside=beside)


def local_hosts(hosts: Iterable[tuple[str, str]], exchange: LocalExchange) -> dict[str, str]:
    """A venue's hosts, on this machine; paths stay."""
    return {
        name: (exchange.ws if url.startswith("ws") else exchange.http) + urlsplit(url).path
        for name, url in hosts
    }


def numbered(stream: StreamSpec, frame: bytes, number: int) -> bytes:
    """A frame with this number, where the venue numbers its frames."""

    def look(payload: Any) -> dict[str, Any]:
        items = stream.route(encode(payload))
        return {"number": next((i.number for i in items if isinstance(i, Numbered)), None)}

    return encode(retell(json.loads(frame), look, {"number": number}, Lexicon()))


class ScriptedVenue:
    """See the module. `meets` replaces the answer to a kind of command; where it gives None, the
    venue answers as usual."""

    def __init__(self, name: str, line: bool = False) -> None:
        """`line`: orders go over a socket, where the venue takes them there."""
        self.line = line
        self.venue: Venue = load(name)
        self.templates: OrderTemplates = templates(name)
        self.exchange = LocalExchange()
        self.confirmations = Confirmations()
        self.orders: dict[str, Resting] = {}
        self.meets: dict[type[Command[Any]], Meets] = {}
        self.arrived: list[Command[Any]] = []
        self.times: list[int] = []  # the moments that requests were made for
        self.problems: list[str] = []  # of ours: no template, an order that came twice
        self.skew = 0  # ns that the venue's clock is ahead
        self.clock: Clock = ManualClock(self.venue.moment.now)
        self.spec = self._spec(self.venue.spec)
        self._made: dict[tuple[str, str, bytes], Command[Any]] = {}
        self._build = request.build
        self._numbers = 0
        self._listed = False  # whether the open orders were told on a page before

    # -- the engine's side -------------------------------------------------------------------------

    def market(self, clock: Clock) -> ExchangeVenue:
        """The engine, pointed here."""
        self.clock = clock
        hosts = local_hosts(self.spec.hosts.items(), self.exchange)
        return ExchangeVenue(self.spec, clock, hosts)

    @property
    def credentials(self) -> Credentials:
        """The fixtures'."""
        return self.venue.credentials

    def _spec(self, spec: VenueSpec) -> VenueSpec:
        operations = dict(spec.operations)
        known = list(self.venue.instruments.values())
        base, quote = self.templates.instrument.base, self.templates.instrument.quote

        def rich(raw: Any, command: Any, scope: Any) -> list[Balance]:
            return [Balance(scope.account, scope.venue, a, RICH, RICH) for a in (base, quote)]

        # What these say matters to the tests, what the fixtures say would not fit them.
        for kind, parse in (
            (commands.ListInstruments, lambda raw, command, scope: known),
            (commands.GetBalances, rich),
            (commands.GetPositions, lambda raw, command, scope: []),
        ):
            if kind in operations:
                operations[kind] = replace(
                    operations[kind], reply=msgspec.Raw, parse=parse, more=None
                )
        return replace(
            spec,
            operations=operations,
            streams={
                name: self.confirmations.watch(stream) for name, stream in spec.streams.items()
            },
            private=self.confirmations.watch_private(spec.private),
            entry=self.confirmations.listen(spec.entry) if self.line and spec.entry else None,
            # A clock that stands still never opens the next window.
            pools=[replace(pool, limit=pool.limit * 1000) for pool in spec.pools],
        )

    # -- the venue's side --------------------------------------------------------------------------

    def asked(self, kind: type[Command[Any]]) -> list[Command[Any]]:
        """The commands of a kind that arrived so far."""
        return [command for command in self.arrived if type(command) is kind]

    def accept(self, command: commands.Place) -> Resting:
        """The order is on the book now, whatever is answered."""
        resting = self.orders[command.request.client_order_id] = Resting(command.request)
        return resting

    def fill(self, name: str, part: Decimal | None = None, tell: bool = True) -> list[bytes]:
        """Trades an order, whole or a part; the frames that tell of it, sent if `tell`."""
        resting = self.orders[name]
        quantity = part or resting.request.quantity - resting.filled
        resting.filled += quantity
        whole = resting.filled == resting.request.quantity
        if resting.status not in FINAL or whole:
            resting.status = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
        fill = self.templates.fill(resting.request, quantity, len(resting.fills))
        resting.fills.append(fill)
        frames = self.frames(resting, fill)
        if tell:
            self.tell(*frames)
        return frames

    def cancel(self, name: str, tell: bool = True) -> list[bytes]:
        """Ends an order; the frames that tell of it, sent if `tell`."""
        resting = self.orders[name]
        resting.status = OrderStatus.CANCELED
        frames = self.frames(resting)
        if tell:
            self.tell(*frames)
        return frames

    def report(self, resting: Resting) -> OrderReport:
        """What the venue knows of an order."""
        return self.templates.report(resting.request, resting.status, resting.filled)

    def frames(self, resting: Resting, fill: Fill | None = None) -> list[bytes]:
        """What the stream tells of an order as it is now; numbered on where the venue numbers."""
        found = []
        for frame in self.templates.frames(self.report(resting), fill):
            self._numbers += 1
            found.append(numbered(self.venue.spec.private.stream, frame, self._numbers))
        return found

    def tell(self, *frames: bytes) -> None:
        """Sends frames on all connections."""
        for socket in self.exchange.sockets:
            socket.send(*frames)

    def drop(self) -> None:
        """Breaks all websockets."""
        for socket in list(self.exchange.sockets):
            socket.drop()

    # ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.exchange.__aenter__()
        self.exchange.otherwise = self._answer
        self.exchange.on_frame = self._frame
        request.build = self._watched
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        request.build = self._build
        await self.exchange.__aexit__(kind, error, trace)
        assert not self.problems, self.problems

    def _watched(
        self,
        spec: VenueSpec,
        operation: Operation[Any, Any],
        command: Command[Any],
        credentials: Credentials | None,
        moment: Moment,
    ) -> Request:
        made = self._build(spec, operation, command, credentials, moment)
        if spec is self.spec:
            path = urlsplit(self.spec.hosts[made.host]).path + made.target
            self._made[made.method, path, made.body] = command
            if operation.signed:
                self.times.append(moment.now)
        return made

    def _frame(self, socket: Socket, payload: bytes) -> None:
        confirmation = self.confirmations.answer(payload)
        if confirmation is not None:
            socket.send(confirmation)
        called = self.confirmations.called(payload)
        if called is not None:
            answer = self._meet(called[1], line=True)
            if answer.drop:
                socket.drop()
            elif not answer.hang:
                socket.send(self.confirmations.reply(called[0], answer))

    def _answer(self, seen: Seen) -> Answer:
        return self._meet(self._made[seen.method, seen.target, seen.body])

    def _meet(self, command: Command[Any], line: bool = False) -> Answer:
        self.arrived.append(command)
        try:
            met = self.meets.get(type(command), lambda command: None)(command)
            return met if met is not None else self.usual(command, line)
        except Exception as problem:
            self.problems.append(f"{type(command).__name__}: {problem!r}")
            raise

    def usual(self, command: Command[Any], line: bool = False) -> Answer:
        """What the venue answers when nothing is wrong with it."""
        match command:
            case commands.ServerTime():
                return Answer(self.templates.time(self.clock.now() + self.skew))
            case commands.Place(request=asked):
                return self._placed(command, self.orders.get(asked.client_order_id), line)
            case commands.Cancel():
                return self._canceled(command, line)
            case commands.GetOrder():
                resting = self._find(command.order)
                if resting is None:
                    return self.templates.unknown(command)
                return Answer(self.templates.reply(command, self.report(resting)))
            case commands.ListOpenOrders():
                return self._opened(command)
            case commands.ListFills():
                return Answer(self.templates.fills(command, self._recent()))
            case _:
                return Answer(self._localized(self.templates.plain(command)))

    def _opened(self, command: commands.ListOpenOrders) -> Answer:
        """Some venues tell of open orders in several places; each order is in one."""
        orders = [] if command.cursor and self._listed else self._open()
        try:
            body = self.templates.open_orders(command, orders)
        except CannotRetellError:
            if not command.cursor:
                raise
            # The place of another kind of order; ours came when its own had been told.
            body = self.templates.open_orders(command, ())
        self._listed = self.templates.lists(command, body) or bool(command.cursor and self._listed)
        return Answer(body)

    def _placed(self, command: commands.Place, known: Resting | None, line: bool) -> Answer:
        assert known is None, "one order was sent twice"
        self.accept(command)
        said = self.templates.report(command.request, OrderStatus.OPEN)
        return Answer(self.templates.reply(command, said, line))

    def _canceled(self, command: commands.Cancel, line: bool) -> Answer:
        resting = self._find(command.order)
        if resting is None or resting.status in FINAL:
            return self.too_late()
        frames = self.cancel(resting.request.client_order_id, tell=False)
        try:
            return Answer(self.templates.reply(command, self.report(resting), line))
        except CannotRetellError:  # it is taken down only; what becomes of it, the stream tells
            self.tell(*frames)
            said = self.templates.report(resting.request, OrderStatus.OPEN)
            return Answer(self.templates.reply(command, said, line))

    def too_late(self) -> Answer:
        """The venue's "there is nothing left to cancel"."""
        found = self.templates.failure(
            Reason.ORDER_FINAL, Reason.ORDER_NOT_FOUND, kind=commands.Cancel
        )
        assert found is not None, f"{self.venue.id} has no error for a cancel that comes too late"
        return found

    def _find(self, order: Order) -> Resting | None:
        named = self.orders.get(order.client_order_id)
        if named is None and order.venue_order_id == self.templates.venue_order_id:
            named = next(iter(self.orders.values()), None)
        return named

    def _open(self) -> list[Order]:
        return [
            Order(
                resting.request,
                resting.status,
                self.templates.venue_order_id,
                resting.filled,
                resting.filled * (resting.request.price or ZERO),
            )
            for resting in self.orders.values()
            if resting.status not in FINAL
        ]

    def _recent(self) -> list[Fill]:
        return [fill for resting in self.orders.values() for fill in resting.fills]

    def _localized(self, body: bytes) -> bytes:
        """A token's reply may say where to connect."""
        text = body.decode()
        for scheme in ("wss://", "ws://"):
            head, found, rest = text.partition(scheme)
            if found:
                host = rest.partition('"')[0].partition("/")[0]
                text = f"{head}{self.exchange.ws}{rest[len(host) :]}"
                break
        return text.encode()
