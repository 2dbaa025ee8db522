"""SushiSwap V2. Sources: SOURCES.md."""

from dex.families.curve import FeeRate
from dex.spec import Deployment, Protocol

PROTOCOL = Protocol(
    id="sushiswap_v2",
    name="SushiSwap V2",
    init_code_hash=bytes.fromhex(
        "e18a34eb0e04b04f7a0ac29a6e80748dca96319b42c54d679cb821dca90c6303"
    ),
    native_word="ETH",
    fee=FeeRate(997, 1000),
    documentation="https://docs.sushi.com",
)

_FACTORY = "0xc35DADB65012eC5796536bD9864eD8773aBc74C4"
_ROUTER = "0x1b02dA8Cb0d097eB8D57A175b88c7D8b47997506"
_WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
_USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
_USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"

DEPLOYMENTS = (
    Deployment(
        network="ethereum",
        factory="0xC0AEe478e3658e2610c5F7A4A2E1777cE9e4f2Ac",
        router="0xd9e1cE17f2641f24aE83637ab66a2cca9C378B9F",
        pools=(
            (_WETH, _USDC),  # 0x397FF1542f962076d0BFE58eA045FfA2d347ACa0
            (_WETH, _USDT),  # 0x06da0fd433C1A5d7a4faa01111c044910A184553
        ),
        confirmations=4,
    ),
    Deployment(
        network="arbitrum",
        factory=_FACTORY,
        router=_ROUTER,
        # WETH, USDC.e: 0x905dfCD5649217c42684f23958568e533C711Aa3
        pools=(
            (
                "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
                "0xFF970A61A04b1cA14834A43f5dE4533eBDDB5CC8",
            ),
        ),
    ),
    Deployment(
        network="polygon",
        factory=_FACTORY,
        router=_ROUTER,
        # WETH, USDC.e: 0x34965ba0ac2451A34a0471F04CCa3F990b8dea27
        pools=(
            (
                "0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619",
                "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174",
            ),
        ),
        confirmations=16,
    ),
    Deployment(network="avalanche", factory=_FACTORY, router=_ROUTER),
    Deployment(network="bnb", factory=_FACTORY, router=_ROUTER, confirmations=4),
    Deployment(network="harmony", factory=_FACTORY, router=_ROUTER),
    Deployment(
        network="celo", factory=_FACTORY, router="0xB45e53277a7e0F1D35f2a77160e91e25507f1763"
    ),
    Deployment(
        network="base",
        factory="0x71524B4f93c58fcbF659783284E38825f0622859",
        router="0x6BDED42c6DA8FBf0d2bA55B2fa120C5e0c8D7891",
    ),
    Deployment(
        network="optimism",
        factory="0xFbc12984689e5f15626Bad03Ad60160Fe98B303C",
        router="0x2ABf469074dc0b54d793850807E6eb5Faf2625b1",
    ),
)
