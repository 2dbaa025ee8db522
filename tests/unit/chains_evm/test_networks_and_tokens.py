"""The tables: networks and token lists."""

import pytest

from chains.evm.codec import checksum
from chains.networks import NETWORKS
from chains.tokens import TokenRegistry, bundled
from chains.tokens.words import plain_name, plain_symbol
from core.errors import Reason, Refused
from core.tokens import Token

EVM = [entry for entry in NETWORKS.values() if entry.info.family == "evm"]
PUBLIC = [entry for entry in NETWORKS.values() if not entry.info.id.endswith("_local")]


def test_the_networks_that_there_must_be() -> None:
    assert {
        "ethereum",
        "sepolia",
        "avalanche",
        "fuji",
        "harmony",
        "harmony_testnet",
        "polygon",
        "polygon_amoy",
        "arbitrum",
        "arbitrum_sepolia",
        "base",
        "base_sepolia",
        "optimism",
        "optimism_sepolia",
        "bnb",
        "bnb_testnet",
        "celo",
        "celo_sepolia",
        "solana",
        "solana_devnet",
        "ethereum_local",
        "solana_local",
    } <= set(NETWORKS)
    assert all(id == entry.info.id for id, entry in NETWORKS.items())


def test_chain_ids_are_the_networks_own() -> None:
    ids = {entry.info.id: entry.info.chain_id for entry in EVM}
    assert len(set(ids.values())) == len(ids)
    assert ids["ethereum"] == 1
    assert ids["sepolia"] == 11_155_111
    assert ids["avalanche"] == 43_114
    assert ids["fuji"] == 43_113
    assert ids["harmony"] == 1_666_600_000
    assert ids["harmony_testnet"] == 1_666_700_000
    assert ids["polygon"] == 137
    assert ids["polygon_amoy"] == 80_002
    assert ids["arbitrum"] == 42_161
    assert ids["arbitrum_sepolia"] == 421_614
    assert ids["base"] == 8_453
    assert ids["base_sepolia"] == 84_532
    assert ids["optimism"] == 10
    assert ids["optimism_sepolia"] == 11_155_420
    assert ids["bnb"] == 56
    assert ids["bnb_testnet"] == 97
    assert ids["celo"] == 42_220
    assert ids["celo_sepolia"] == 11_142_220
    assert ids["ethereum_local"] == 31_337
    assert all(not entry.info.chain_id for entry in NETWORKS.values() if entry not in EVM)


@pytest.mark.parametrize("entry", PUBLIC, ids=lambda entry: entry.info.id)
def test_a_public_network_can_be_reached_without_a_key(entry) -> None:  # type: ignore[no-untyped-def]
    assert any(url.startswith("https://") for url in entry.urls)
    assert len(set(entry.urls)) == len(entry.urls)
    if not entry.info.testnet:
        assert sum(url.startswith("https://") for url in entry.urls) >= 2  # one node alone may lie
    assert all(url.startswith(("https://", "wss://")) for url in entry.urls)
    assert not any(word in url.lower() for url in entry.urls for word in ("key", "${", "/v3/"))
    assert entry.info.explorer.startswith("https://")


@pytest.mark.parametrize("entry", NETWORKS.values(), ids=lambda entry: entry.info.id)
def test_coins_belong_to_their_network(entry) -> None:  # type: ignore[no-untyped-def]
    info = entry.info
    assert info.native.is_native
    assert info.native.network == info.id
    assert info.block_time > 0
    assert info.finality_depth >= 0
    if info.wrapped is not None:
        assert info.wrapped.network == info.id
        assert info.wrapped.decimals == info.native.decimals
        if info.family == "evm":
            assert checksum(info.wrapped.address) == info.wrapped.address


@pytest.mark.parametrize("id", sorted(NETWORKS))
def test_lists_are_well_formed(id: str) -> None:
    tokens = bundled(id)
    for token in tokens:
        if NETWORKS[id].info.family == "evm":
            assert checksum(token.address) == token.address
        assert 0 < token.decimals <= 18
        assert token.network == id
        assert token.symbol == token.symbol.strip()
        assert token.name
    assert len({token.address for token in tokens}) == len(tokens)
    assert len({token.symbol.casefold() for token in tokens}) == len(tokens)
    wrapped = NETWORKS[id].info.wrapped
    if tokens and wrapped:
        assert wrapped.address in {token.address for token in tokens}


MAIN = sorted(entry.info.id for entry in EVM if not entry.info.testnet)


@pytest.mark.parametrize("id", [*MAIN, "sepolia", "fuji"])
def test_the_main_networks_have_lists(id: str) -> None:
    assert len(bundled(id)) >= 3


@pytest.mark.parametrize("id", MAIN)
def test_the_main_networks_know_the_dollar(id: str) -> None:
    """What bots trade most is found by its symbol, and means one token."""
    symbol = "1USDC" if id == "harmony" else "USDC"
    # Binance's pegged USDC has 18 decimals: a table of symbols with 6 would be wrong by 10 ** 12.
    assert TokenRegistry(NETWORKS[id].info).find(symbol).decimals == (18 if id == "bnb" else 6)


@pytest.fixture
def registry() -> TokenRegistry:
    return TokenRegistry(NETWORKS["ethereum"].info)


def test_a_token_is_found_by_address_and_by_symbol(registry: TokenRegistry) -> None:
    usdc = registry.find("USDC")
    assert usdc.decimals == 6
    assert registry.find(usdc.address.lower()) == usdc
    assert registry.find("usdc") == usdc
    assert registry.by_address(usdc.address.upper().replace("0X", "0x")) == usdc
    assert registry.find("ETH").is_native
    assert registry.by_address("") == NETWORKS["ethereum"].info.native
    assert registry.tokens()[0].is_native


def test_an_unknown_token_is_an_error_that_says_what_to_do(registry: TokenRegistry) -> None:
    for text in ("NOPE", "", "0x" + "1" * 40, "x" * 500):
        with pytest.raises(Refused) as caught:
            registry.find(text)
        assert caught.value.reason is Reason.TOKEN_NOT_FOUND
        assert "address" in caught.value.message
        assert len(caught.value.message) < 300


def test_a_symbol_that_means_two_tokens_lists_both(registry: TokenRegistry) -> None:
    real = registry.find("USDC")
    other = Token("ethereum", "0x" + "22" * 20, "USDC", 18, "Not quite USD Coin")
    registry.add(other)
    with pytest.raises(Refused) as caught:
        registry.find("USDC")
    assert caught.value.reason is Reason.TOKEN_AMBIGUOUS
    assert real.address in caught.value.message
    assert other.address in caught.value.message
    assert caught.value.metadata["candidates"] == f"{real.address},{other.address}"
    assert registry.find(other.address) == other
    registry.remove(other.address)
    assert registry.find("USDC") == real


def test_a_token_with_the_coins_symbol_makes_the_symbol_ambiguous_and_both_can_be_named(
    registry: TokenRegistry,
) -> None:
    fake = Token("ethereum", "0x" + "55" * 20, "ETH", 18, "Not quite Ether")
    registry.add(fake)
    with pytest.raises(Refused) as caught:
        registry.find("ETH")
    assert caught.value.reason is Reason.TOKEN_AMBIGUOUS
    assert caught.value.metadata["candidates"] == f"native,{fake.address}"
    assert "native (Ether)" in caught.value.message
    assert registry.find("native").is_native
    assert registry.find(fake.address) == fake


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("USDC", "USDC"),
        ("US\u202eDC", "USDC"),  # turns the direction of writing
        ("\u200bUSDC\ufeff", "USDC"),  # cannot be seen
        ("USDC\x00\x1b[2J", "USDC[2J"),
        ("  USD\u00a0C\n", "USD C"),
        ("\u202e\u200b", ""),
        ("USD₮0", "USD₮0"),
        ("x" * 5000, "x" * 32),
    ],
)
def test_a_strangers_symbol_hides_nothing(text: str, shown: str) -> None:
    assert plain_symbol(text) == shown
    assert plain_name(text)[:32] == shown


def test_an_exact_symbol_comes_before_one_in_another_case(registry: TokenRegistry) -> None:
    registry.add(Token("ethereum", "0x" + "33" * 20, "STETH", 18, "Shouting"))
    assert registry.find("stETH").name == "Lido Staked Ether"
    assert registry.find("STETH").name == "Shouting"
    with pytest.raises(Refused) as caught:
        registry.find("Steth")
    assert caught.value.reason is Reason.TOKEN_AMBIGUOUS


def test_only_tokens_of_the_network_are_added(registry: TokenRegistry) -> None:
    for wrong in (
        Token("avalanche", "0x" + "44" * 20, "X", 18),
        Token("ethereum", "", "X", 18),
    ):
        with pytest.raises(Refused) as caught:
            registry.add(wrong)
        assert caught.value.reason is Reason.FIELD_INVALID
    with pytest.raises(Refused) as caught:
        registry.remove("0x" + "44" * 20)
    assert caught.value.reason is Reason.TOKEN_NOT_FOUND


def test_base58_addresses_keep_their_case() -> None:
    info = NETWORKS["solana"].info
    mint = Token("solana", "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU", "NEW", 6)
    registry = TokenRegistry(info, [mint])
    assert registry.by_address(mint.address) == mint
    assert registry.by_address(mint.address.lower()) is None
