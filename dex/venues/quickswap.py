"""QuickSwap V2. Sources: SOURCES.md. Its code is Uniswap V2's, unchanged."""

from dex.families.curve import FeeRate
from dex.spec import Deployment, Protocol

PROTOCOL = Protocol(
    id="quickswap",
    name="QuickSwap",
    init_code_hash=bytes.fromhex(
        "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
    ),
    native_word="ETH",
    fee=FeeRate(997, 1000),
    documentation="https://docs.quickswap.exchange",
)

_WPOL = "0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270"
_WETH = "0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619"
_USDC_E = "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"

DEPLOYMENTS = (
    Deployment(
        network="polygon",
        factory="0x5757371414417b8C6CAad45bAeF941aBc7d3Ab32",
        router="0xa5E0829CaCEd8fFDD4De3c43696c57F7D7A678ff",
        pools=(
            (_WPOL, _USDC_E),  # 0x6e7a5FAFcec6BB1e78bAE2A1F0B612012BF14827
            (_WETH, _USDC_E),  # 0x853Ee4b2A13f8a742d64C8F088bE7bA2131f670d
        ),
        confirmations=16,
    ),
)
