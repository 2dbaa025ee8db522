"""ccxt, which others wrote, must make the same private request of the same parameters.

`ccxt` in a venue.json: its class, the name of its section of the API by prefix of the path,
options. `leaves_out` are headers that it does not send; `differs` explains each request (by its
case's name) that it makes in another way. `token` explains a token whose claims are others.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from cex.engine import request
from tests.support.cex_fixtures import load, names


def signed_cases() -> list[Any]:
    found = []
    for name in names():
        venue = load(name)
        if "ccxt" in json.loads((venue.folder / "venue.json").read_text()):
            for case in venue.cases("requests"):
                command = venue.command(case["command"])
                if venue.spec.operations[type(command)].signed:
                    found.append(pytest.param(venue, case, id=f"{name}: {case['name']}"))
    return found


def repeated(params: Mapping[str, Any]) -> dict[str, Any]:
    """What stands several times in a query is a list for ccxt."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in params.items()}


def token_parts(header: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Head and claims of a bearer's token."""
    parts = header.removeprefix("Bearer ").split(".")[:2]
    head, claims = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
    return json.loads(head), json.loads(claims)


def check_tokens(theirs: Any, ours: Any, nonce: int) -> None:
    """The same key for the same call at the same time. How the claims are of another generation,
    the folder says (`token`)."""
    (their_head, their_claims), (our_head, our_claims) = theirs, ours
    assert our_head.pop("nonce") == f"{nonce:032x}"
    assert len(their_head.pop("nonce")) <= 32  # by chance
    assert our_head == their_head
    same = ("sub", "nbf", "uri")
    assert {name: our_claims[name] for name in same} == {name: their_claims[name] for name in same}
    assert set(our_claims) == {*same, "iss", "exp"}
    assert set(their_claims) == {*same, "iss", "exp", "aud", "iat"}
    assert our_claims["nbf"] < our_claims["exp"] <= their_claims["exp"]


@pytest.mark.parametrize(("venue", "case"), signed_cases())
def test_ccxt_makes_the_same_request(venue: Any, case: dict[str, Any]) -> None:
    ccxt = pytest.importorskip("ccxt")
    told = json.loads((venue.folder / "venue.json").read_text())["ccxt"]
    exchange = getattr(ccxt, told["id"])(
        {
            "apiKey": venue.credentials.api_key,
            "secret": venue.credentials.secret,
            "password": venue.credentials.passphrase,
            "options": told["options"],
        }
    )
    exchange.milliseconds = lambda: venue.moment.now // 1_000_000
    exchange.seconds = lambda: venue.moment.now // 1_000_000_000
    command = venue.command(case["command"])
    operation = venue.spec.operations[type(command)]
    path = operation.path if isinstance(operation.path, str) else operation.path(command)
    params = operation.params(command)
    sections = {**told.get("apis", {}), told["prefix"]: told["api"]}
    prefix = next(prefix for prefix in sections if path.startswith(prefix))
    theirs = exchange.sign(
        path.removeprefix(prefix),
        sections[prefix],
        operation.method,
        repeated(params) if isinstance(params, Mapping) else list(params),
    )
    ours = request.build(venue.spec, operation, command, venue.credentials, venue.moment)
    headers = {n: v for n, v in ours.headers.items() if n not in told.get("leaves_out", ())}
    same = {
        "method": ours.method,
        "url": venue.spec.hosts[ours.host] + ours.target,
        "body": ours.body.decode(),
        "headers": headers,
    }
    made = {**theirs, "body": theirs["body"] or ""}
    if "token" in told:
        their_token = token_parts(made["headers"].pop("Authorization"))
        our_token = token_parts(headers.pop("Authorization"))
        check_tokens(their_token, our_token, venue.moment.nonce)
    if case["name"] in told.get("differs", {}):
        assert made != same, "the explanation is no longer needed"
        pytest.skip(told["differs"][case["name"]])
    assert made == same
