"""Uniswap V2.

Addresses: https://docs.uniswap.org/contracts/v2/reference/smart-contracts/v2-deployments.
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
)
