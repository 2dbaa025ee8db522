"""An order book of any venue that goes on for ever, in the venue's own frames: a fixture's frame as
a form, filled in with running numbers, times and levels.

    book = RunningBook(load("okx"))
    book.opening()   # frames with which the stream begins, where it begins with the book
    book.snapshot()  # the reply by REST
    book.change()    # the next frame

What a form's places mean is found by trying (tests.support.retelling), once; filling it in costs a
few microseconds. `truth` is the book that a reader must have.
"""

import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from cex.engine import commands
from cex.engine.caller import read
from cex.engine.messages import BookMessage, Numbered
from cex.engine.spec import MarketParser, Start
from core.books import OrderBook
from core.instruments import Instrument
from core.money import ceil_to, text
from core.ports import Channel
from tests.support.cex_fixtures import Venue, is_book
from tests.support.retelling import (
    CannotRetellError,
    Lexicon,
    Path,
    at,
    encode,
    leaves,
    put,
    retell,
)

Row = tuple[str, str]  # price, quantity in base units
_DEPTH = 25  # levels a side, at least as many as any checksum looks at
_FIRST = 7_000_000_011  # the number that a book begins with; no fixture has it
_MARK = {"first": 7_111_111_101, "last": 7_111_111_203, "previous": 7_111_111_307}
_NUMBER, _TIME = 7_111_111_409, 1_711_111_111 * 10**9


@dataclass(frozen=True)
class Side:
    """Where a form has the rows of a side, one row of it, and the keys of price and quantity."""

    where: Path
    row: Any
    price: Any
    quantity: Any
    number: Any = None  # where each row has the book's number as well

    def filled(self, rows: Sequence[Row], contract: Decimal, number: int) -> list[Any]:
        """Rows in the venue's form."""
        found = []
        for price, quantity in rows:
            row = copy.copy(self.row)
            amount = quantity if contract == 1 else text(Decimal(quantity) / contract)
            changes = [(self.price, price), (self.quantity, amount)]
            if self.number is not None:
                changes.append((self.number, str(number)))
            for key, value in changes:
                row[key] = value if isinstance(row[key], str) else msgspec.Raw(value.encode())
            found.append(row)
        return found


@dataclass
class Form:
    """A frame, or a reply, with its places."""

    payload: Any
    sides: tuple[Side, Side]
    steps: Mapping[str, int] = field(default_factory=dict)  # of its numbers, from `last` before
    places: Mapping[Path, str] = field(default_factory=dict)  # path -> what stands there

    def write(self, values: Mapping[str, Any], bids: Any, asks: Any, contract: Decimal) -> bytes:
        """The payload with values and rows in their places."""
        changes: dict[Path, Any] = {}
        for path, name in self.places.items():
            old, value = at(self.payload, path), values[name.partition(":")[0]]
            if name.startswith("time:"):
                value = _clock(value, name.partition(":")[2])
            changes[path] = str(value) if isinstance(old, str) else msgspec.Raw(str(value).encode())
        rows: dict[Path, list[Any]] = {}
        for side, levels in zip(self.sides, (bids, asks), strict=True):
            found = side.filled(levels, contract, values["last"])
            rows.setdefault(side.where, []).extend(found)
        return encode(put(put(self.payload, rows), changes))


class RunningBook:
    """One book; see the module. Levels keep to their side of a price that stands still, so that
    whatever is changed the book is not crossed."""

    def __init__(self, venue: Venue, seed: int = 7) -> None:
        self._venue = venue
        channel = venue.spec.channels[Channel.BOOK]
        assert channel.book is not None
        self._channel = channel
        self._chance = random.Random(seed)
        wholes: list[dict[str, Any]] = []
        changes: list[dict[str, Any]] = []
        for case in venue.cases("frames"):
            if case["stream"] == "BOOK" and not (case.get("expect") or [{}])[0].get("best"):
                (wholes if case["expect"][0].get("whole") else changes).append(case)
        self.start = channel.book.start
        case = (changes or wholes)[0]
        self.instrument: Instrument = venue.instruments[case["instrument"]]
        self.rule = channel.book.of(self.instrument)
        self._whole = self._form(wholes[0]) if wholes and self.start is not Start.REST else None
        self._change = self._form(case, self._whole)
        self._reply = self._reply_form() if self.start is Start.REST else None
        self.sequence = _FIRST
        self.number = 0
        self.now: Callable[[], int] = lambda: _TIME
        self.truth = OrderBook()
        self._begin()

    # -- what the venue sends ----------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """The whole book by REST."""
        assert self._reply is not None
        return self._write(self._reply, *self._rows(), self.sequence)

    def opening(self) -> list[bytes]:
        """What a subscription begins with; nothing where the book is asked for by REST."""
        if self._whole is None:
            return []
        return [self._write(self._whole, *self._rows(), self.sequence)]

    def change(self, stamp: str = "") -> bytes:
        """The next frame; `stamp` is the quantity of its first bid, the best of a whole book."""
        before = self.sequence
        self.sequence += 1 + (self._steps if self._change.steps.get("first") else 0)
        bids, asks = self._drawn(-1, stamp), self._drawn(1)
        self.truth.apply(bids, asks)
        if self.rule.trim:
            self.truth.trim(self.rule.trim)
        if self.start is Start.WHOLE:
            bids, asks = self._rows()
        return self._write(self._change, bids, asks, before)

    def columns(self) -> Any:
        """The book that a reader must have, as deep as it is told."""
        return self.truth.snapshot()

    # ----------------------------------------------------------------------------------------------

    @property
    def _steps(self) -> int:
        return 2

    def _begin(self) -> None:
        self._middle = ceil_to(Decimal(3000), self.instrument.price_tick)
        levels = [
            [(self._price(sign * n), self._amount()) for n in range(1, _DEPTH + 1)]
            for sign in (-1, 1)
        ]
        self.truth.load(*levels)
        if self.rule.trim:
            self.truth.trim(self.rule.trim)

    def _price(self, away: int) -> str:
        return text(self._middle + away * self.instrument.price_tick)

    def _amount(self) -> str:
        step = self.instrument.quantity_step
        return text(step * self._chance.randrange(1, 10_000_000))

    def _drawn(self, sign: int, stamp: str = "") -> list[Row]:
        """One to three levels of a side, one of them perhaps taken away; the best stays."""
        found = {}
        if stamp:
            found[self._price(sign)] = stamp
        for _ in range(self._chance.randrange(1, 4)):
            away = self._chance.randrange(2, _DEPTH + 1)
            gone = self._chance.random() < 0.2
            found[self._price(sign * away)] = "0" if gone else self._amount()
        return list(found.items())

    def _rows(self) -> tuple[list[Row], list[Row]]:
        bids, asks = self.truth.snapshot()
        return list(zip(*bids, strict=True)), list(zip(*asks, strict=True))

    def _write(self, form: Form, bids: Any, asks: Any, before: int) -> bytes:
        values: dict[str, Any] = {
            "last": self.sequence,
            "first": before + 1,
            "previous": before,
            "number": self.number,
            "time": self.now(),
            "checksum": self.rule.checksum(self.truth) if self.rule.checksum else 0,
        }
        if "number" in form.places.values():
            self.number += 1
        return form.write(values, bids, asks, self.instrument.contract_size)

    # -- finding the places ------------------------------------------------------------------------

    def _messages(self, payload: Any) -> Iterator[BookMessage]:
        topics: Mapping[str, MarketParser] = self._channel.topics(self.instrument, 0)
        stream = self._venue.spec.streams[self._channel.stream]
        for item in stream.route(encode(payload)):
            if isinstance(item, tuple):
                for message in topics[item[0]](item[1], self.instrument, 0):
                    assert is_book(message)
                    yield message

    def _look(self, payload: Any) -> dict[str, Any]:
        (message,) = self._messages(payload)
        # Less than nothing stands for "none before".
        found: dict[str, Any] = {name: max(getattr(message, name), 0) or None for name in _MARK}
        stream = self._venue.spec.streams[self._channel.stream]
        numbers = [i.number for i in stream.route(encode(payload)) if isinstance(i, Numbered)]
        found["number"] = numbers[0] if numbers else None
        found["time"] = message.event_time or None
        found["checksum"] = message.checksum
        found["whole"] = message.whole
        return found

    def _form(self, case: Mapping[str, Any], other: Form | None = None) -> Form:
        self.instrument = self._venue.instruments[case["instrument"]]
        payload = _parsed(case)
        (message,) = self._messages(payload)
        sides = self._sides(payload, message, other)
        return self._placed(payload, sides, self._look)

    def _reply_form(self) -> Form:
        command = commands.GetBook(self.instrument, 100)
        operation = self._venue.spec.operations[commands.GetBook]

        def message(payload: Any) -> BookMessage:
            found = read(operation, command, self._venue.scope, encode(payload))
            assert is_book(found)
            return found

        def look(payload: Any) -> dict[str, Any]:
            found = message(payload)
            return {"last": found.last or None, "time": found.event_time or None}

        for case in self._venue.cases("replies"):
            if case["command"]["command"] == "GetBook":
                payload = _parsed(case)
                try:
                    sides = self._sides(payload, message(payload), None)
                    return self._placed(payload, sides, look)
                except (CannotRetellError, AssertionError):
                    continue
        raise CannotRetellError(f"{self._venue.id} has no reply with a book")

    def _placed(self, payload: Any, sides: tuple[Side, Side], look: Any) -> Form:
        """Finds where the numbers stand: each is made one that nothing else is."""
        told = look(payload)
        steps = {name: 1 for name in _MARK if told.get(name) is not None}
        places: dict[Path, str] = {}
        if told.get("checksum") is not None:
            places |= {p: "checksum" for p, v in leaves(payload) if v == told["checksum"]}
        marks = {**_MARK, "number": _NUMBER, "time": _TIME}
        wanted = {name: marks[name] for name in marks if told.get(name) is not None}
        # A time that is the book's number as well may not be told by itself.
        for name, value in wanted.items():
            try:
                payload = retell(payload, look, {name: value}, Lexicon())
            except CannotRetellError:
                if name != "time":
                    raise
        for path, leaf in leaves(payload):
            if any(path[: len(side.where)] == side.where for side in sides):
                continue
            for name, value in wanted.items():
                unit = _unit(leaf, value) if name == "time" else ""
                if (name != "time" and str(leaf_text(leaf)) == str(value)) or unit:
                    places[path] = f"time:{unit}" if unit else name
        return Form(payload, sides, steps, places)

    def _sides(self, payload: Any, message: BookMessage, other: Form | None) -> tuple[Side, Side]:
        if message.columns is not None:
            bids, asks = (list(zip(*side, strict=True)) for side in message.columns)
        else:
            bids, asks = list(message.bids), list(message.asks)
        numbers = range(message.first or message.last, message.last + 1)
        contract = self.instrument.contract_size
        found = [_side(payload, rows, contract, numbers) for rows in (bids, asks)]
        if other is not None:
            found = [mine or theirs for mine, theirs in zip(found, other.sides, strict=True)]
        if None in found:
            raise CannotRetellError(f"{self._venue.id}: a frame that shows no row of a side")
        return found[0], found[1]  # type: ignore[return-value]


def leaf_text(leaf: Any) -> str:
    """A leaf as it is spelled."""
    return bytes(leaf).decode() if isinstance(leaf, msgspec.Raw) else str(leaf)


def _unit(leaf: Any, value: int) -> str:
    """How a leaf tells a time: a divisor of nanoseconds, or the digits behind a date's second."""
    spelled = leaf_text(leaf)
    for unit in (1, 10**3, 10**6, 10**9):
        if spelled == str(value // unit):
            return str(unit)
    if isinstance(leaf, str) and spelled.startswith(_clock(value, "iso0")[:19]):
        return f"iso{len(spelled.partition('.')[2].rstrip('Z'))}"
    return ""


def _clock(now: int, unit: str) -> str:
    if not unit.startswith("iso"):
        return str(now // int(unit))
    whole = datetime.fromtimestamp(now // 10**9, UTC)
    digits = int(unit[3:])
    return (
        f"{whole:%Y-%m-%dT%H:%M:%S}" + (f".{now % 10**9:09}"[: digits + 1] if digits else "") + "Z"
    )


def _side(payload: Any, rows: Sequence[Any], contract: Decimal, numbers: range) -> Side | None:
    """The place of the first row: an object that holds its price and its quantity."""
    for price, quantity, *_ in rows:
        for path, leaf in leaves(payload):
            if len(path) < 2 or not _equal(leaf, Decimal(price)):
                continue
            row = at(payload, path[:-1])
            pairs = list(row.items() if isinstance(row, dict) else enumerate(row))
            for key, value in pairs:
                if key != path[-1] and _equal(value, Decimal(quantity) / contract):
                    counted = [k for k, v in pairs if k not in (key, path[-1]) and _in(v, numbers)]
                    number = counted[0] if counted else None
                    return Side(path[:-2], _frozen(row), path[-1], key, number)
    return None


def _in(leaf: Any, numbers: range) -> bool:
    spelled = leaf_text(leaf)
    return spelled.isdecimal() and int(spelled) > 0 and int(spelled) in numbers


def _frozen(row: Any) -> Any:
    """A row whose numbers are plain, so that it can be copied."""
    return json.loads(encode(row))


def _equal(leaf: Any, value: Decimal) -> bool:
    try:
        return not isinstance(leaf, bool | None) and Decimal(leaf_text(leaf)) == value
    except ArithmeticError:
        return False


def _parsed(case: Mapping[str, Any]) -> Any:
    if "payload" in case:
        return case["payload"]
    return json.loads(case["text"], parse_float=lambda number: msgspec.Raw(number.encode()))
