"""Which protocols are deployed where: tables. A fork of a known family is a file of addresses."""

from collections.abc import Mapping

from dex.spec import PoolVenueSpec, Protocol
from dex.venues import pangolin, uniswap_v2

PROTOCOLS: Mapping[str, Protocol] = {
    module.PROTOCOL.id: module.PROTOCOL for module in (uniswap_v2, pangolin)
}

SPECS: Mapping[str, PoolVenueSpec] = {
    spec.id: spec
    for module in (uniswap_v2, pangolin)
    for deployment in module.DEPLOYMENTS
    for spec in [PoolVenueSpec(module.PROTOCOL, deployment)]
}
