"""Uniswap V2.

Addresses: https://docs.uniswap.org/contracts/v2/reference/smart-contracts/v2-deployments; the same
in npm `@uniswap/sdk-core` 7.19.4 (V2_FACTORY_ADDRESSES, V2_ROUTER_ADDRESSES).
Init code hash: https://docs.uniswap.org/contracts/v2/guides/smart-contract-integration/getting-pair-addresses;
it is the keccak of the creation code in npm `@uniswap/v2-core`, which a test compares.
Tokens: the issuers' pages and https://etherscan.io.
"""

from dex.families.curve import FeeRate
from dex.spec import Deployment, Protocol
from dex.venues.uniswap_v3 import UNIVERSAL_ROUTERS

PROTOCOL = Protocol(
    id="uniswap_v2",
    name="Uniswap V2",
    init_code_hash=bytes.fromhex(
        "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
    ),
    native_word="ETH",
    fee=FeeRate(997, 1000),
    documentation="https://docs.uniswap.org/contracts/v2/overview",
)

_WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
_USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
_USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
_DAI = "0x6B175474E89094C44Da98b954EedeAC495271d0F"
_WBTC = "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"
_WETH_ROLLUP = "0x4200000000000000000000000000000000000006"
_ROUTER = "0x4752ba5DBc23f44D87826276BF6Fd6b1C372aD24"


def _later(
    network: str,
    factory: str,
    pool: tuple[str, str],
    router: str = _ROUTER,
    confirmations: int = 1,
) -> Deployment:
    """The networks that came after, most with a router of the same address."""
    return Deployment(
        network=network,
        factory=factory,
        router=router,
        pools=(pool,),
        confirmations=confirmations,
        universal_router=UNIVERSAL_ROUTERS[network],
    )


DEPLOYMENTS = (
    Deployment(
        network="ethereum",
        factory="0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f",
        router="0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D",
        pools=(
            (_WETH, _USDC),  # 0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc
            (_WETH, _USDT),  # 0x0d4a11d5EEaaC28EC3F61d100daF4d40471f1852
            (_WETH, _DAI),  # 0xA478c2975Ab1Ea89e8196811F51A7B7Ade33eB11
            (_WBTC, _WETH),  # 0xBb2b8038a1640196FbE3e38816F3e67Cba72D940
            (_USDT, _USDC),  # 0x3041CbD36888bECc7bbCBc0045E3B1f144466f5f
        ),
        # One more than the longest reorganisation that is to be reckoned with (see dex/spec.py).
        confirmations=4,
        universal_router=UNIVERSAL_ROUTERS["ethereum"],
    ),
    Deployment(
        network="sepolia",
        factory="0xF62c03E08ada871A0bEb309762E260a7a6a880E6",
        router="0xeE567Fe1712Faf6149d80dA1E6934E354124CfE3",
        confirmations=4,
        universal_router=UNIVERSAL_ROUTERS["sepolia"],
    ),
    _later(
        "arbitrum",
        "0xf1D7CC64Fb4452F05c498126312eBE29f30Fbcf9",
        # WETH, USDC: 0xF64Dfe17C8b87F012FCf50FbDA1D62bfA148366a
        (
            "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
            "0xaf88d065e77c8cC2239327C5EDb3A432268e5831",
        ),
    ),
    _later(
        "base",
        "0x8909Dc15e40173Ff4699343b6eB8132c65e18eC6",
        # WETH, USDC: 0x88A43bbDF9D098eEC7bCEda4e2494615dfD9bB9C
        (_WETH_ROLLUP, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
    ),
    _later(
        "optimism",
        "0x0c3c1c532F1e39EdF36BE9Fe0bE1410313E074Bf",
        (_WETH_ROLLUP, "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85"),
        router="0x4A7b5Da61326A6379179b40d00F57E5bbDC962c2",
    ),
    _later(
        "avalanche",
        "0x9e5A52f57b3038F1B8EeE45F28b3C1967e22799C",
        (
            "0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7",
            "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E",
        ),
    ),
    _later(
        "bnb",
        "0x8909Dc15e40173Ff4699343b6eB8132c65e18eC6",
        (
            "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c",
            "0x55d398326f99059fF775485246999027B3197955",
        ),
        confirmations=4,
    ),
    _later(
        "polygon",
        "0x9e5A52f57b3038F1B8EeE45F28b3C1967e22799C",
        (
            "0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270",
            "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359",
        ),
        router="0xedf6066a2b290C185783862C7F4776A2C8077AD1",
        confirmations=16,
    ),
)
