"""Hyperliquid held against what others wrote: its official SDK, ccxt, and documented replies."""

import json
from typing import Any

import pytest

from cex.engine import request
from cex.engine.caller import read
from cex.engine.phantom import connection_id
from cex.engine.spec import Scope, Session
from cex.venues import catalogue
from core.orders import OrderType, Side
from tests.support import corpus
from tests.support.cex_fixtures import Venue, load, plain

NAMES = ("hyperliquid", "hyperliquid_perpetual")
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"


def actions() -> list[Any]:
    return [
        pytest.param(load(name), case, id=f"{name}: {case['name']}")
        for name in NAMES
        for case in load(name).cases("requests")
        if case["request"]["path"] == "/exchange"
    ]


@pytest.mark.parametrize(("venue", "case"), actions())
@pytest.mark.parametrize("network", ["", "_testnet"])
@pytest.mark.parametrize("vault", ["", VAULT])
def test_the_sdk_and_ccxt_sign_the_same_action(
    venue: Venue, case: dict[str, Any], network: str, vault: str
) -> None:
    sdk = pytest.importorskip("hyperliquid.utils.signing")
    ccxt = pytest.importorskip("ccxt")
    from dataclasses import replace

    from eth_account import Account

    spec = catalogue()[venue.spec.id + network]
    command = venue.command(case["command"])
    operation = spec.operations[type(command)]
    credentials = replace(venue.credentials, user=vault)
    built = request.build(spec, operation, command, credentials, venue.moment)
    body = json.loads(built.body)
    assert body["action"] == operation.params(command)
    assert (body["vaultAddress"] or "") == vault
    signed = (body["action"], vault or None, body["nonce"], body["expiresAfter"])
    theirs = sdk.sign_l1_action(Account.from_key(credentials.secret), *signed, not network)
    assert body["signature"] == theirs
    assert sdk.action_hash(*signed) == connection_id(
        body["action"], body["nonce"], vault, body["expiresAfter"]
    )
    exchange = ccxt.hyperliquid(
        {"privateKey": credentials.secret, "options": {"sandboxMode": bool(network)}}
    )
    action, _, nonce, expires = signed
    ccxt_says = exchange.sign_l1_action(action, nonce, vault.removeprefix("0x") or None, expires)
    for part in ("r", "s"):
        assert int(ccxt_says[part], 16) == int(body["signature"][part], 16)
    assert ccxt_says["v"] == body["signature"]["v"]


def test_the_sdk_writes_the_same_order() -> None:
    """Members in its order, prices and sizes in its spelling."""
    sdk = pytest.importorskip("hyperliquid.utils.signing")
    types = pytest.importorskip("hyperliquid.utils.types")
    venue = load("hyperliquid_perpetual")
    kinds = set()
    for case in venue.cases("requests"):
        if case["command"]["command"] != "Place":
            continue
        command: Any = venue.command(case["command"])
        (ours,) = json.loads(case["request"]["body"])["action"]["orders"]
        asked = command.request
        if "limit" in ours["t"]:
            how = ours["t"]
        else:
            how = {"trigger": {**ours["t"]["trigger"], "triggerPx": float(asked.trigger_price)}}
        theirs = sdk.order_request_to_order_wire(
            {
                "coin": command.instrument.venue_symbol,
                "is_buy": asked.side is Side.BUY,
                "sz": float(asked.quantity),
                "limit_px": float(ours["p"]),
                "order_type": how,
                "reduce_only": asked.reduce_only,
                "cloid": types.Cloid.from_str(asked.client_order_id),
            },
            int(command.instrument.venue_code),
        )
        assert json.dumps(ours) == json.dumps(theirs)
        kinds.add(asked.type)
    assert kinds == set(OrderType)


@pytest.mark.parametrize("name", NAMES)
def test_an_action_over_the_websocket_is_the_one_by_rest(name: str) -> None:
    venue = load(name)
    assert venue.spec.entry is not None
    for case in venue.cases("entry"):
        command = venue.command(case["command"])
        operation = venue.spec.operations[type(command)]
        built = request.build(venue.spec, operation, command, venue.credentials, venue.moment)
        session = Session(7, venue.moment, venue.credentials)
        frame = venue.spec.entry.write("action", command, operation.params(command), session)
        assert frame is not None
        assert json.loads(frame.payload)["request"]["payload"] == json.loads(built.body)


# The documented replies by the file's name, and the case of ours that they answer.
EXAMPLES = {
    "hyperliquid": {
        "spot": {
            "getexchangeinfo": "all instruments",
            "getexchangeinfoandtickers": "the day's statistics",
            "getorderbook": "a book",
            "getklines": "candles of a time",
            "getbalances": "balances",
            "placeorder": "a limit order",
            "getopenordersextended": "open orders",
            "getusertrades": "fills from a time on",
        },
        "futures": {},
    },
    "hyperliquid_perpetual": {
        "spot": {
            "getorderbook": "a book",
            "getklines": "candles of a time",
            "placeorder": "a limit order",
            "getopenordersextended": "open orders",
            "getusertrades": "fills from a time on",
        },
        "futures": {
            "getexchangeinfo": "all instruments",
            "getaccountinfo": "positions",
            "setleverage": "leverage",
        },
    },
}


@pytest.mark.corpus
@pytest.mark.parametrize("name", NAMES)
def test_the_documented_replies_parse_for_every_endpoint_that_we_use(name: str) -> None:
    venue = load(name)
    instrument = next(iter(venue.instruments.values()))
    anything = Scope(name, "main", lambda symbol: instrument)
    by_name = {case["name"]: case for case in venue.cases("requests")}
    parsed = set()
    for part, wanted in EXAMPLES[name].items():
        for file, method, path, body in corpus.examples("hyperliquid", part):
            if file in wanted:
                case = by_name[wanted[file]]
                assert (method, path) == ("POST", case["request"]["path"])
                command = venue.command(case["command"])
                assert venue.spec.failure(200, body) is None
                plain(read(venue.spec.operations[type(command)], command, anything, body))
                parsed.add((part, file))
    assert len(parsed) == sum(len(wanted) for wanted in EXAMPLES[name].values())


@pytest.mark.corpus
def test_the_documented_perpetual_contexts_mean_funding_and_statistics() -> None:
    venue = load("hyperliquid_perpetual")
    (body,) = [
        body
        for file, _, _, body in corpus.examples("hyperliquid", "futures")
        if file == "getexchangeinfoandtickers"
    ]
    for told in (
        {"command": "GetFunding", "mark_price": "6.0436", "index_price": "6.0457"},
        {"command": "GetTicker", "part": "statistics", "open_price": "6.3611"},
    ):
        names = {"command", "part"} & told.keys()
        asked = {name: told.pop(name) for name in names}
        command = venue.command({**asked, "instrument": "ETH-USDC-PERP"})
        value = plain(read(venue.spec.operations[type(command)], command, venue.scope, body))
        assert {name: value[name] for name in told} == told


@pytest.mark.corpus
def test_the_documented_subscriptions_are_ours_and_their_frames_parse() -> None:
    """Each file: what is sent, how it is confirmed, an update."""
    venue = load("hyperliquid_perpetual")
    hype = venue.instruments["HYPE-USDC-PERP"]
    parsers: dict[str, Any] = {}
    for channel in venue.spec.channels.values():
        for interval in (3600, 86400):
            parsers |= channel.topics(hype, interval)
    stream = venue.spec.streams["public"]
    seen = set()
    for path in sorted((corpus.folder() / "examples/hyperliquid/subscriptions").glob("*.txt")):
        sent, confirmed, *rest = path.read_text().splitlines()
        asked = json.loads(sent.lstrip("> 1"))
        if asked["subscription"]["type"] in ("allMids", "userEvents") or path.stem == "concurrent":
            continue  # not of use here, or without prices
        (answer,) = stream.route(confirmed[1:].strip().encode())
        update = "\n".join(rest).lstrip("= \n").encode()
        ((topic, data),) = stream.route(update)  # type: ignore[misc]
        if topic in parsers:
            (frame,) = stream.subscribe([topic], Session(1, venue.moment))
            assert json.loads(frame.payload) == asked
            assert (answer.key,) == frame.keys  # type: ignore[union-attr]
            assert list(parsers[topic](data, hype, 1))
        else:
            spot = load("hyperliquid")
            assert list(spot.spec.private.topics[topic](data, spot.scope))
        seen.add(path.stem)
    assert seen == {"bookticker", "klines", "order", "orderbook", "trades"}
