"""The fixture folders of exchanges: `tests/fixtures/cex/<venue>/`, one JSON file a kind.

venue.json     the specification's id, credentials, clock, instruments
requests.json  a command and the exact request that it must produce
outgoing.json  frames that we send: subscriptions, logins
replies.json   a reply, the command that it answers, the value that it means
frames.json    a stream's frame and the values that it means
errors.json    a failure reply and what it proves
entry.json     (orders over a websocket) a command, its exact frame, the answer and what it means

Every payload has a `source`: `capture` (recorded), `doc` (the documentation's example, in its
shape; see SOURCES.md) or `synthetic`.
"""

import dataclasses
import enum
import functools
import json
import types
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeGuard

from cex.engine import commands
from cex.engine.credentials import Credentials
from cex.engine.messages import BookMessage, Numbered, Routed
from cex.engine.spec import ChannelSpec, Moment, PrivateSpec, Scope, StreamSpec, VenueSpec
from cex.engine.wire import UnknownSymbol
from cex.venues import catalogue
from core.instruments import Instrument
from core.money import text
from core.ports import Channel

ROOT = Path(__file__).parent.parent / "fixtures" / "cex"
SOURCES = ("capture", "doc", "synthetic")


@dataclasses.dataclass(frozen=True)
class Venue:
    """One folder."""

    id: str
    folder: Path
    spec: VenueSpec
    credentials: Credentials
    moment: Moment
    instruments: Mapping[str, Instrument]
    account: str = "main"

    def cases(self, kind: str) -> list[dict[str, Any]]:
        """The entries of one file."""
        path = self.folder / f"{kind}.json"
        if kind == "entry" and not path.exists():
            return []  # a venue with orders over a websocket but no case is found wanting elsewhere
        found: list[dict[str, Any]] = json.loads(path.read_text())
        return found

    @property
    def scope(self) -> Scope:
        """What parsers get besides the payload."""
        return Scope(self.spec.id, self.account, self._by_symbol)

    def command(self, data: Mapping[str, Any]) -> commands.Command[Any]:
        """A command from its JSON form: `{"command": "GetBook", "instrument": …, …}`."""
        fields = dict(data)
        built = self.build(getattr(commands, fields.pop("command")), fields)
        assert isinstance(built, commands.Command)
        return built

    def build(self, kind: Any, value: Any) -> Any:
        """A value of a type from its JSON form; instruments by id, enumerations by name."""
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            kinds = [k for k in typing.get_args(kind) if k is not types.NoneType]
            return None if value is None else self.build(kinds[0], value)
        if typing.get_origin(kind) is Sequence:
            return [self.build(typing.get_args(kind)[0], item) for item in value]
        if typing.get_origin(kind) is tuple:
            pairs = zip(typing.get_args(kind), value, strict=True)
            return tuple(self.build(part, item) for part, item in pairs)
        if kind is Instrument and isinstance(value, str):
            return self.instruments[value]
        if kind is Decimal:
            return Decimal(value)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return kind[value]
        if dataclasses.is_dataclass(kind):
            hints = typing.get_type_hints(kind)
            assert isinstance(kind, type)
            return kind(**{name: self.build(hints[name], item) for name, item in value.items()})
        return value

    def _by_symbol(self, symbol: str) -> Instrument:
        for instrument in self.instruments.values():
            if symbol in (instrument.venue_symbol, instrument.venue_code or None):
                return instrument
        raise UnknownSymbol(symbol)


def is_book(value: object) -> TypeGuard[BookMessage]:
    """Whether it is a message about a book; a venue's own struct of that shape counts."""
    return isinstance(value, BookMessage) or type(value).__name__ == "BookMessage"


_OURS = {"trusted"}  # what no exchange tells


def plain(value: Any) -> Any:
    """A value as JSON, for comparison with what a fixture expects; empty fields are left out."""
    if is_book(value):
        names = ["bids", "asks", "first", "last", "previous", "event_time", "whole", "best"]
        names += ["checksum", "columns"]
        return {name: plain(getattr(value, name)) for name in names if getattr(value, name)}
    if isinstance(value, Decimal):
        return text(value)
    if isinstance(value, enum.Enum):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in _OURS]
        pairs = {name: getattr(value, name) for name in names}
        shown = {name: plain(item) for name, item in pairs.items() if item not in (None, "", {})}
        return {"is": type(value).__name__, **shown}
    if isinstance(value, str | int) or value is None:
        return value
    if isinstance(value, Sequence) or hasattr(value, "__next__"):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no plain form")


@functools.cache
def load(name: str) -> Venue:
    """The folder of a venue."""
    folder = ROOT / name
    data = json.loads((folder / "venue.json").read_text())
    spec = catalogue()[data["spec"]]
    blank = Venue(name, folder, spec, Credentials("", ""), Moment(0), {})
    instruments = [blank.build(Instrument, item) for item in data["instruments"]]
    return Venue(
        name,
        folder,
        spec,
        Credentials(**data["credentials"]),
        Moment(data["now"], data.get("nonce", 0)),
        {instrument.id: instrument for instrument in instruments},
    )


def names() -> list[str]:
    """All folders."""
    return sorted(path.parent.name for path in ROOT.glob("*/venue.json"))


def payload(case: Mapping[str, Any]) -> bytes:
    """The bytes of a case: `text` as it is, or `payload` as compact JSON."""
    if "text" in case:
        return str(case["text"]).encode()
    return json.dumps(case["payload"], separators=(",", ":")).encode()


def _routed(stream: StreamSpec, frame: bytes) -> list[Routed]:
    """What a frame brings, without its number on the connection."""
    return [item for item in stream.route(frame) if not isinstance(item, Numbered)]


def account_stream(spec: VenueSpec, name: str) -> PrivateSpec:
    """The account's stream of a name: "account", "account 2", …"""
    number = int(name.removeprefix("account") or 1)
    return [spec.private, *spec.private.beside][number - 1]


def topics_of(channel: ChannelSpec, instrument: Instrument, interval: int) -> dict[str, Any]:
    """All topics of a channel with their parsers, whichever streams carry them."""
    found = dict(channel.topics(instrument, interval))
    for topics in channel.beside.values():
        found |= topics(instrument, interval)
    return found


def frame_values(venue: Venue, case: Mapping[str, Any]) -> Any:
    """What a frame of `frames.json` means: routed, and data parsed by its topic's parser."""
    spec, where = venue.spec, case["stream"]
    found: list[Any] = []
    if where.startswith("account"):
        private = account_stream(spec, where)
        for item in _routed(private.stream, payload(case)):
            if isinstance(item, tuple):
                found.extend(private.topics[item[0]](item[1], venue.scope))
            else:
                found.append(item)
    elif where in spec.streams:
        routed = _routed(spec.streams[where], payload(case))
        found.extend(item[0] if isinstance(item, tuple) else item for item in routed)
    else:
        channel = spec.channels[Channel[where]]
        instrument = venue.instruments[case["instrument"]]
        topics = topics_of(channel, instrument, case.get("interval", 0))
        for item in _routed(spec.streams[channel.stream], payload(case)):
            assert isinstance(item, tuple), f"{item} is no data"
            found.extend(topics[item[0]](item[1], instrument, 0))
    return plain(found)
