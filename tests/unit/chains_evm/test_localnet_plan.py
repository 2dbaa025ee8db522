"""What the local chain is made of, without a chain."""

from pathlib import Path

import pytest

from chains.evm.codec import keccak
from chains.localnet import deployment, packages
from chains.localnet.deploy import DEPLOYER
from chains.localnet.deployment import Manifest
from chains.localnet.packages import LeftOut
from chains.localnet.plan import Plan, build, funding, pair_address, repinned
from tests.support.evm import ALICE, installed


@pytest.fixture
def plan() -> Plan:
    found = installed()
    return build(
        DEPLOYER,
        lambda name: packages.creation_code(found, name),
        packages.sandbox_code,
    )


def test_the_deployer_is_the_hash_that_it_claims_to_be() -> None:
    assert DEPLOYER.lower() == "0x" + keccak(b"cambist sandbox deployer")[12:].hex()


def test_pangolins_router_is_repinned_to_the_pair_that_is_deployed(plan: Plan) -> None:
    found = installed()
    pair_hash = keccak(packages.creation_code(found, "pangolin_pair"))
    router = packages.creation_code(found, "pangolin_router")
    assert pair_hash not in router
    assert repinned(router, pair_hash).count(pair_hash) == router.count(
        bytes.fromhex("40231f6b438bce0797c9ada29b718a87ea0a5cea3fe9a771abdd76bd41a3e545")
    )
    assert plan.contracts.pangolin.init_code_hash == "0x" + pair_hash.hex()
    with pytest.raises(ValueError):
        repinned(b"another router", pair_hash)


def test_uniswaps_router_already_has_its_pairs_hash(plan: Plan) -> None:
    found = installed()
    pair_hash = keccak(packages.creation_code(found, "uniswap_pair"))
    assert pair_hash in packages.creation_code(found, "uniswap_router")
    # As on Ethereum's main network.
    assert pair_hash.hex() == "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"


def test_a_pair_on_the_main_network_has_the_address_that_the_formula_gives() -> None:
    # https://docs.uniswap.org: the USDC-WETH pair of Uniswap V2.
    pair = pair_address(
        "0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f",
        "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
        "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
        bytes.fromhex("96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"),
    )
    assert pair == "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"


def test_all_addresses_differ_and_the_manifest_gives_them_back(plan: Plan, tmp_path: Path) -> None:
    addresses = plan.contracts.addresses()
    assert len(set(addresses)) == len(addresses) == 30
    manifest = Manifest(plan.contracts, (ALICE,))
    deployment.write(tmp_path / "m.json", manifest)
    assert deployment.read(tmp_path / "m.json") == manifest
    paid = {step.to for step in funding(plan.contracts, ALICE)}
    assert paid == {token.address for token in plan.contracts.tokens}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 0}', '{"version": 1}', "nonsense"])
def test_a_manifest_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(text)
    assert deployment.read(tmp_path / "m.json") is None
    assert deployment.read(tmp_path / "missing.json") is None


def test_what_npm_did_not_install_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "node_modules"
    (empty / "@uniswap").mkdir(parents=True)
    found = packages.find({"CAMBIST_NODE_MODULES": str(empty), "CAMBIST_ANVIL": "/bin/true"})
    assert isinstance(found, LeftOut)
    assert "make setup" in found.reason
    found = packages.find({"CAMBIST_NODE_MODULES": str(empty)})
    assert isinstance(found, LeftOut)
    assert "CAMBIST_ANVIL" in found.reason
