"""The exchanges of the local chain, from the manifest of what was deployed there."""

from dataclasses import replace

from chains.localnet.deployment import Contracts, V2Deployment
from dex.spec import Deployment, PoolVenueSpec, Protocol
from dex.venues import PROTOCOLS


def local_specs(contracts: Contracts, network: str) -> tuple[PoolVenueSpec, ...]:
    """`uniswap_v2@<network>` and `pangolin@<network>`."""
    return (
        _spec(PROTOCOLS["uniswap_v2"], contracts.uniswap_v2, contracts, network),
        _spec(PROTOCOLS["pangolin"], contracts.pangolin, contracts, network),
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
