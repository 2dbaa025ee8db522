"""What an order costs for being allowed: a token held against the facts of the call, and the risk
desk with a limit of every kind.

The peer is the least that either could be: a JSON Web Token's HMAC verified and its claims read, as
gateways do, which can neither be narrowed nor knows of orders.
"""

import asyncio
import hashlib
import hmac
import json
import statistics
import time
from collections.abc import Callable
from decimal import Decimal

from bench.case import Setting
from bench.results import Result
from core.clock import SystemClock
from core.instruments import Instrument, InstrumentKind
from core.orders import OrderRequest, OrderType, Side
from daemon.access.caller import CALLER, Caller
from daemon.access.grant import Grant
from daemon.access.roots import Roots
from daemon.access.tokens import Keyring, attenuate, bake, denial, sources
from daemon.risk.checks import Admission
from daemon.risk.desk import RiskDesk
from daemon.risk.halts import Halts
from daemon.risk.limits import RULES, Limit, Limits
from daemon.risk.prices import Prices
from daemon.risk.scope import Scope

TITLE = "authorization and risk"
ORDER = 5
_INSTRUMENT = Instrument(
    "binance", "BTC-USDT", "BTCUSDT", InstrumentKind.SPOT, "BTC", "USDT", "USDT",
    Decimal("0.01"), Decimal("0.00001"),
)  # fmt: skip
_REQUEST = OrderRequest(
    "c", "main", "binance", "BTC-USDT", Side.BUY, OrderType.LIMIT, Decimal("0.01"), Decimal(60000)
)


class _Desk:
    """What the risk desk asks about, without a desk: 50 open orders and a position."""

    def open_orders(self, venue: str = "", instrument: str = "") -> list[object]:
        return []

    def root_of(self, order: object) -> str:
        return "bot"

    def held(self, limit: Limit, admission: Admission) -> Decimal:
        return Decimal(1)

    def reserved(self, limit: Limit, admission: Admission) -> Decimal:
        return Decimal(2)

    def increases(self, admission: Admission) -> bool:
        return True

    def instrument(self, venue: str, instrument: str) -> Instrument:
        return _INSTRUMENT


async def run(setting: Setting) -> list[Result]:
    """Microseconds of CPU on this thread; nothing is awaited in between."""
    count = 200 if setting.quick else 5000
    clock, roots = SystemClock(), Roots(setting.work_dir / "roots.json", SystemClock())
    grant = Grant(
        permissions=frozenset({"orders:write", "orders:cancel", "market:read"}),
        venues=frozenset({"binance", "okx"}),
        accounts=frozenset({"main"}),
        max_order_notional=Decimal(5000),
        max_day_notional=Decimal(10**9),
    )
    keys = Keyring(roots)
    token = attenuate(bake(roots.take("bot"), grant), Grant(instruments=frozenset({"BTC-USDT"})))
    facts = (
        ("operation", "orders:write"), ("method", "cambist.v1.TradingService/PlaceOrder"),
        ("source", "127.0.0.1"), ("venue", "binance"), ("account", "main"),
        ("instrument", "BTC-USDT"), ("paper", False),
    )  # fmt: skip

    def decide() -> None:
        keys.open(token)
        assert not keys.denial(token, clock.now(), facts)

    desk = _Desk()
    limits = Limits(Limit(rule, Scope(), Decimal(10**9)) for rule in RULES)
    halts = Halts((), clock, lambda: None, lambda kind: kind)
    risk = RiskDesk(limits, halts, Prices({}, clock), desk, desk, clock)  # type: ignore[arg-type]
    _, biscuit = keys.open(token)
    CALLER.set(
        Caller("bot", "127.0.0.1", "PlaceOrder", facts,
               lambda found: denial(biscuit, clock.now(), found), tuple(sources(biscuit)))
    )  # fmt: skip
    admission = Admission(
        _REQUEST, _INSTRUMENT, "bot", Decimal(600), Decimal(60000), Decimal(60001), {}, "",
        tuple(limits),
    )  # fmt: skip

    def admit() -> None:
        risk.admit(admission)

    peer = await asyncio.to_thread(_jwt)
    deciding = await asyncio.to_thread(_median, decide, count)
    admitting = _median(admit, count)
    floor = await asyncio.to_thread(_median, peer, count)
    return [
        Result(
            "a token against a call, median", deciding, "ms", "verify a JWT's HMAC", floor,
            more_is_better=False,
        ),
        Result(
            "token, every risk limit, token against amounts", deciding + admitting, "ms",
            "verify a JWT's HMAC", floor, more_is_better=False, expected=0.1,
            note=f"{len(RULES)} limits",
        ),
    ]  # fmt: skip


def _median(what: Callable[[], None], count: int) -> float:
    times = []
    for _ in range(count):
        started = time.perf_counter_ns()
        what()
        times.append(time.perf_counter_ns() - started)
    return statistics.median(times) / 1e6


def _jwt() -> Callable[[], None]:
    key, body = b"k" * 32, json.dumps({"permissions": ["orders:write"], "exp": 2**40}).encode()
    signature = hmac.new(key, body, hashlib.sha256).digest()

    def verify() -> None:
        assert hmac.compare_digest(hmac.new(key, body, hashlib.sha256).digest(), signature)
        assert "orders:write" in json.loads(body)["permissions"]

    return verify
