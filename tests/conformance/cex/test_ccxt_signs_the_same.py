"""ccxt, which others wrote, must make the same private request of the same parameters."""

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
    command = venue.command(case["command"])
    operation = venue.spec.operations[type(command)]
    path = operation.path if isinstance(operation.path, str) else operation.path(command)
    params = operation.params(command)
    theirs = exchange.sign(
        path.removeprefix(told["prefix"]),
        told["api"],
        operation.method,
        dict(params) if isinstance(params, Mapping) else list(params),
    )
    ours = request.build(venue.spec, operation, command, venue.credentials, venue.moment)
    assert theirs["method"] == ours.method
    assert theirs["url"] == venue.spec.hosts[ours.host] + ours.target
    assert (theirs["body"] or "") == ours.body.decode()
    assert theirs["headers"] == dict(ours.headers)
