"""PancakeSwap V3."""

from dex.families.curve import FeeRate
from dex.spec import Deployment, FamilyName, Protocol

PROTOCOL = Protocol(
    id="pancakeswap_v3",
    name="PancakeSwap V3",
    init_code_hash=bytes.fromhex(
        "6ce8eb472fa82df5469c6ab6d485f17c3ad13c8cd7af59b3d4a8026c5ce0f7e2"
    ),
    native_word="ETH",
    fee=FeeRate(9_975, 10_000),
    documentation="https://docs.pancakeswap.finance",
    family=FamilyName.CONCENTRATED,
    tiers=((500, 10), (2_500, 50), (100, 1), (10_000, 200)),
)

DEPLOYMENTS: tuple[Deployment, ...] = ()
