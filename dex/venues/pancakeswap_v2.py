"""PancakeSwap V2: 0.25 % a swap. Sources: SOURCES.md."""

from dex.families.curve import FeeRate
from dex.spec import Deployment, Protocol

PROTOCOL = Protocol(
    id="pancakeswap_v2",
    name="PancakeSwap V2",
    init_code_hash=bytes.fromhex(
        "00fb7f630766e6a796048ea87d01acd3068e8ff67d078148a3fa3f4a84f69bd5"
    ),
    native_word="ETH",
    fee=FeeRate(9_975, 10_000),
    fee_share=(8, 17, 8),
    documentation="https://developer.pancakeswap.finance/contracts/v2/addresses",
)

# The pair as it was compiled for every network but BNB Chain.
_LATER = bytes.fromhex("57224589c67f3f30a6b0d7a1b54cf3153ab84563bc609ef41dfb34f8b2974d2d")

DEPLOYMENTS = (
    Deployment(
        network="bnb",
        factory="0xcA143Ce32Fe78f1f7019d7d551a6402fC5350c73",
        router="0x10ED43C718714eb63d5aA57B78B54704E256024E",
        # WBNB, USDT: 0x16b9a82891338f9bA80E2D6970FddA79D1eb0daE
        pools=(
            (
                "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c",
                "0x55d398326f99059fF775485246999027B3197955",
            ),
        ),
        confirmations=4,
    ),
    Deployment(
        network="ethereum",
        factory="0x1097053Fd2ea711dad45caCcc45EfF7548fCB362",
        router="0xEfF92A263d31888d860bD50809A8D171709b7b1c",
        init_code_hash=_LATER,
        # WETH, USDC: 0x2E8135bE71230c6B1B4045696d41C09Db0414226
        pools=(
            (
                "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
                "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            ),
        ),
        confirmations=4,
    ),
    Deployment(
        network="arbitrum",
        factory="0x02a84c1b3BBD7401a5f7fa98a384EBC70bB5749E",
        router="0x8cFe327CEc66d1C090Dd72bd0FF11d690C33a2Eb",
        init_code_hash=_LATER,
    ),
    Deployment(
        network="base",
        factory="0x02a84c1b3BBD7401a5f7fa98a384EBC70bB5749E",
        router="0x8cFe327CEc66d1C090Dd72bd0FF11d690C33a2Eb",
        init_code_hash=_LATER,
        # WETH, USDC: 0x79474223AEdD0339780baCcE75aBDa0BE84dcBF9
        pools=(
            (
                "0x4200000000000000000000000000000000000006",
                "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
            ),
        ),
    ),
)
