"""What a key may do: which accounts tell, and what a key of Hyperliquid tells by itself."""

import pytest

from cex.engine.accounts import exchange_account
from cex.engine.credentials import Credentials
from cex.engine.market import ExchangeVenue
from cex.engine.phantom import address_of
from cex.venues import catalogue
from core.clock import SystemClock
from core.errors import Reason, Refused
from core.ports import CancelTimer, Keyed, KeyPermissions

# The address of private key 1 is known to everybody.
ONE, ADDRESS_OF_ONE = "0x" + "1".zfill(64), "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
VENUES = catalogue()
SILENT = {"binance_us", "binance_testnet", "binance_perpetual_testnet"}
WITH_TIMER = {
    "binance_perpetual", "gate_io", "hyperliquid", "hyperliquid_perpetual", "kraken", "kucoin",
    "okx", "okx_perpetual",
}  # fmt: skip


def account(venue: str, credentials: Credentials) -> object:
    return exchange_account("main", ExchangeVenue(VENUES[venue], SystemClock()), credentials)


@pytest.mark.parametrize("venue", sorted(VENUES))
async def test_an_account_can_do_what_its_venue_can(venue: str) -> None:
    made = account(venue, Credentials("key", "secret", "words"))
    assert isinstance(made, Keyed) == (venue not in SILENT)
    base = venue.removesuffix("_testnet").removesuffix("_us").removesuffix("_eea")
    assert isinstance(made, CancelTimer) == (base in WITH_TIMER)


def test_the_address_of_a_private_key() -> None:
    assert address_of(ONE) == ADDRESS_OF_ONE
    assert address_of(ONE.removeprefix("0x")) == ADDRESS_OF_ONE


@pytest.mark.parametrize("venue", ["hyperliquid", "hyperliquid_perpetual"])
async def test_a_key_of_hyperliquid_tells_without_a_request(venue: str) -> None:
    """The market was never started: there is nobody to ask."""
    own = account(venue, Credentials("0x" + ADDRESS_OF_ONE[2:].upper(), ONE))
    assert isinstance(own, Keyed)
    assert await own.key_permissions() == KeyPermissions(trade=True, withdraw=True)
    wallet = account(venue, Credentials("0x" + "ab" * 20, ONE))
    assert isinstance(wallet, Keyed)
    assert await wallet.key_permissions() == KeyPermissions(withdraw=False)


@pytest.mark.parametrize("secret", ["not a key", "0x12", "0x" + "00" * 32])
async def test_what_is_no_key_is_refused_and_not_repeated(secret: str) -> None:
    made = account("hyperliquid", Credentials(ADDRESS_OF_ONE, secret))
    assert isinstance(made, Keyed)
    with pytest.raises(Refused) as refused:
        await made.key_permissions()
    assert refused.value.reason is Reason.VENUE_AUTHENTICATION_FAILED
    assert secret not in refused.value.message
