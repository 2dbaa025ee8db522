"""The risk desk: every order, swap and transfer of every bot goes by it before anything is sent.

`prepare` may wait for prices; `admit` decides at once, so that between the decision and the order's
place in the ledger no other order can come in. What is decided: halts, the limits of the
configuration, trades with oneself, and what a token says of amounts.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from core.clock import Clock
from core.errors import Reason, Refused
from core.instruments import Instrument
from core.money import ZERO, text
from core.orders import Fill, OrderRequest, OrderType, Side, TimeInForce
from daemon.access.caller import CALLER
from daemon.risk.checks import CHECKS, Admission, Exposure
from daemon.risk.day import DAY, Day, Swapped, quote_of
from daemon.risk.halts import Halts
from daemon.risk.limits import Limit, Limits
from daemon.risk.prices import Prices
from daemon.risk.scope import Scope
from daemon.risk.swap_checks import SWAP_CHECKS, Swap

_STOPS = frozenset({OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET})
_NOTIONAL_FACTS = ("order_notional", "day_notional")


class Instruments(Protocol):
    """Where instruments are looked up, and what an account trades with."""

    def instrument(self, venue: str, instrument: str) -> Instrument: ...

    def is_paper(self, account: str) -> bool: ...


class RiskDesk:
    """One for the daemon. `exposure` is what the trading desk knows of orders and positions."""

    def __init__(
        self,
        limits: Limits,
        halts: Halts,
        prices: Prices,
        instruments: Instruments,
        exposure: Exposure,
        clock: Clock,
        refuse_self_trade: bool = True,
    ) -> None:
        self.limits = limits
        self.halts = halts
        self.prices = prices
        self.day = Day()
        self.refuse_self_trade = refuse_self_trade
        self._instruments = instruments
        self._exposure = exposure
        self._clock = clock
        self.keep: Callable[[], None] = lambda: None  # writes down what was swapped

    # Orders.

    async def prepare(self, request: OrderRequest, replaces: str = "") -> Admission:
        """Gathers what the decision needs. `replaces`: the order whose place this one takes."""
        caller = CALLER.get()
        instrument = self._instruments.instrument(request.venue, request.instrument)
        covering = [one for one in self.limits if _covers(one, request, instrument, caller.root)]
        price = request.price if request.type not in _STOPS else request.trigger_price
        rules = {one.rule for one in covering}
        here = elsewhere = None
        if price is None and (covering or _mentions(caller.checks, *_NOTIONAL_FACTS)):
            here = await self.prices.of(instrument)
        if "price_band" in rules:
            here = here or await self.prices.of(instrument)
            elsewhere = await self.prices.elsewhere(instrument)
        worth = {}
        if "day_loss" in rules:
            for one in covering:
                for place, _ in self.day.traded(self._clock.now(), one.scope):
                    worth[place] = await self._worth(place)
        valued = price if price is not None else here
        if not instrument.trusted:
            valued = None  # so many of a token that anybody may have made
        return Admission(
            request=request,
            instrument=instrument,
            root=caller.root,
            notional=None if valued is None else request.quantity * valued,
            here=here,
            elsewhere=elsewhere,
            worth=worth,
            replaces=replaces,
            limits=tuple(covering),
        )

    def admit(self, admission: Admission) -> None:
        """Raises HALTED, RISK_LIMIT_EXCEEDED, SELF_TRADE or PERMISSION_DENIED, with the rule."""
        request = admission.request
        # Most daemons have no limit that asks for it.
        asked = admission.limits or any(self.halts) or CALLER.get().denial is not None
        increases = bool(asked) and self._exposure.increases(admission)
        scope = {
            "venue": request.venue,
            "account": request.account,
            "instrument": request.instrument,
            "token_root": admission.root,
        }
        self.halts.check(reduces=not increases, **scope)
        now = self._clock.now()
        for limit in admission.limits:
            CHECKS[limit.rule](limit, admission, self._exposure, self.day, now, increases)
        if self.refuse_self_trade:
            self._check_self_trade(admission)
        self._check_token(admission, increases, now)

    def taken(self, admission: Admission) -> None:
        """An order that was admitted is being sent: it counts from now on."""
        request = admission.request
        place = request.venue, request.account, request.instrument
        self.day.ordered(
            self._clock.now(), place, admission.root, admission.instrument.quote, admission.notional
        )

    def filled(self, fill: Fill) -> None:
        """A trade of one of our accounts."""
        self.day.filled(self._clock.now(), fill, quote_of(fill.instrument))

    # Everything else that goes out.

    def admit_swap(self, swap: Swap) -> None:
        """Raises HALTED, RISK_LIMIT_EXCEEDED or PERMISSION_DENIED. A notional that nobody knows
        (None) is within no limit."""
        root, now = CALLER.get().root, self._clock.now()
        for limit in self.limits:
            if limit.rule in SWAP_CHECKS and swap.is_within(limit, root):
                SWAP_CHECKS[limit.rule](limit, swap, self.day, now)
        spent = self.day.notional(now, Scope(token_root=root), swap.quote)
        for venue in swap.venues:
            self.admit_transaction(
                swap.account,
                venue,
                swap.notional,
                swap.slippage,
                spent=spent,
                instrument=swap.instrument,
            )

    def swap_taken(self, swap: Swap) -> Callable[[], None]:
        """One that was admitted is being sent: it counts from now on, after a restart too. What
        takes that back, should it be refused. Raises JOURNAL_UNAVAILABLE."""
        root, now = CALLER.get().root, self._clock.now()
        if swap.notional is None:
            return lambda: None
        day, rest = now // DAY, (swap.account, swap.instrument, root, swap.quote)
        entries = [
            Swapped(day, venue, *rest, number > 0, swap.notional)
            for number, venue in enumerate(swap.venues)
        ]

        def undo() -> None:
            self.day.swapped(now, [replace(one, notional=-one.notional) for one in entries])

        self.day.swapped(now, entries)
        try:
            self.keep()
        except Refused:
            undo()
            raise
        return undo

    def admit_transaction(
        self,
        account: str,
        venue: str = "",
        notional: Decimal | None = None,
        slippage: Decimal | None = None,
        reduces: bool = False,
        spent: Decimal = ZERO,
        instrument: str = "",
    ) -> None:
        """A transfer, an approval, a change of liquidity. Raises HALTED or PERMISSION_DENIED.
        `spent`: what the bot has ordered today in the same quote."""
        caller = CALLER.get()
        self.halts.check(
            reduces=reduces,
            venue=venue,
            account=account,
            instrument=instrument,
            token_root=caller.root,
        )
        amounts = [_WITHOUT_BOUND] * 2
        if notional is not None:
            amounts = [text(notional), text(spent + notional)]
        facts: list[tuple[str, str | bool]] = list(zip(_NOTIONAL_FACTS, amounts, strict=True))
        if slippage is not None:
            facts.append(("slippage", text(slippage)))
        caller.check(("increases", not reduces), *facts)

    # --

    async def _worth(self, place: tuple[str, str, str]) -> Decimal | None:
        venue, _, instrument = place
        try:
            return await self.prices.of(self._instruments.instrument(venue, instrument))
        except Refused:
            return None

    def _check_self_trade(self, admission: Admission) -> None:
        request = admission.request
        if request.time_in_force is TimeInForce.POST_ONLY or request.trigger_price is not None:
            return
        for order in self._exposure.open_orders(request.venue, request.instrument):
            other = order.request
            if other.side is request.side or order.client_order_id == admission.replaces:
                continue
            if other.price is None or other.trigger_price is not None:
                continue
            # A bot against itself is for the venue's own prevention; two bots are for ours.
            mine = other.account, self._exposure.root_of(order)
            if mine == (request.account, admission.root):
                continue
            # Pretended money meets no real order, on whatever book it pretends.
            paper = self._instruments.is_paper
            if paper(other.account) is not paper(request.account):
                continue
            buys = request.side is Side.BUY
            crosses = request.price is None or (
                request.price >= other.price if buys else request.price <= other.price
            )
            if crosses:
                raise Refused(
                    Reason.SELF_TRADE,
                    f"it would trade with order {order.client_order_id} of another bot on account "
                    f"{other.account} ({other.side.name.lower()} at {text(other.price)}): cancel "
                    "that one first, or set risk.self_trade",
                    {"rule": "self_trade", "order": order.client_order_id},
                )

    def _check_token(self, admission: Admission, increases: bool, now: int) -> None:
        caller, request = CALLER.get(), admission.request
        if caller.denial is None:
            return
        facts: list[tuple[str, str | bool]] = [("increases", increases)]
        quote = admission.instrument.quote
        if admission.notional is not None:
            day = self.day.notional(now, Scope(token_root=caller.root), quote)
            facts += [
                ("order_notional", text(admission.notional)),
                ("day_notional", text(day + admission.notional)),
            ]
        elif _mentions(caller.checks, *_NOTIONAL_FACTS):
            facts += [(name, _WITHOUT_BOUND) for name in _NOTIONAL_FACTS]
        if request.type is OrderType.MARKET:
            slippage = request.max_slippage
            facts.append(("slippage", "1" if slippage is None else text(slippage)))
        caller.check(*facts)


# Stands for an amount that nobody can name; above every limit.
_WITHOUT_BOUND = "9" * 60


def _covers(limit: Limit, request: OrderRequest, instrument: Instrument, root: str) -> bool:
    if limit.asset and limit.asset not in (instrument.base, instrument.quote):
        return False
    return limit.scope.covers(request.venue, request.account, request.instrument, root)


def _mentions(checks: Iterable[str], *facts: str) -> bool:
    return any(fact in check for check in checks for fact in facts)
