"""PancakeSwap V3. Sources: SOURCES.md."""

from dex.families.curve import FeeRate
from dex.spec import Deployment, FamilyName, Protocol, RouterKind

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


def _deployment(
    network: str, confirmations: int, pools: tuple[tuple[str, str, *tuple[int, ...]], ...] = ()
) -> Deployment:
    """All addresses are the same everywhere."""
    return Deployment(
        network=network,
        factory="0x0BFbCF9fa4f9C56B0F40a671Ad40E0805A091865",
        deployer="0x41ff9AA7e16B8B1a8a8dc4f0eFacd93D02d071c9",
        router="0x1b81D678ffb9C0263b24A97847620C99d213eB14",
        router_kind=RouterKind.SWAP_ROUTER,
        quoter="0xB048Bbc1Ee6b733FFfCFb9e9CeF7375518e25997",
        positions="0x46A15B0b27311cedF172AB29E4f4766fbE7F4364",
        pools=pools,
        confirmations=confirmations,
    )


_WBNB = "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c"
_USDT = "0x55d398326f99059fF775485246999027B3197955"

DEPLOYMENTS = (
    # WBNB, USDT: 0x36696169C63e42cd08ce11f5deeBbCeBae652050
    _deployment("bnb", 4, ((_WBNB, _USDT, 500),)),
    # WETH, USDC: 0x1ac1A8FEaAEa1900C4166dEeed0C11cC10669D36
    _deployment(
        "ethereum",
        4,
        (
            (
                "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
                "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
                500,
            ),
        ),
    ),
    # WETH, USDC: 0xd9e2a1a61B6E61b275cEc326465d417e52C1b95c
    _deployment(
        "arbitrum",
        1,
        (
            (
                "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
                "0xaf88d065e77c8cC2239327C5EDb3A432268e5831",
                500,
            ),
        ),
    ),
    # WETH, USDC: 0xB775272E537cc670C65DC852908aD47015244EaF
    _deployment(
        "base",
        1,
        (
            (
                "0x4200000000000000000000000000000000000006",
                "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
                500,
            ),
        ),
    ),
)
