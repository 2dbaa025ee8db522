"""Uniswap V3.

Addresses: https://docs.uniswap.org/contracts/v3/reference/deployments. Init code hash: the keccak
of the creation code in npm `@uniswap/v3-core`, which a test compares; npm `@uniswap/v3-sdk` has it
as POOL_INIT_CODE_HASH. Fees and tick spacings: UniswapV3Factory's constructor, and the 0.01 % that
governance added (https://docs.uniswap.org/concepts/protocol/fees).
"""

from dex.families.curve import FeeRate
from dex.spec import Deployment, FamilyName, Protocol

PROTOCOL = Protocol(
    id="uniswap_v3",
    name="Uniswap V3",
    init_code_hash=bytes.fromhex(
        "e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54"
    ),
    native_word="ETH",
    fee=FeeRate(997, 1000),
    documentation="https://docs.uniswap.org/contracts/v3/overview",
    family=FamilyName.CONCENTRATED,
    tiers=((500, 10), (3_000, 60), (100, 1), (10_000, 200)),
)

DEPLOYMENTS: tuple[Deployment, ...] = ()
