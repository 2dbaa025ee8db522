"""The venues, accounts and networks of this daemon, by id; a wrong id gets a suggestion."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NoReturn, TypeVar

from core.errors import Reason, Refused
from core.instruments import Instrument
from core.ports import Account, Capability, Network, Venue, VenueKind
from core.swaps import SwapVenue

T = TypeVar("T")


def suggestion(word: str, known: Iterable[str]) -> str:
    """What a mistyped word was probably meant to be, as the end of a sentence."""
    names = sorted(known)
    if close := get_close_matches(word, names, n=1):
        return f"; did you mean {close[0]!r}?"
    if not names:
        return "; there is none"
    shown = ", ".join(names[:8])
    return f"; known: {shown}" + (", …" if len(names) > 8 else "")


class Registry:
    """What the daemon was configured with. An account is one id on one venue."""

    def __init__(self) -> None:
        self.venues: dict[str, Venue] = {}
        self.networks: dict[str, Network] = {}
        self.accounts: dict[tuple[str, str], Account] = {}
        # Ids that are known but not here: still starting, or left out; with the error to give.
        self.absent: dict[str, tuple[Reason, str]] = {}
        self.locked: set[str] = set()  # accounts whose keys are not open

    def add_account(self, account: Account) -> None:
        """Makes an account known."""
        self.accounts[account.id, account.venue.info.id] = account

    def venue(self, venue: str) -> Venue:
        """Raises VENUE_NOT_FOUND."""
        return self._find(self.venues, venue, Reason.VENUE_NOT_FOUND, "venue")

    def swap_venue(self, venue: str) -> SwapVenue:
        """A venue of pools; raises VENUE_NOT_FOUND or UNSUPPORTED_BY_VENUE."""
        found = self.venue(venue)
        if found.info.kind is not VenueKind.POOL:
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"{venue} has an order book, not pools: place an order there",
                {"venue": venue, "capability": "swap"},
            )
        return found  # type: ignore[return-value]  # pool venues implement SwapVenue

    def instrument(self, venue: str, instrument: str) -> Instrument:
        """Raises VENUE_NOT_FOUND, VENUE_UNAVAILABLE while a venue has not loaded, or
        INSTRUMENT_NOT_FOUND."""
        where = self.venue(venue)
        if Capability.ORDER_BOOK not in where.info.capabilities:
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"{venue} has no instruments: it quotes and swaps only; name another venue",
                {"venue": venue, "capability": "order_book"},
            )
        if not where.instruments:
            condition = where.condition
            raise Refused(
                Reason.VENUE_UNAVAILABLE,
                f"{venue} has not told its instruments yet: {condition.reason or 'it is starting'}",
                {"venue": venue},
                retry_after=1_000_000_000,
            )
        found = where.instruments.get(instrument)
        if found is None:
            hint = suggestion(instrument, where.instruments)
            raise Refused(
                Reason.INSTRUMENT_NOT_FOUND,
                f"{venue} has no instrument {instrument!r}{hint}",
                {"venue": venue, "instrument": instrument},
            )
        return found

    def account(self, account: str, venue: str) -> Account:
        """Raises ACCOUNT_NOT_FOUND or VENUE_NOT_FOUND."""
        found = self.accounts.get((account, venue))
        if found is not None:
            return found
        self.venue(venue)
        self.account_venues(account)
        raise Refused(
            Reason.ACCOUNT_NOT_FOUND,
            f"account {account!r} does not trade on {venue}"
            + suggestion(venue, self.account_venues(account)),
            {"account": account, "venue": venue},
        )

    def account_venues(self, account: str) -> list[str]:
        """The venues of an account, sorted; raises ACCOUNT_NOT_FOUND or SECRETS_LOCKED, and
        STARTING_UP while not all of them are here."""
        if account in self.absent:
            self._refuse_absent(account, "account")
        venues = sorted(venue for one, venue in self.accounts if one == account)
        if not venues and account in self.locked:
            raise Refused(
                Reason.SECRETS_LOCKED,
                f"the keys of {account} are locked: 'cambist unlock'",
                {"account": account},
            )
        if not venues:
            known = {one for one, _ in self.accounts}
            raise Refused(
                Reason.ACCOUNT_NOT_FOUND,
                f"no account {account!r}{suggestion(account, known)}",
                {"account": account, "known": ",".join(sorted(known))[:500]},
            )
        return venues

    def venues_of(self, account: str) -> list[str]:
        """The venues of an account, none for one that nobody knows."""
        return [venue for one, venue in self.accounts if one == account]

    def is_paper(self, account: str) -> bool:
        """Whether an account trades with pretended money wherever it does."""
        parts = [one for (id_, _), one in self.accounts.items() if id_ == account]
        return bool(parts) and all(getattr(one, "paper", False) for one in parts)

    def network(self, network: str) -> Network:
        """Raises NETWORK_NOT_FOUND."""
        return self._find(self.networks, network, Reason.NETWORK_NOT_FOUND, "network")

    def _find(self, items: Mapping[str, T], word: str, reason: Reason, what: str) -> T:
        found = items.get(word)
        if found is not None:
            return found
        if word in self.absent:
            self._refuse_absent(word, what)
        message = f"no {what} {word!r}{suggestion(word, items)}"
        raise Refused(reason, message, {what: word, "known": ",".join(sorted(items))[:500]})

    def _refuse_absent(self, word: str, what: str) -> NoReturn:
        why, message = self.absent[word]
        retry = 1_000_000_000 if why is Reason.STARTING_UP else None
        raise Refused(why, message, {what: word}, retry)
