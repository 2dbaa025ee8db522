"""Whatever a venue sends, a connection's task goes on, and what escapes a reply is an error of the
contract. Payloads are the fixtures' own, changed at random; for each venue by its folder alone."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cex.engine import outcome, wire
from cex.engine.account import ExchangeAccount
from cex.engine.caller import read
from cex.engine.credentials import Credentials
from cex.engine.feeds import BookUpstream, Upstream
from cex.engine.http import Reply
from cex.engine.market import ExchangeVenue
from cex.engine.spec import Failure, StreamSpec
from cex.engine.user_stream import UserStream
from cex.engine.websocket import Connection, FrameRefused
from core.clock import ManualClock
from core.errors import CambistError, Reason, Rejected, Unconfirmed
from core.market import BookState
from core.orders import Fill, OrderReport
from core.ports import Channel
from tests.support.cex_fixtures import Venue, load, names, payload
from tests.support.retelling import at, encode, put

# Enough for each change, and the same each time. For a search: CAMBIST_EXAMPLES=2000.
_WANTED = int(os.environ.get("CAMBIST_EXAMPLES", "0"))
FEW = settings(
    max_examples=_WANTED or 12,
    derandomize=not _WANTED,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

_NUMBERS = st.sampled_from(
    [0, -1, 10**30, -(10**40), 2**63, 1.5, 1e308, -0.0, 10**400, "NaN", "Infinity", "-0", "1e999",
     "1E-400", "0x10", "1_000", "١٢", "9" * 5000, "1.", ".5", "+1", " 1", "1 "]
)  # fmt: skip
_WORDS = st.text(max_size=30) | st.sampled_from(
    ["", "null", "true", "\x00", "\ud800", "'; DROP", "../..", "a" * 20_000]
)
_NESTED = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_DEEP = st.integers(1, 3000).map(lambda depth: b"[" * depth + b"]" * depth)
_BYTES = st.one_of(
    st.binary(max_size=60),
    _DEEP,
    st.sampled_from(
        [b"", b"\xff\xfe\x00", b"null", b"[]", b"{}", b'""', b"0", b"{", b"[[[", b"<html>", b"NaN",
         b'{"a":NaN}', b"\xef\xbb\xbf{}", b'{"a":1}{"b":2}', b"\x1f\x8b\x08", b"ping"]
    ),
)  # fmt: skip


@cache
def cases(name: str, kind: str) -> list[dict[str, Any]]:
    """A file of a venue's folder."""
    return load(name).cases(kind)


def parsed(case: dict[str, Any]) -> Any:
    """A case's payload as JSON; None where it is none."""
    try:
        return json.loads(payload(case))
    except ValueError:
        return None


@st.composite
def spoilt(draw: st.DrawFn, original: Any) -> bytes:
    """A payload with some of its nodes dropped, replaced, doubled or moved."""
    changed = original
    for _ in range(draw(st.integers(1, 3))):
        paths = [path for path, _ in _nodes(changed)]
        path = draw(st.sampled_from(paths))
        way = draw(st.sampled_from(("replace", "drop", "double", "swap")))
        if way == "drop" and path:
            parent = at(changed, path[:-1])
            kept: Any
            if isinstance(parent, dict):
                kept = {key: value for key, value in parent.items() if key != path[-1]}
            else:
                kept = [value for n, value in enumerate(parent) if n != path[-1]]
            changed = put(changed, {path[:-1]: kept})
        elif way == "double" and path and isinstance(at(changed, path[:-1]), list):
            parent = at(changed, path[:-1])
            changed = put(changed, {path[:-1]: [*parent, *parent]})
        elif way == "swap":
            other = draw(st.sampled_from(paths))
            changed = put(changed, {path: at(changed, other)})
        else:
            changed = put(changed, {path: draw(_NESTED)})
    try:
        return json.dumps(changed).encode(errors="surrogatepass")
    except (ValueError, RecursionError):
        return encode(original)


def _nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _nodes(item, (*path, key))


@st.composite
def hostile(draw: st.DrawFn, name: str, kind: str) -> tuple[dict[str, Any], bytes]:
    """A case of a venue's, and what the venue sends in its place."""
    case = draw(st.sampled_from(cases(name, kind)))
    original = parsed(case)
    if original is None or draw(st.integers(0, 9)) == 0:
        return case, draw(_BYTES)
    body = draw(spoilt(original))
    cut = draw(st.integers(0, 19))
    return case, body[: len(body) // 2] if cut == 0 else body


@pytest.mark.parametrize("name", names())
@FEW
@given(data=st.data())
def test_a_reply_is_read_or_a_protocol_error(name: str, data: st.DataObject) -> None:
    venue = load(name)
    case, body = data.draw(hostile(name, "replies"))
    command = venue.command(case["command"])
    operation = venue.spec.operations[type(command)]
    problem: CambistError | None = None
    try:
        value = read(operation, command, venue.scope, body)
    except CambistError as error:
        problem = error
    else:
        if operation.more is not None and isinstance(value, list):
            with suppress(*wire.MALFORMED):
                operation.more(command, value)
    if problem is not None:
        assert problem.reason is Reason.VENUE_PROTOCOL_ERROR
        assert venue.credentials.secret not in problem.message


@pytest.mark.parametrize("name", names())
@FEW
@given(data=st.data(), status=st.sampled_from([200, 400, 403, 404, 418, 429, 500, 503]))
def test_a_failure_is_judged_whatever_it_says(name: str, data: st.DataObject, status: int) -> None:
    """As cex.engine.caller judges; a place is never rejected by what nobody can read."""
    venue = load(name)
    _, body = data.draw(hostile(name, "errors"))
    failure: Failure | None = None
    with suppress(*wire.MALFORMED):
        failure = venue.spec.failure(status, body)
    for mutates in (True, False):
        error = outcome.failed(venue.spec, Reply(status, {}, body), failure, mutates)
        assert isinstance(error, CambistError)
        assert len(error.message) < 2000
        if mutates and (failure is None or status >= 500 or status in (418, 429)):
            assert isinstance(error, Unconfirmed)
        if isinstance(error, Rejected):
            assert failure is not None
    outcome.limited_pools(venue.spec, Reply(status, {}, body), failure)


@pytest.fixture(scope="module")
def markets() -> dict[str, ExchangeVenue]:
    """The engine of each venue, connected to nothing."""
    made = {}
    for name in names():
        venue = load(name)
        market = ExchangeVenue(venue.spec, ManualClock(venue.moment.now))
        known = venue.instruments.values()
        market.reference.instruments = {one.id: one for one in known}
        market.reference._by_symbol = {one.venue_symbol: one for one in known}
        made[name] = market
    return made


def _nobody(upstream: BookUpstream) -> None:
    """There is no stream to subscribe to anew."""


def _now() -> int:
    return 1


class Owner:
    """Hands data to the engine's own parts, and notes what it is told of."""

    def __init__(self, venue: Venue, market: ExchangeVenue) -> None:
        self.faults = 0
        self.upstreams: dict[str, tuple[Upstream, Any]] = {}
        for channel, spec in venue.spec.channels.items():
            interval = next(iter(venue.spec.intervals)) if channel is Channel.CANDLES else 0
            for one in venue.instruments.values():
                made = Upstream(channel.value, spec, one, interval, self.fault)
                if spec.book is not None:
                    made = BookUpstream(
                        "book", spec, spec.book, one, self.fault, market._fetch_book, _nobody, _now
                    )
                if isinstance(made, BookUpstream):
                    made._serve = lambda: None  # type: ignore[method-assign] # nobody to ask
                    made.subscribing()
                    made.subscribed()
                for topic, parser in made.topics.items():
                    self.upstreams.setdefault(topic, (made, parser))

    def data(self, topic: str, payload: Any, received: int) -> None:
        """As cex.engine.topics."""
        entry = self.upstreams.get(topic)
        if entry is not None:
            entry[0].data(entry[1], payload, received)
            upstream = entry[0]
            if isinstance(upstream, BookUpstream) and upstream.sync.state is BookState.LIVE:
                assert not upstream.sync.book.crossed

    def fault(self, what: str, error: BaseException) -> None:
        """Something was not understood."""
        assert isinstance(error, (*wire.MALFORMED, FrameRefused)), f"a bug: {error!r}"
        self.faults += 1


def connection(name: str, stream: StreamSpec, owner: Any) -> Connection:
    """A connection that is nowhere, for frames to arrive on."""
    made = Connection(name, stream, "ws://127.0.0.1:1", owner, ManualClock())
    made.restart = lambda reason: None  # type: ignore[method-assign]
    return made


@pytest.mark.parametrize("name", names())
@FEW
@given(data=st.data())
def test_a_frame_never_ends_the_stream(
    markets: dict[str, ExchangeVenue], name: str, data: st.DataObject
) -> None:
    """Neither an exception nor a bug that is taken for the venue's fault; a live book is sound."""
    venue = load(name)
    owner = Owner(venue, markets[name])
    frames = [data.draw(hostile(name, "frames")) for _ in range(3)]
    for stream in venue.spec.streams.values():
        wired = connection(name, stream, owner)
        for case, body in frames:
            good = payload(case)
            for frame in (good, body, good):
                wired.receive(frame, False, 1)
                wired.receive(frame, True, 1)


@pytest.mark.parametrize("name", names())
@FEW
@given(data=st.data())
def test_an_account_frame_never_ends_the_stream_nor_shows_a_secret(
    markets: dict[str, ExchangeVenue],
    name: str,
    data: st.DataObject,
) -> None:
    venue = load(name)
    told: list[Any] = []
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("cex").addHandler(handler)
    try:
        account = ExchangeAccount("main", markets[name], venue.credentials)
        stream = UserStream(
            "main", markets[name], venue.spec.private, venue.credentials, account._conditions,
            told.append,
        )  # fmt: skip
        stream._asking.want = lambda command: None  # type: ignore[method-assign] # nobody to ask
        stream.connection.restart = lambda reason: None  # type: ignore[method-assign]
        mine = [case for case in cases(name, "frames") if case["stream"] == "account"]
        for _ in range(3):
            case = data.draw(st.sampled_from(mine))
            original = parsed(case)
            body = data.draw(_BYTES if original is None else spoilt(original) | _BYTES)
            stream.connection.receive(body, False, 1)
    finally:
        logging.getLogger("cex").removeHandler(handler)
    for value in told:
        if isinstance(value, Fill):
            assert value.price >= 0
            assert value.trade_id
        if isinstance(value, OrderReport):
            assert isinstance(value.event_time, int)
    assert not records, records  # a logged exception is a bug of ours
    shown = f"{account.condition} {markets[name].condition} {told}"
    for secret in (venue.credentials.secret, venue.credentials.passphrase):
        assert not secret or len(secret) < 4 or secret not in shown


def test_nothing_here_is_a_secret_by_chance() -> None:
    """The secrets that are looked for are long enough to be found."""
    for name in names():
        assert len(load(name).credentials.secret) > 15
    assert repr(Credentials("key", "secret")) == "Credentials(…)"
