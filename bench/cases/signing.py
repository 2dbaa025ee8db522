"""Requests signed a second, scheme by scheme, beside ccxt: the same order under the same key.

From the command to the finished request, headers and body; ccxt from the same parameters. A venue
joins by its fixture folder (`requests.json`, and `ccxt` in `venue.json`).
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.case import Setting
from bench.results import Result
from cex.engine import request
from cex.engine.commands import Place
from cex.engine.credentials import Credentials
from cex.engine.spec import Moment
from tests.support.cex_fixtures import Venue, load, names

TITLE = "signed requests"
ORDER = 4.5


@dataclass(frozen=True)
class Scheme:
    """One way to sign: a venue's, with one kind of key. `times` is how much faster than ccxt it is
    expected to be."""

    name: str
    venue: Venue
    credentials: Credentials
    times: float = 1.0


async def run(setting: Setting) -> list[Result]:
    """A figure a scheme; sister products sign alike."""
    rounds, count = (1, 20) if setting.quick else (5, 400)
    schemes = await asyncio.to_thread(_schemes)
    return [await asyncio.to_thread(_measured, scheme, rounds, count) for scheme in schemes]


def _schemes() -> list[Scheme]:
    found: list[Scheme] = []
    for name in names():
        venue = load(name)
        if any(one.venue.spec.signer == venue.spec.signer for one in found):
            continue
        slow = (
            "0x" in venue.credentials.secret[:2]
        )  # a key of Ethereum's, which ccxt signs in Python
        found.append(Scheme(name, venue, venue.credentials, 10.0 if slow else 1.0))
        if "EC PRIVATE KEY" in venue.credentials.secret:
            found[-1] = replace(found[-1], name=f"{name}, ES256")
            found.append(Scheme(f"{name}, EdDSA", venue, _edwards(venue.credentials)))
    return found


def _edwards(credentials: Credentials) -> Credentials:
    """The same name with a key on the other curve, as the venue hands it out: 64 bytes, the seed
    first, in base64."""
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = bytes(range(32))
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return replace(credentials, secret=base64.b64encode(seed + public).decode())


def _measured(scheme: Scheme, rounds: int, count: int) -> Result:
    ours, theirs = _ours(scheme), _theirs(scheme)
    ours(), theirs()
    figures: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        for work, found, times in ((ours, figures[0], count), (theirs, figures[1], count // 10)):
            began = time.thread_time_ns()
            for _ in range(times):
                work()
            found.append(times / (time.thread_time_ns() - began) * 1e9)
    mine, peer = (statistics.median(found) for found in figures)
    return Result(
        f"signed, {scheme.name}",
        mine,
        "1/s",
        "ccxt",
        peer,
        more_is_better=True,
        expected=scheme.times * peer,
        note=f"{1e6 / mine:.1f} us, ccxt {1e6 / peer:.1f} us",
    )


def _case(venue: Venue) -> tuple[Any, Any]:
    for case in venue.cases("requests"):
        command = venue.command(case["command"])
        if isinstance(command, Place):
            return command, venue.spec.operations[Place]
    raise ValueError(f"{venue.id} has no order among its requests")


def _ours(scheme: Scheme) -> Callable[[], object]:
    """A new time and number for each request: nothing can be remembered."""
    command, operation = _case(scheme.venue)
    spec, credentials, start = scheme.venue.spec, scheme.credentials, scheme.venue.moment.now
    done = 0

    def work() -> object:
        nonlocal done
        done += 1
        moment = Moment(start + done * 1_000_000, start // 1_000_000 + done)
        return request.build(spec, operation, command, credentials, moment)

    return work


def _theirs(scheme: Scheme) -> Callable[[], object]:
    import ccxt

    venue = scheme.venue
    told = json.loads((venue.folder / "venue.json").read_text()).get("ccxt", {})
    name = told.get("id") or venue.id.partition("_")[0]
    exchange = getattr(ccxt, name)(
        {
            "apiKey": scheme.credentials.api_key,
            "secret": scheme.credentials.secret,
            "password": scheme.credentials.passphrase,
            "walletAddress": scheme.credentials.api_key,
            "privateKey": scheme.credentials.secret,
            "options": told.get("options", {}),
        }
    )
    command, operation = _case(venue)
    if not told:  # ccxt signs the action before it makes a request of it
        built = request.build(venue.spec, operation, command, venue.credentials, venue.moment)
        action = json.loads(built.body)["action"]
        number = venue.moment.now // 1_000_000
        counter = iter(range(number, number + 10**9))
        return lambda: exchange.sign_l1_action(action, next(counter))
    path = operation.path if isinstance(operation.path, str) else operation.path(command)
    sections = {**told.get("apis", {}), told["prefix"]: told["api"]}
    prefix = next(one for one in sections if path.startswith(one))
    params = operation.params(command)

    def work() -> object:
        asked = dict(params) if isinstance(params, Mapping) else list(params)
        return exchange.sign(path.removeprefix(prefix), sections[prefix], operation.method, asked)

    return work
