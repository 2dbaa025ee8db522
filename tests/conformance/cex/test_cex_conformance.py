"""Every exchange against its fixtures: commands, replies, frames, errors, hostile payloads."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from cex.engine import commands, outcome, request, wire
from cex.engine.caller import read
from cex.engine.commands import Command
from cex.engine.http import Reply
from cex.engine.messages import Answer
from cex.engine.spec import Session
from core.accounts import Balance
from core.errors import CambistError, Reason, Rejected, Unconfirmed
from core.instruments import Instrument
from core.market import Candle, Ticker, Trade
from core.money import ZERO
from core.orders import Fill, Order, OrderReport
from core.ports import Channel
from tests.support import cex_fixtures
from tests.support.cex_fixtures import Venue, load, names, payload, plain

VENUES = names()


def cases(kind: str) -> list[Any]:
    """All cases of all venues, as parameters."""
    return [
        pytest.param(load(name), case, id=f"{name}: {case['name']}")
        for name in VENUES
        for case in load(name).cases(kind)
    ]


def test_there_are_venues() -> None:
    assert VENUES


@pytest.mark.parametrize(("venue", "case"), cases("requests"))
def test_a_command_makes_exactly_this_request(venue: Venue, case: dict[str, Any]) -> None:
    command = venue.command(case["command"])
    operation = venue.spec.operations[type(command)]
    built = request.build(venue.spec, operation, command, venue.credentials, venue.moment)
    assert {
        "method": built.method,
        "host": built.host,
        "path": built.path,
        "query": built.query,
        "body": built.body.decode(),
        "headers": dict(built.headers),
    } == case["request"]
    assert venue.credentials.api_key not in repr(built)
    assert venue.credentials.secret not in str(case["request"]["headers"])


@pytest.mark.parametrize(("venue", "case"), cases("outgoing"))
def test_a_frame_of_ours_is_exactly_this(venue: Venue, case: dict[str, Any]) -> None:
    session = Session(case["id"], venue.moment, venue.credentials, case.get("token", ""))
    account = case["stream"].startswith("account")
    if account:
        stream = cex_fixtures.account_stream(venue.spec, case["stream"]).stream
    else:
        stream = venue.spec.streams[case["stream"]]
    if case["kind"] == "opening":
        frames = [frame for step in stream.opening for frame in step(session)]
    else:
        frames = list(getattr(stream, case["kind"])(case["topics"], session))
    assert [frame.payload.decode() for frame in frames] == case["frames"]
    assert [list(frame.keys) for frame in frames] == case["keys"]


@pytest.mark.parametrize(("venue", "case"), cases("replies"))
def test_a_reply_means_this(venue: Venue, case: dict[str, Any]) -> None:
    command = venue.command(case["command"])
    operation = venue.spec.operations[type(command)]
    value = read(operation, command, venue.scope, payload(case))
    assert plain(value) == case["expect"]
    for item in value if isinstance(value, list) else [value]:
        check_invariants(venue, item)


@pytest.mark.parametrize(("venue", "case"), cases("frames"))
def test_a_frame_means_this(venue: Venue, case: dict[str, Any]) -> None:
    assert cex_fixtures.frame_values(venue, case) == case["expect"]


@pytest.mark.parametrize(("venue", "case"), cases("errors"))
def test_an_error_proves_this(venue: Venue, case: dict[str, Any]) -> None:
    kind: type[Command[Any]] = getattr(commands, case["command"])
    reply = Reply(case["status"], case["headers"], payload(case))
    error = error_of(venue, reply, kind)
    names = {Unconfirmed: "Unconfirmed", Rejected: "Rejected", CambistError: "CambistError"}
    assert names[type(error)] == case["expect"]["kind"]
    assert error.reason.value == case["expect"]["reason"]
    assert error.retry_after == case["expect"].get("retry_after")


def error_of(venue: Venue, reply: Reply, kind: type[Command[Any]]) -> CambistError:
    """As cex.engine.caller judges a reply."""
    spec = venue.spec
    try:
        failure = spec.failure(reply.status, reply.body)
    except wire.MALFORMED:
        return outcome.failed(spec, reply, None, kind.mutates)
    if failure is not None or not 200 <= reply.status < 300:
        return outcome.failed(spec, reply, failure, kind.mutates)
    command = next(
        venue.command(case["command"])
        for case in venue.cases("requests")
        if case["command"]["command"] == kind.__name__
    )
    with pytest.raises(CambistError) as caught:
        read(spec.operations[kind], command, venue.scope, reply.body)
    if kind.mutates:
        return outcome.unconfirmed(spec, caught.value.message)
    return caught.value


# -- orders over a websocket -----------------------------------------------------------------------


def over_socket(venue: Venue, command: Command[Any], frame: bytes) -> Any:
    """What the answer to a command means: its value, or the error; None when it is no answer."""
    entry = venue.spec.entry
    assert entry is not None
    stream = entry.stream or venue.spec.private.stream
    answers = [item for item in stream.route(frame) if isinstance(item, Answer)]
    if not answers:
        return None
    (answer,) = answers
    kind = type(command)
    operation = entry.operations.get(kind) or venue.spec.operations[kind]
    reply = Reply(answer.status, answer.headers, answer.body)
    try:
        failure = (operation.failure or venue.spec.failure)(reply.status, reply.body)
    except wire.MALFORMED:
        return outcome.failed(venue.spec, reply, None, kind.mutates)
    if failure is not None or not 200 <= reply.status < 300:
        return outcome.failed(venue.spec, reply, failure, kind.mutates)
    try:
        return read(operation, command, venue.scope, reply.body)
    except CambistError as error:
        return outcome.unconfirmed(venue.spec, error.message)


@pytest.mark.parametrize(("venue", "case"), cases("entry"))
def test_a_command_over_a_websocket_is_exactly_this_frame(
    venue: Venue, case: dict[str, Any]
) -> None:
    entry = venue.spec.entry
    assert entry is not None
    command = venue.command(case["command"])
    operation = entry.operations.get(type(command)) or venue.spec.operations[type(command)]
    session = Session(case["id"], venue.moment, venue.credentials, case.get("token", ""))
    word = entry.words[type(command)]
    frame = entry.write(word, command, operation.params(command), session)
    assert frame is not None
    assert frame.payload.decode() == case["frame"]
    (key,) = frame.keys
    stream = entry.stream or venue.spec.private.stream
    (answer,) = stream.route(payload(case))
    assert isinstance(answer, Answer)
    assert answer.key == key
    assert dict(answer.used) == case.get("used", {})
    assert set(answer.used) <= {pool.name for pool in venue.spec.pools}


@pytest.mark.parametrize(("venue", "case"), cases("entry"))
def test_an_answer_over_a_websocket_means_this(venue: Venue, case: dict[str, Any]) -> None:
    found = over_socket(venue, venue.command(case["command"]), payload(case))
    if isinstance(found, CambistError):
        said = {"kind": type(found).__name__, "reason": found.reason.value}
        assert {**said, "retry_after": found.retry_after} == {"retry_after": None, **case["expect"]}
    else:
        assert plain(found) == case["expect"]


@pytest.mark.parametrize(("venue", "case"), cases("entry"))
def test_a_hostile_answer_over_a_websocket_is_never_a_rejection(
    venue: Venue, case: dict[str, Any]
) -> None:
    command = venue.command(case["command"])
    refused = case.get("refuses_a_part", False)
    refused |= isinstance(case["expect"], dict) and case["expect"].get("kind") == "Rejected"
    for changed in mutations(case["payload"]):
        try:
            found = over_socket(venue, command, json.dumps(changed).encode())
        except wire.MALFORMED:
            continue
        assert refused or not isinstance(found, Rejected), changed


@pytest.mark.parametrize("name", VENUES)
def test_every_command_over_a_websocket_has_a_case(name: str) -> None:
    venue = load(name)
    entry = venue.spec.entry
    covered = {case["command"]["command"] for case in venue.cases("entry")}
    assert covered == ({kind.__name__ for kind in entry.words} if entry else set())
    if entry is not None:
        assert set(entry.words) <= set(venue.spec.operations)


# -- completeness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VENUES)
def test_every_operation_has_a_request_and_a_reply(name: str) -> None:
    venue = load(name)
    declared = {kind.__name__ for kind in venue.spec.operations}
    for file in ("requests", "replies"):
        covered = {case["command"]["command"] for case in venue.cases(file)}
        assert declared == covered, file


@pytest.mark.parametrize("name", VENUES)
def test_every_topic_has_a_frame(name: str) -> None:
    venue = load(name)
    instrument = next(iter(venue.instruments.values()))
    frames = venue.cases("frames")
    for channel, spec in venue.spec.channels.items():
        interval = next(iter(venue.spec.intervals)) if channel is Channel.CANDLES else 0
        seen = sum(1 for case in frames if case["stream"] == channel.name)
        assert seen >= len(cex_fixtures.topics_of(spec, instrument, interval)), channel
    for number, private in enumerate([venue.spec.private, *venue.spec.private.beside], 1):
        routed = {
            item[0]
            for case in frames
            if case["stream"] == ("account" if number == 1 else f"account {number}")
            for item in private.stream.route(payload(case))
            if isinstance(item, tuple)
        }
        assert routed >= {topic for topic in private.topics if topic}


@pytest.mark.parametrize("name", VENUES)
def test_every_error_rule_has_a_case(name: str) -> None:
    venue = load(name)
    used = set()
    for case in venue.cases("errors"):
        try:
            failure = venue.spec.failure(case["status"], payload(case))
        except wire.MALFORMED:
            continue
        if failure is not None:
            used.add(id(outcome.rule_for(venue.spec, failure)))
    unused = [rule for rule in venue.spec.errors if id(rule) not in used]
    assert not unused


@pytest.mark.parametrize("name", VENUES)
def test_budgets_that_are_named_exist(name: str) -> None:
    spec = load(name).spec
    pools = {rule_pool for rule in spec.errors for rule_pool in rule.pools}
    entry = [spec.entry.stream] if spec.entry and spec.entry.stream else []
    for stream in (*spec.streams.values(), spec.private.stream, *entry):
        pools |= {name.partition("/")[0] for name in stream.connect}
    assert pools <= {known.name for known in spec.pools}


@pytest.mark.parametrize("name", VENUES)
def test_sources_are_named_and_counted(
    name: str, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    venue = load(name)
    assert (venue.folder / "SOURCES.md").read_text().strip()
    counts: Counter[str] = Counter()
    for kind in ("replies", "frames", "errors", "entry"):
        for case in venue.cases(kind):
            assert case["source"] in cex_fixtures.SOURCES
            counts[case["source"]] += 1
    record_property(f"{name} payloads", dict(counts))
    with capsys.disabled():
        print(f"\n{name}: " + ", ".join(f"{counts[s]} {s}" for s in cex_fixtures.SOURCES))


# -- hostile payloads ------------------------------------------------------------------------------

REPLACEMENTS: tuple[Any, ...] = (
    None, 0, -1, 1.5, 10**30, "", "x", "-1", "NaN", "1e999", "0", True, [], {}, ["1"], {"x": 1},
)  # fmt: skip


def mutations(value: Any) -> Iterator[Any]:
    """The payload with each node dropped or replaced, one at a time."""
    for path in list(paths(value)):
        for replacement in (..., *REPLACEMENTS):
            changed = copy.deepcopy(value)
            if not path:
                if replacement is not ...:
                    yield replacement
                continue
            node = changed
            for step in path[:-1]:
                node = node[step]
            if replacement is ...:
                del node[path[-1]]
            else:
                node[path[-1]] = replacement
            yield changed


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, key))


@pytest.mark.parametrize(("venue", "case"), cases("replies"))
def test_only_a_protocol_error_escapes_a_hostile_reply(venue: Venue, case: dict[str, Any]) -> None:
    command = venue.command(case["command"])
    operation = venue.spec.operations[type(command)]
    outcomes: Counter[str] = Counter()
    for changed in mutations(case["payload"]):
        try:
            plain(read(operation, command, venue.scope, json.dumps(changed).encode()))
            outcomes["read"] += 1
        except CambistError as error:
            outcomes[error.reason.value] += 1
    assert outcomes.keys() == {"read", Reason.VENUE_PROTOCOL_ERROR.value}
    for broken in (b"", b"{", b"\xff\xfe", b"null", payload(case)[:-1]):
        with pytest.raises(CambistError) as caught:
            read(operation, command, venue.scope, broken)
        assert caught.value.reason is Reason.VENUE_PROTOCOL_ERROR


@pytest.mark.parametrize(("venue", "case"), cases("frames"))
def test_only_a_format_error_escapes_a_hostile_frame(venue: Venue, case: dict[str, Any]) -> None:
    for changed in mutations(case.get("payload")):
        try:
            cex_fixtures.frame_values(venue, {**case, "payload": changed})
        except (*wire.MALFORMED, AssertionError):  # AssertionError: no longer data, but control
            continue


def unproven() -> list[Any]:
    """Errors that prove nothing by their code or status, whatever they say in words."""
    return [
        parameter
        for parameter in cases("errors")
        if "payload" in parameter.values[1]
        and parameter.values[1]["expect"]["kind"] == "Unconfirmed"
        and "duplicate" not in parameter.values[1]["payload"].get("msg", "").lower()
    ]


@pytest.mark.parametrize(("venue", "case"), unproven())
def test_a_broken_error_never_becomes_a_rejection(venue: Venue, case: dict[str, Any]) -> None:
    for changed in mutations(case["payload"]):
        reply = Reply(case["status"], case["headers"], json.dumps(changed).encode())
        assert isinstance(error_of(venue, reply, commands.Place), Unconfirmed)


def check_invariants(venue: Venue, value: Any) -> None:
    """What holds of every value, whatever the venue."""
    if isinstance(value, Instrument):
        assert value.price_tick > 0
        assert value.quantity_step > 0
        assert value.contract_size > 0
        assert value.id.startswith(f"{value.base}-{value.quote}")
        assert value.venue == venue.spec.id
    elif isinstance(value, Candle):
        assert value.low <= min(value.open, value.close)
        assert value.high >= max(value.open, value.close)
    elif isinstance(value, Ticker) and value.bid_price and value.ask_price:
        assert value.bid_price < value.ask_price
    elif isinstance(value, Trade | Fill):
        assert value.price > 0
        assert value.quantity > 0
        assert value.trade_id
        assert value.event_time > 0
    elif isinstance(value, Balance):
        assert 0 <= value.available <= max(value.total, ZERO)  # a debt is below nothing
    elif isinstance(value, OrderReport):
        assert value.client_order_id or value.venue_order_id
    elif isinstance(value, Order):
        assert value.filled_quantity <= value.request.quantity
