"""Balances and positions: what changed becomes an event, what only was told again does not.

One for all accounts, because a wallet trades on several venues of a network and has one balance.
"""

from collections import OrderedDict
from collections.abc import Set
from dataclasses import replace
from decimal import Decimal

from cambist.v1 import events_pb2 as pb
from core.accounts import Balance, Position
from core.money import ZERO
from daemon.codec import accounts as codec
from daemon.journal.events import new_event
from daemon.journal.journal import Journal

_REMEMBERED = 50_000
_Key = tuple[str, ...]


class Holdings:
    """The last known of each asset and position, bounded; forgotten ones are told once more."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._held: OrderedDict[_Key, Balance | Position] = OrderedDict()

    def apply(self, told: Balance | Position) -> None:
        """Takes what a venue told; JOURNAL_UNAVAILABLE when the journal has no room."""
        key = _key(told)
        before = self._held.get(key)
        if before is not None and 0 < told.update_time < before.update_time:
            return  # older than what is known: a query that an update overtook
        if before is None and isinstance(told, Position) and not told.quantity:
            return
        if before is None or _values(before) != _values(told):
            if isinstance(told, Balance):
                event = pb.Event(balance=codec.balance(told))
            else:
                event = pb.Event(position=codec.position(told))
            now = self._journal.clock.now()
            # Balances come in company: what they come with is written at once and takes them along.
            self._journal.append(new_event(event, now, told.account), fact=True, hurry=False)
        self._held[key] = told
        self._held.move_to_end(key)
        if len(self._held) > _REMEMBERED:
            self._held.popitem(last=False)

    def balance(self, account: str, place: str, asset: str) -> Decimal:
        """The total of an asset, at a venue or on a network."""
        held = self._held.values()
        return sum(
            (
                one.total
                for one in held
                if isinstance(one, Balance)
                and (one.account, one.venue, one.asset) == (account, place, asset)
            ),
            ZERO,
        )

    def balances(self) -> list[Balance]:
        """All that are known."""
        return [one for one in self._held.values() if isinstance(one, Balance)]

    def positions(self) -> list[Position]:
        """All that are not flat."""
        return [one for one in self._held.values() if isinstance(one, Position) and one.quantity]

    def position(self, account: str, venue: str, instrument: str) -> Decimal:
        """The net position in base units, negative for short."""
        net = ZERO
        for one in self._held.values():
            if isinstance(one, Position) and (one.account, one.venue, one.instrument) == (
                account,
                venue,
                instrument,
            ):
                net += one.quantity
        return net

    def gone(
        self,
        account: str,
        venue: str,
        balances: Set[tuple[str, str]] | None,
        positions: Set[tuple[str, str]] | None,
    ) -> None:
        """Zeroes what a complete list of a venue no longer has: balances by asset and token,
        positions by instrument and side's name; None for what was not asked for."""
        now = self._journal.clock.now()
        for held in tuple(self._held.values()):
            if (held.account, held.venue) != (account, venue):
                continue
            if isinstance(held, Balance):
                listed = balances is None or (held.asset, held.token) in balances
                if not listed and (held.total or held.available):
                    units = None if held.units is None else 0
                    none = held.total * 0
                    zero = replace(held, total=none, available=none, units=units, update_time=now)
                    self.apply(zero)
                continue
            listed = positions is None or (held.instrument, held.side.name) in positions
            if not listed and held.quantity:
                flat = replace(held, quantity=held.quantity * 0, unrealized_pnl=None)
                self.apply(replace(flat, margin=None, update_time=now))


def _key(told: Balance | Position) -> _Key:
    if isinstance(told, Balance):
        return "balance", told.account, told.venue, told.asset, told.token
    return "position", told.account, told.venue, told.instrument, told.side.name


def _values(held: Balance | Position) -> tuple[object, ...]:
    """What makes a change: a trade, a transfer, a setting; not what only follows the market."""
    if isinstance(held, Balance):
        return held.total, held.available, held.units
    return held.quantity, held.entry_price, held.leverage
