"""What a venue says of an order of ours, in its own form: replies and frames of its fixtures, told
anew (tests.support.retelling). A venue takes part by its fixture folder alone.
"""

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import msgspec

from cex.engine import commands
from cex.engine.caller import read
from cex.engine.commands import Command
from cex.engine.messages import Answer as StreamAnswer
from cex.engine.messages import Ask
from core.accounts import Balance, Position
from core.errors import CambistError, Reason
from core.ids import client_order_id
from core.instruments import Instrument
from core.money import ZERO, ceil_to
from core.orders import Fill, Liquidity, Order, OrderReport, OrderRequest, OrderStatus, OrderType
from tests.support.cex_fixtures import Venue, load, names, payload
from tests.support.local_exchange import Answer
from tests.support.retelling import (
    CannotRetellError,
    Lexicon,
    at,
    emptied,
    encode,
    is_word,
    joined,
    leaves,
    lists,
    narrowed,
    put,
    records,
    retell,
)

T = TypeVar("T")

_BESIDE = (Ask, Balance, Position)  # what a frame may tell as well
_ORDER = ("client_order_id", "venue_order_id", "filled_quantity", "status")
_REPORT = (
    "client_order_id",
    "venue_order_id",
    "quantity",
    "price",
    "filled_quantity",
    "filled_notional",
    "status",
)
_FILL = (
    "trade_id",
    "client_order_id",
    "venue_order_id",
    "instrument",
    "side",
    "quantity",
    "price",
)


class OrderTemplates:
    """The fixtures of one venue as templates. All instruments but one are left out: the orders are
    of that one, and limit orders of one side."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._files: dict[str, list[dict[str, Any]]] = {}
        self._frames, example = self._find_frames()
        self.instrument: Instrument = (
            venue.instruments[example.instrument]
            if example is not None
            else next(iter(venue.instruments.values()))
        )
        side = example.side if example is not None else None
        self.side = side or self._any_request().side
        self._lexicon = _lexicon(venue, self.instrument)
        self._anyone = self.name("nobody's")
        self._made: dict[Hashable, bytes] = {}
        self._told_by: dict[Hashable, list[bytes]] = {}
        self.price = ceil_to(Decimal(30_000), self.instrument.price_tick)
        self.quantity = _enough(self.instrument, self.price)
        venue_id = example.venue_order_id if example is not None else ""
        self.venue_order_id = venue_id or self._any_venue_id()
        self.trade_id = example.trade_id if example is not None else self._any_fill().trade_id

    # -- of our order ------------------------------------------------------------------------------

    def name(self, request_id: str = "request") -> str:
        """A client order id that the venue takes."""
        return client_order_id("proof", request_id, self._venue.spec.client_id)

    def request(self, name: str = "") -> OrderRequest:
        """A limit order that the venue takes."""
        spec = self._venue.spec
        return OrderRequest(
            name,
            self._venue.account,
            spec.id,
            self.instrument.id,
            self.side,
            OrderType.LIMIT,
            self.quantity,
            self.price,
        )

    def report(
        self, request: OrderRequest, status: OrderStatus, filled: Decimal = ZERO
    ) -> OrderReport:
        """What the venue knows of it."""
        assert request.price is not None
        return OrderReport(
            request.client_order_id,
            status,
            self.venue_order_id,
            filled,
            filled * request.price,
            request.quantity,
            request.price,
        )

    def fill(self, request: OrderRequest, quantity: Decimal, number: int = 0) -> Fill:
        """A trade of it; `number` tells several apart."""
        assert request.price is not None
        return Fill(
            self._numbered(self.trade_id, number),
            self._venue.spec.id,
            self._venue.account,
            self.instrument.id,
            request.client_order_id,
            self.venue_order_id,
            request.side,
            request.price,
            quantity,
            ZERO,
            "",
            Liquidity.MAKER,
            0,
        )

    @staticmethod
    def _numbered(trade_id: str, number: int) -> str:
        if not number:
            return trade_id
        if trade_id.isdecimal():
            return str(int(trade_id) + number)
        return f"{trade_id[:-1]}{(int(trade_id[-1], 36) + number) % 10}"

    # -- replies -----------------------------------------------------------------------------------

    def reply(self, command: Command[Any], said: OrderReport, line: bool = False) -> bytes:
        """The answer to a place, a cancel or a question about the order; `line`: over the socket
        that takes orders."""
        # A question by the venue's id may have another answer than one by ours.
        numbered = isinstance(command, commands.GetOrder) and bool(command.order.venue_order_id)
        key = type(command), getattr(command, "closed", None), numbered, line, said.status
        mine = replace(said, client_order_id=self._anyone)
        return self._once(
            (*key, said.filled_quantity),
            said.client_order_id,
            make=lambda: self._reply(self._anyones(command), mine, line),
        )

    def _reply(self, command: Command[Any], said: OrderReport, line: bool) -> bytes:
        def make(template: Any, look: Callable[[Any], Any]) -> Any:
            def one(changed: Any) -> OrderReport:
                found = look(changed)
                (found,) = [found] if isinstance(found, OrderReport) else found
                assert isinstance(found, OrderReport)
                return found

            lone = narrowed(template, lambda changed: _has_report(look(changed)))
            return self._told(lone, lambda changed: _members("", one(changed), _REPORT), said)

        return self._first(command, make, line)

    def open_orders(self, command: Command[Any], orders: Sequence[Order]) -> bytes:
        """The list of open orders, all of them of our instrument."""

        def members(order: Order) -> dict[str, Any]:
            return {
                **_members("", order.request, ("instrument", "side", "quantity", "price")),
                **_members("", order, _ORDER),
            }

        mine = [replace(one, request=self.request(self._anyone)) for one in orders]
        first = not getattr(command, "cursor", "")
        key = type(command), first, *((one.status, one.filled_quantity) for one in orders)
        ids = {one.client_order_id for one in orders}
        return self._once(key, *ids, make=lambda: self._listed(command, mine, members))

    def fills(self, command: Command[Any], fills: Sequence[Fill]) -> bytes:
        """The list of our trades."""
        mine = [replace(fill, client_order_id=self._anyone) for fill in fills]
        first = not getattr(command, "cursor", "")
        key = type(command), first, *((fill.trade_id, fill.quantity) for fill in fills)
        ids = {fill.client_order_id for fill in fills}

        def members(fill: Fill) -> dict[str, Any]:
            return _members("", fill, _FILL)

        return self._once(key, *ids, make=lambda: self._listed(command, mine, members))

    def lists(self, command: Command[Any], body: bytes) -> bool:
        """Whether a reply lists anything."""
        operation = self._venue.spec.operations[type(command)]
        return bool(list(read(operation, command, self._venue.scope, body)))

    def _once(self, key: Hashable, *ids: str, make: Callable[[], bytes]) -> bytes:
        """Finding out how to tell something takes its time: it is done once, for nobody, and the
        name put in."""
        if key not in self._made:
            self._made[key] = make()
        assert len(ids) < 2, "these templates tell of one order at a time"
        name = ids[0] if ids else ""
        return self._made[key].replace(self._anyone.encode(), name.encode())

    def _anyones(self, command: Command[Any]) -> Command[Any]:
        """The same command about nobody's order."""
        request = self.request(self._anyone)
        if isinstance(command, commands.Place):
            return replace(command, request=request)
        if isinstance(command, commands.Cancel | commands.GetOrder):
            numbered = isinstance(command, commands.Cancel) or command.order.venue_order_id
            order = Order(request, OrderStatus.OPEN, self.venue_order_id if numbered else "")
            return replace(command, order=order)
        return command

    def _listed(
        self, command: Command[Any], items: Sequence[T], members: Callable[[T], dict[str, Any]]
    ) -> bytes:
        """A reply that lists exactly these, in this order."""

        def make(template: Any, look: Callable[[Any], Any]) -> Any:
            if not items:
                empty = list(look(template)) == []
                made = template if empty else emptied(template, lambda c: list(look(c)) == [])
                return self._last(command, made, look)
            if not list(look(template)):
                return self._hinted(command, template, look)
            example = min(look(template), key=_oddity)
            lone = narrowed(template, lambda changed: example in list(look(changed)))
            each = [
                retell(
                    lone,
                    lambda changed: members(look(changed)[0]),
                    members(item),
                    self._lexicon,
                )
                for item in items
            ]
            wanted = [members(look(one)[0]) for one in each]
            for path, found in lists(lone):
                for order in (each, each[::-1]) if len(found) == 1 else ():
                    whole = put(lone, {path: joined([at(one, path) for one in order])})
                    if _reads(look, whole, wanted, members):
                        return self._last(command, whole, look)
            raise CannotRetellError("no array of it can hold several")

        return self._first(command, make)

    def _hinted(self, command: Command[Any], page: Any, look: Callable[[Any], Any]) -> Any:
        """A page that lists nothing but what to ask for next: that is ours."""
        more = self._venue.spec.operations[type(command)].more
        symbols = {one.venue_symbol for one in self._venue.instruments.values()}
        ours = self.instrument.venue_symbol
        paths = [path for path, leaf in leaves(page) if leaf in symbols]
        page = put(page, dict.fromkeys(paths, ours))
        first = more(command, look(page)) if more else None
        if first is None or not paths:
            raise CannotRetellError("it lists nothing, and leads nowhere")
        cut = narrowed(page, lambda changed: any(leaf == ours for _, leaf in leaves(changed)))
        return cut if more and more(command, look(cut)) is not None else page

    def _last(self, command: Command[Any], page: Any, look: Callable[[Any], Any]) -> Any:
        """The page without its word that more of them follow, where it has one."""
        more = self._venue.spec.operations[type(command)].more
        if more is None or more(command, look(page)) is None:
            return page
        changes = [(path, type(items)()) for path, items in lists(page)]
        changes += [(p, not leaf if isinstance(leaf, bool) else "") for p, leaf in leaves(page)]
        for path, value in changes:
            trial = put(page, {path: value})
            try:
                if look(trial) == look(page) and more(command, look(trial)) is None:
                    return trial
            except Exception:  # noqa: BLE001 - a wrong guess
                continue
        return page  # it is asked for by time, say

    def time(self, now: int) -> bytes:
        """The venue's clock, to its own precision."""

        def make(template: Any, look: Callable[[Any], Any]) -> Any:
            whole, told = now // 10**9 * 10**9, look(template)
            for moment in (now // 10**6 * 10**6, whole, whole + told % 10**9):
                try:
                    return retell(
                        template,
                        lambda changed: {"time": look(changed)},
                        {"time": moment},
                        self._lexicon,
                    )
                except CannotRetellError:
                    continue
            raise CannotRetellError("no unit of time fits")

        return self._first(commands.ServerTime(), make)

    def plain(self, command: Command[Any]) -> bytes:
        """A reply as it stands in the fixtures."""
        cases = self._cases(type(command))
        assert cases, f"{self._venue.id} has no reply for {type(command).__name__}"
        return payload(cases[0])

    def failure(self, *reasons: Reason, kind: type[Command[Any]] | None = None) -> Answer | None:
        """A failure that proves nothing was done, of a command where the fixtures have it."""
        cases = [
            case
            for case in self._of("errors")
            if case["expect"]["reason"] in [reason.value for reason in reasons]
            and case["expect"]["kind"] in ("Rejected", "CambistError")
        ]
        mine = [case for case in cases if kind and case["command"] == kind.__name__]
        return next((_answer(case) for case in (*mine, *cases)), None)

    def unknown(self, command: commands.GetOrder) -> Answer:
        """The venue's "no such order"."""
        operation = self._venue.spec.operations[commands.GetOrder]
        for case in self._cases(commands.GetOrder):
            if case["expect"] is None:
                body = payload(case)
                try:
                    assert read(operation, command, self._venue.scope, body) is None
                except CambistError:
                    continue  # of another of the places where the venue keeps orders
                return Answer(body)
        found = self.failure(Reason.ORDER_NOT_FOUND, kind=commands.GetOrder)
        assert found is not None, f"{self._venue.id} has no 'no such order'"
        return found

    # -- frames ------------------------------------------------------------------------------------

    def frames(self, said: OrderReport, fill: Fill | None) -> list[bytes]:
        """What the account's stream tells of it: where the venue has no frame for trades, the order
        alone."""
        name = said.client_order_id
        key = "frames", said.status, said.filled_quantity, fill and (fill.trade_id, fill.quantity)
        if key not in self._told_by:
            mine = replace(said, client_order_id=self._anyone)
            trade = fill and replace(fill, client_order_id=self._anyone)
            self._told_by[key] = self._tell(mine, trade)
        return [one.replace(self._anyone.encode(), name.encode()) for one in self._told_by[key]]

    def _tell(self, said: OrderReport, fill: Fill | None) -> list[bytes]:
        wanted = {
            **_members("report ", said, _REPORT),
            **(_members("fill ", fill, _FILL) if fill is not None else {}),
        }
        told = []
        for kinds, template in self._frames:
            if (fill is None) != (kinds == (OrderReport,)) and (fill is None or self._together):
                continue

            def look(changed: Any) -> dict[str, Any]:
                found: dict[str, Any] = {}
                for value in self._account_values(changed):
                    if isinstance(value, OrderReport):
                        found |= _members("report ", value, _REPORT)
                    elif isinstance(value, Fill):
                        found |= _members("fill ", value, _FILL)
                return found

            mine = {name: value for name, value in wanted.items() if name in look(template)}
            told.append(encode(retell(template, look, mine, self._lexicon)))
        return told

    @property
    def tells_fills(self) -> bool:
        """Whether the account's stream tells of trades."""
        return any(Fill in kinds for kinds, _ in self._frames)

    @property
    def _together(self) -> bool:
        """Whether one frame tells of the order and its trade."""
        return any(len(kinds) > 1 for kinds, _ in self._frames)

    def _find_frames(self) -> tuple[list[tuple[tuple[type, ...], Any]], Fill | None]:
        """Frames that tell of one order and one trade, together or apart; and that trade."""
        found: dict[tuple[type, ...], Any] = {}
        example: Fill | None = None
        for kinds in ((OrderReport, Fill), (Fill,), (OrderReport,)):
            if kinds == (Fill,) and found:
                continue
            for template in self._account_frames():

                def keep(changed: Any, kinds: tuple[type, ...] = kinds) -> bool:
                    values = list(self._account_values(changed))
                    return all(
                        sum(isinstance(value, kind) for value in values) >= 1 for kind in kinds
                    ) and all(isinstance(value, (*kinds, *_BESIDE)) for value in values)

                def several(changed: Any, kinds: tuple[type, ...] = kinds) -> bool:
                    values = list(self._account_values(changed))
                    return all(any(isinstance(v, kind) for v in values) for kind in kinds)

                try:
                    if not several(template):
                        continue
                    lone = narrowed(template, several)
                    if keep(lone):
                        found[kinds] = lone
                        break
                except Exception:  # noqa: BLE001 - of another topic than we think
                    continue
        for template in found.values():
            for value in self._account_values(template):
                if isinstance(value, Fill):
                    example = value
        return list(found.items()), example

    def _account_frames(self) -> Iterator[Any]:
        for case in self._of("frames"):
            if case["stream"] == "account":
                try:
                    yield parsed(case)
                except ValueError:
                    continue  # a ping in plain text

    def _account_values(self, template: Any) -> Iterator[Any]:
        private = self._venue.spec.private
        for item in private.stream.route(encode(template)):
            if isinstance(item, tuple):
                parser = private.topics.get(item[0]) or private.topics[""]
                yield from parser(item[1], self._venue.scope)

    # ----------------------------------------------------------------------------------------------

    def _told(self, template: Any, look: Any, said: Any) -> Any:
        wanted = _members("", said, _REPORT if isinstance(said, OrderReport) else _FILL)
        return retell(template, look, wanted, self._lexicon)

    def _of(self, kind: str) -> list[dict[str, Any]]:
        """One file of the folder, read once."""
        if kind not in self._files:
            self._files[kind] = self._venue.cases(kind)
        return self._files[kind]

    def _cases(self, kind: type[Command[Any]]) -> list[dict[str, Any]]:
        return [case for case in self._of("replies") if case["command"]["command"] == kind.__name__]

    def _answers(self, kind: type[Command[Any]]) -> list[tuple[dict[str, Any], Any]]:
        """The bodies of answers over the socket that takes orders."""
        spec = self._venue.spec
        stream = (spec.entry and spec.entry.stream) or spec.private.stream
        return [
            (case, json.loads(item.body))
            for case in (self._of("entry") if spec.entry else ())
            if case["command"]["command"] == kind.__name__
            for item in stream.route(payload(case))
            if isinstance(item, StreamAnswer) and item.body[:1] in b"{["
        ]

    def _first(
        self,
        command: Command[Any],
        make: Callable[[Any, Callable[[Any], Any]], Any],
        line: bool = False,
    ) -> bytes:
        """Of the venue's replies to such a command the first that can be told so."""
        entry = self._venue.spec.entry if line else None
        operations = {**self._venue.spec.operations, **(entry.operations if entry else {})}
        operation = operations[type(command)]

        def look(changed: Any) -> Any:
            body = encode(changed)
            assert self._venue.spec.failure(200, body) is None
            return read(operation, command, self._venue.scope, body)

        problems = []
        bodies = self._answers(type(command)) if line else []
        bodies += [(case, parsed(case)) for case in self._cases(type(command))]
        for case, body in bodies:
            name = case["name"]
            try:
                # A parser may hold a reply against its command before anything else.
                return encode(make(_readdressed(body, case["command"], command), look))
            except Exception as error:  # noqa: BLE001 - told below, if no other does
                problems.append(f"{name}: {type(error).__name__} {str(error)[:300]}")
        raise CannotRetellError(
            f"{self._venue.id} {type(command).__name__}: " + "\n".join(problems)
        )

    def _any_request(self) -> OrderRequest:
        for case in self._cases(commands.Place):
            command = self._venue.command(case["command"])
            assert isinstance(command, commands.Place)
            return command.request
        raise CannotRetellError(f"{self._venue.id} has no reply to a place")

    def _any_venue_id(self) -> str:
        for case in self._cases(commands.Place):
            for said in case["expect"]:
                if said.get("venue_order_id"):
                    return str(said["venue_order_id"])
        raise CannotRetellError(f"{self._venue.id} has no venue order id")

    def _any_fill(self) -> Fill:
        case = self._cases(commands.ListFills)[0]
        command = self._venue.command(case["command"])
        operation = self._venue.spec.operations[commands.ListFills]
        found = read(operation, command, self._venue.scope, payload(case))
        assert isinstance(found[0], Fill)
        return found[0]


def _members(prefix: str, value: Any, members: Sequence[str]) -> dict[str, Any]:
    """Some members by name. Not every venue has a word for an order that is filled in part: there
    it is open, and its amounts tell the rest."""
    found = {prefix + name: getattr(value, name) for name in members}
    partly = found.get(f"{prefix}status") is OrderStatus.PARTIALLY_FILLED
    if partly and found[f"{prefix}filled_quantity"] != 0:
        found[f"{prefix}status"] = OrderStatus.OPEN
    return found


def parsed(case: Mapping[str, Any]) -> Any:
    """A fixture's payload as JSON; numbers of a text keep their spelling."""
    if "payload" in case:
        return case["payload"]
    return json.loads(case["text"], parse_float=lambda number: msgspec.Raw(number.encode()))


def _oddity(item: Any) -> bool:
    """Whether an order of a list is of a kind that ours are not."""
    if not isinstance(item, Order):
        return False
    return item.request.type is not OrderType.LIMIT or not item.client_order_id


def _readdressed(body: Any, old: Mapping[str, Any], command: Command[Any]) -> Any:
    """A fixture's reply with our order's ids for those of the fixture's command."""
    request = old.get("request", {})
    order = old.get("order", {})
    name = request.get("client_order_id") or order.get("request", {}).get("client_order_id")
    asked = getattr(command, "request", None) or getattr(command, "order", None)
    if not name or asked is None:
        return body
    found = [path for path, leaf in leaves(body) if leaf == name]
    return put(body, dict.fromkeys(found, asked.client_order_id))


def _reads(
    look: Callable[[Any], Any], whole: Any, wanted: Any, members: Callable[[Any], Any]
) -> bool:
    try:
        return bool([members(item) for item in look(whole)] == wanted)
    except Exception:  # noqa: BLE001 - a wrong guess; the parser says no in many ways
        return False


def _has_report(found: Any) -> bool:
    """Whether a reply tells of an order, whatever else it tells."""
    return any(isinstance(v, OrderReport) for v in (found if isinstance(found, list) else [found]))


def _lexicon(venue: Venue, instrument: Instrument) -> Lexicon:
    # A perpetual product speaks as its spot sister does, of which it may have few words here.
    family = [
        load(name) for name in names() if name.partition("_")[0] == venue.id.partition("_")[0]
    ]
    told = [
        case["payload"]
        for one in (venue, *family)
        for kind in ("replies", "frames")
        for case in one.cases(kind)
        if case.get("stream", "account") == "account" and "payload" in case
    ]
    words = {leaf for payload in told for _, leaf in leaves(payload) if is_word(leaf)}
    return Lexicon(
        sorted(words, key=lambda word: (len(word), word)),
        [record for payload in told for record in records(payload)],
        {one.id: one.venue_symbol for one in venue.instruments.values()},
        instrument.contract_size,
    )


def _enough(instrument: Instrument, price: Decimal) -> Decimal:
    """A quantity that the instrument's rules allow."""
    least = max(instrument.min_quantity, 2 * instrument.min_notional / price, ZERO)
    return ceil_to(max(least, instrument.quantity_step), instrument.quantity_step * 2)


def _answer(case: Mapping[str, Any]) -> Answer:
    return Answer(payload(case), case["status"], dict(case["headers"]))


@cache
def templates(name: str) -> OrderTemplates:
    """The templates of a fixture folder."""
    return OrderTemplates(load(name))
