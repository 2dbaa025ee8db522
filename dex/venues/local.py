"""The exchanges of the local chain, from the manifest of what was deployed there."""

from dataclasses import replace

from chains.localnet.deployment import Contracts, V2Deployment, V3Deployment
from dex.spec import Deployment, PoolVenueSpec, Protocol, RouterKind
from dex.venues import PROTOCOLS


def local_specs(contracts: Contracts, network: str) -> tuple[PoolVenueSpec, ...]:
    """`uniswap_v2@<network>`, `pangolin@<network>`, and so on."""
    return (
        _spec(PROTOCOLS["uniswap_v2"], contracts.uniswap_v2, contracts, network),
        _spec(PROTOCOLS["pangolin"], contracts.pangolin, contracts, network),
        _spec_v3(
            *(PROTOCOLS["uniswap_v3"], contracts.uniswap_v3, contracts, network),
            RouterKind.SWAP_ROUTER_02,
            contracts.uniswap_v2.factory,
        ),
        _spec_v3(
            *(PROTOCOLS["pancakeswap_v3"], contracts.pancakeswap_v3, contracts, network),
            RouterKind.SWAP_ROUTER,
        ),
    )


def _spec(
    protocol: Protocol, deployed: V2Deployment, contracts: Contracts, network: str
) -> PoolVenueSpec:
    by_symbol = {token.symbol: token.address for token in contracts.tokens}
    # The npm build of a protocol's pair need not be the one that its main deployment has.
    built = bytes.fromhex(deployed.init_code_hash.removeprefix("0x"))
    pools = []
    for name in deployed.pairs:
        first, second = name.split("-")
        pools.append((by_symbol[first], by_symbol[second]))
    deployment = Deployment(
        network=network,
        factory=deployed.factory,
        router=deployed.router,
        pools=tuple(pools),
        wrapped=deployed.wrapped,
    )
    return PoolVenueSpec(replace(protocol, init_code_hash=built), deployment)


def _spec_v3(
    protocol: Protocol,
    deployed: V3Deployment,
    contracts: Contracts,
    network: str,
    router_kind: RouterKind,
    pair_factory: str = "",
) -> PoolVenueSpec:
    by_symbol = {token.symbol: token.address for token in contracts.tokens}
    fees: dict[tuple[str, str], list[int]] = {}
    for name in deployed.pools:
        pair, fee = name.split(":")
        first, second = pair.split("-")
        fees.setdefault((by_symbol[first], by_symbol[second]), []).append(int(fee))
    deployment = Deployment(
        network=network,
        factory=deployed.factory,
        router=deployed.router,
        pools=tuple((first, second, *tiers) for (first, second), tiers in fees.items()),
        wrapped=deployed.wrapped,
        init_code_hash=bytes.fromhex(deployed.init_code_hash.removeprefix("0x")),
        router_kind=router_kind,
        pair_factory=pair_factory,
        quoter=deployed.quoter,
        positions=deployed.positions,
        deployer=deployed.deployer,
    )
    return PoolVenueSpec(protocol, deployment)
