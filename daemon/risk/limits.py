"""The limits, as the configuration states them and as bots have tightened them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from core.errors import Reason, Refused
from core.money import text
from daemon.config.model import RiskLimitSettings
from daemon.risk.scope import Scope

# Each rule with the unit of its figures; "quote" and "base" are those of the order's instrument.
RULES = {
    "order_quantity": "base",
    "order_notional": "quote",
    "open_orders": "orders",
    "order_rate": "orders/min",
    "position": "base",
    "position_notional": "quote",
    "day_notional": "quote",
    "day_loss": "quote",
    "price_band": "fraction",
    "slippage": "fraction",
}
Key = tuple[str, Scope, str]
MOST = 1000  # that bots have tightened or made


@dataclass(frozen=True, slots=True)
class Limit:
    """`asset`: only for orders whose unit (base or quote) is this one. `configured` is the file's
    figure, where a bot has tightened it."""

    rule: str
    scope: Scope
    bound: Decimal
    asset: str = ""
    configured: Decimal | None = None

    @property
    def key(self) -> Key:
        """What makes it the same limit when its figure changes."""
        return self.rule, self.scope, self.asset

    @property
    def unit(self) -> str:
        """What its figures are in."""
        return self.asset or RULES[self.rule]

    @classmethod
    def of(cls, settings: RiskLimitSettings) -> "Limit":
        """From the configuration."""
        scope = Scope(settings.venue, settings.account, settings.instrument, settings.token_root)
        return cls(settings.rule, scope, Decimal(settings.limit), settings.asset)


class Limits:
    """All limits in force.

    A tightened one stays tight over a restart and a reload, until the configuration states another
    figure for it: then its owner has spoken.
    """

    def __init__(self, configured: Iterable[Limit], tightened: Iterable[Limit] = ()) -> None:
        self._tightened = {one.key: one for one in tightened}
        self._limits: dict[Key, Limit] = {}
        self.load(configured)

    def __iter__(self) -> Iterator[Limit]:
        return iter(self._limits.values())

    def load(self, configured: Iterable[Limit]) -> None:
        """Takes the configuration's limits in place of those before."""
        stated = {one.key: one for one in configured}
        for key, one in tuple(self._tightened.items()):
            # One that a bot made by itself has no figure in the file, and stays.
            if one.configured != (stated[key].bound if key in stated else None):
                del self._tightened[key]
        self._limits = stated | self._tightened

    @property
    def tightened(self) -> list[Limit]:
        """Those that bots have tightened or made, to be kept."""
        return list(self._tightened.values())

    def tighten(self, rule: str, scope: Scope, bound: Decimal) -> Limit:
        """Lowers a limit, or makes one where there was none. Raises Refused for a higher figure."""
        if rule not in RULES:
            raise Refused(
                Reason.FIELD_INVALID,
                f"name {rule[:80]!r} is no limit: {', '.join(RULES)}",
                {"field": "name", "value": rule[:80]},
            )
        before = self._limits.get((rule, scope, ""))
        if before is not None and bound > before.bound:
            raise Refused(
                Reason.RISK_LIMIT_EXCEEDED,
                f"{rule} of {scope} is {text(before.bound)}: a limit is only tightened here; its "
                "owner loosens it in the configuration",
                {"rule": rule, "scope": str(scope), "limit": text(before.bound)},
            )
        if before is None and len(self._tightened) >= MOST:
            raise Refused(
                Reason.RATE_LIMITED,
                f"{MOST} limits were made by bots: lower one of them, or state it in the "
                "configuration",
            )
        configured = None
        if before is not None:
            configured = before.configured if before.key in self._tightened else before.bound
        after = Limit(rule, scope, bound, configured=configured)
        if before is not None:
            after = replace(after, asset=before.asset)
        self._tightened[after.key] = self._limits[after.key] = after
        return after
