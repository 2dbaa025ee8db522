"""The shipped tables: spelled right, and what the protocols' packages say."""

import pytest

from chains.evm.codec import checksum, keccak
from chains.localnet import packages
from chains.networks import NETWORKS
from dex.spec import PoolVenueSpec
from dex.venues import PROTOCOLS, SPECS
from tests.support.evm import installed


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_addresses_are_checksummed_and_the_network_exists(spec: PoolVenueSpec) -> None:
    deployment = spec.deployment
    assert NETWORKS[deployment.network].info.family == "evm"
    addresses = [deployment.factory, deployment.router]
    addresses += [address for pool in deployment.pools for address in pool[:2]]
    assert [checksum(address.lower()) for address in addresses] == addresses
    assert len({frozenset(pool[:2]) for pool in deployment.pools}) == len(deployment.pools)
    assert all(pool[0] != pool[1] for pool in deployment.pools)
    assert spec.id == f"{spec.protocol.id}@{deployment.network}"


def test_the_venues_that_are_promised_are_there() -> None:
    assert {"uniswap_v2@ethereum", "pangolin@avalanche"} <= set(SPECS)


def test_uniswaps_init_code_hash_is_that_of_its_package() -> None:
    code = packages.creation_code(installed(), "uniswap_pair")
    assert keccak(code) == PROTOCOLS["uniswap_v2"].init_code_hash


def test_pangolins_init_code_hash_is_the_one_that_its_router_pins() -> None:
    code = packages.creation_code(installed(), "pangolin_router")
    assert PROTOCOLS["pangolin"].init_code_hash in code
