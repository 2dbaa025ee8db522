"""Which protocols are deployed where: tables. A fork of a known family is a file of addresses."""

from collections.abc import Mapping

from dex.spec import PoolVenueSpec, Protocol
from dex.venues import (
    pancakeswap_v2,
    pancakeswap_v3,
    pangolin,
    quickswap,
    sushiswap_v2,
    trader_joe,
    uniswap_v2,
    uniswap_v3,
)

_MODULES = (
    uniswap_v2,
    uniswap_v3,
    pangolin,
    trader_joe,
    sushiswap_v2,
    pancakeswap_v2,
    pancakeswap_v3,
    quickswap,
)

PROTOCOLS: Mapping[str, Protocol] = {module.PROTOCOL.id: module.PROTOCOL for module in _MODULES}

SPECS: Mapping[str, PoolVenueSpec] = {
    spec.id: spec
    for module in _MODULES
    for deployment in module.DEPLOYMENTS
    for spec in [PoolVenueSpec(module.PROTOCOL, deployment)]
}
