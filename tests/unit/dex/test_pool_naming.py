"""What a pool's market is called, and that nobody can take another's name."""

import pytest

from core.tokens import Token
from dex.naming import symbol
from dex.pools import PoolDirectory
from tests.support.pool_fakes import (
    DAI,
    FAKE_USDC,
    NETWORK,
    SPEC,
    USDC,
    WETH,
    WIF,
    address,
    market,
)


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (WETH, USDC, "WETH-USDC"),
        (USDC, WETH, "WETH-USDC"),
        (DAI, USDC, "DAI-USDC"),
        (WETH, WIF, "WIF-WETH"),
        (DAI, WETH, "WETH-DAI"),
    ],
)
def test_the_quote_is_what_people_count_in(one: Token, other: Token, name: str) -> None:
    assert market(one, other).instrument.id == name


def test_of_two_unranked_tokens_the_contracts_second_is_the_quote() -> None:
    cat = Token(NETWORK, address(9), "CAT", 18)
    directory = PoolDirectory(SPEC, [WIF, cat])
    assert directory.candidate(cat, WIF).instrument.id == "WIF-CAT"


def test_a_second_token_of_a_listed_symbol_never_gets_the_bare_name() -> None:
    fake = market(WETH, FAKE_USDC)
    assert fake.instrument.id == f"{fake.base.symbol}-{fake.quote.symbol}:{fake.address}"
    assert fake.base is FAKE_USDC  # unranked: WETH is the better known


def test_an_unlisted_token_of_a_ranked_symbol_is_no_quote_of_anything() -> None:
    stranger = Token(NETWORK, address(70), "USDC", 6)
    pool = market(WETH, stranger)
    assert pool.quote is WETH
    assert pool.instrument.id.endswith(pool.address)


@pytest.mark.parametrize(
    ("given", "plain"),
    [("USDC.e", "USDC.e"), ("A-B", "AB"), ("x\n\x00 y", "xy"), ("L" * 99, "L" * 24)],
)
def test_symbols_are_cut_to_what_a_name_may_have(given: str, plain: str) -> None:
    assert symbol(Token(NETWORK, address(1), given, 18)) == plain


def test_a_symbol_without_any_letter_gives_way_to_the_address() -> None:
    assert symbol(Token(NETWORK, address(1), "🐕", 18)) == address(1)


def test_rules_of_an_instrument_are_the_tokens_units() -> None:
    instrument = market().instrument
    assert str(instrument.quantity_step) == "1E-18"
    assert str(instrument.price_tick) == "1E-18"
    assert instrument.venue_symbol == market().address
