"""The shipped tables: spelled right, and what the protocols' packages say."""

import pytest

from chains.evm.codec import checksum, keccak
from chains.localnet import packages
from chains.networks import NETWORKS
from dex.family import family_of
from dex.spec import PoolVenueSpec
from dex.venues import PROTOCOLS, SPECS
from tests.support.evm import installed


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_addresses_are_checksummed_and_the_network_exists(spec: PoolVenueSpec) -> None:
    deployment = spec.deployment
    if deployment.network in NETWORKS:  # a table may be ahead of the networks that there are
        assert NETWORKS[deployment.network].info.family == "evm"
    addresses = [deployment.factory, deployment.router]
    addresses += filter(None, [deployment.quoter, deployment.positions, deployment.deployer])
    addresses += filter(None, [deployment.universal_router])
    addresses += [address for pool in deployment.pools for address in pool[:2]]
    assert [checksum(address.lower()) for address in addresses] == addresses
    assert len({frozenset(pool[:2]) for pool in deployment.pools}) == len(deployment.pools)
    assert all(pool[0] != pool[1] for pool in deployment.pools)
    assert spec.id == f"{spec.protocol.id}@{deployment.network}"


def test_the_venues_that_are_promised_are_there() -> None:
    first = {"uniswap_v2@ethereum", "pangolin@avalanche", "trader_joe@avalanche"}
    first |= {"pancakeswap_v2@bnb", "quickswap@polygon"}
    v3 = "ethereum", "arbitrum", "optimism", "polygon", "base", "bnb", "celo", "avalanche"
    cake = "bnb", "ethereum", "arbitrum", "base"
    sushi = "ethereum", "arbitrum", "polygon", "avalanche", "bnb"
    promised = {*first, *(f"uniswap_v3@{id}" for id in v3)}
    promised |= {f"pancakeswap_v3@{id}" for id in cake} | {f"sushiswap_v2@{id}" for id in sushi}
    assert promised <= set(SPECS)


@pytest.mark.parametrize(
    ("venue", "row", "fee", "pool"),
    [
        ("uniswap_v3@ethereum", 0, 500, "0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"),
        ("uniswap_v3@ethereum", 0, 3_000, "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8"),
        ("uniswap_v3@arbitrum", 0, 500, "0xC6962004f452bE9203591991D15f6b388e09E8D0"),
        ("uniswap_v3@optimism", 0, 500, "0x1fb3cf6e48F1E7B10213E7b6d87D4c073C7Fdb7b"),
        ("uniswap_v3@polygon", 0, 500, "0xA4D8c89f0c20efbe54cBa9e7e7a7E509056228D9"),
        ("uniswap_v3@base", 0, 500, "0xd0b53D9277642d899DF5C87A3966A349A798F224"),
        ("uniswap_v3@bnb", 0, 500, "0x6fe9E9de56356F7eDBfcBB29FAB7cd69471a4869"),
        ("uniswap_v3@avalanche", 0, 500, "0xfAe3f424a0a47706811521E3ee268f00cFb5c45E"),
        ("pancakeswap_v3@bnb", 0, 500, "0x36696169C63e42cd08ce11f5deeBbCeBae652050"),
        ("pancakeswap_v2@bnb", 0, 2_500, "0x16b9a82891338f9bA80E2D6970FddA79D1eb0daE"),
        ("pancakeswap_v3@ethereum", 0, 500, "0x1ac1A8FEaAEa1900C4166dEeed0C11cC10669D36"),
        ("pancakeswap_v3@arbitrum", 0, 500, "0xd9e2a1a61B6E61b275cEc326465d417e52C1b95c"),
        ("pancakeswap_v3@base", 0, 500, "0xB775272E537cc670C65DC852908aD47015244EaF"),
        ("pancakeswap_v2@ethereum", 0, 2_500, "0x2E8135bE71230c6B1B4045696d41C09Db0414226"),
        ("pancakeswap_v2@base", 0, 2_500, "0x79474223AEdD0339780baCcE75aBDa0BE84dcBF9"),
        ("uniswap_v2@arbitrum", 0, 3_000, "0xF64Dfe17C8b87F012FCf50FbDA1D62bfA148366a"),
        ("uniswap_v2@base", 0, 3_000, "0x88A43bbDF9D098eEC7bCEda4e2494615dfD9bB9C"),
        ("sushiswap_v2@ethereum", 0, 3_000, "0x397FF1542f962076d0BFE58eA045FfA2d347ACa0"),
        ("sushiswap_v2@ethereum", 1, 3_000, "0x06da0fd433C1A5d7a4faa01111c044910A184553"),
        ("sushiswap_v2@arbitrum", 0, 3_000, "0x905dfCD5649217c42684f23958568e533C711Aa3"),
        ("sushiswap_v2@polygon", 0, 3_000, "0x34965ba0ac2451A34a0471F04CCa3F990b8dea27"),
        ("quickswap@polygon", 0, 3_000, "0x6e7a5FAFcec6BB1e78bAE2A1F0B612012BF14827"),
        ("quickswap@polygon", 1, 3_000, "0x853Ee4b2A13f8a742d64C8F088bE7bA2131f670d"),
        ("trader_joe@avalanche", 0, 3_000, "0xf4003F4efBE8691B60249E6afbD307aBE7758adb"),
        ("trader_joe@avalanche", 1, 3_000, "0xA389f9430876455C36478DeEa9769B7Ca4E3DDB1"),
    ],
)
def test_well_known_pools_are_where_the_tables_say(
    venue: str, row: int, fee: int, pool: str
) -> None:
    """They are computed from factory (or deployer), init code hash, tokens and fee: all are right,
    or none would be."""
    spec = SPECS[venue]
    token_a, token_b, *_ = spec.deployment.pools[row]
    for tokens in ((token_a, token_b), (token_b, token_a)):
        places = family_of(spec).places(spec, *tokens)
        assert pool in [place.address for place in places if place.fee.pips == fee]


@pytest.mark.parametrize("name", ["uniswap_v3", "pancakeswap_v3"])
def test_the_init_code_hash_of_a_v3_pool_is_that_of_its_package(name: str) -> None:
    code = packages.creation_code(installed(), f"{name}_pool")
    assert keccak(code) == PROTOCOLS[name].init_code_hash


def test_uniswaps_init_code_hash_is_that_of_its_package() -> None:
    code = packages.creation_code(installed(), "uniswap_pair")
    assert keccak(code) == PROTOCOLS["uniswap_v2"].init_code_hash


def test_pangolins_init_code_hash_is_the_one_that_its_router_pins() -> None:
    code = packages.creation_code(installed(), "pangolin_router")
    assert PROTOCOLS["pangolin"].init_code_hash in code
