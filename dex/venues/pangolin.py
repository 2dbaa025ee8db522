"""Pangolin.

Addresses and init code hash: npm `@pangolindex/sdk` (chains and constants), documented at
https://docs.pangolin.exchange. The pair in npm `@pangolindex/exchange-contracts` is of a later
build with another hash, which concerns local deployments only.
Tokens: https://docs.avax.network and https://snowtrace.io.
"""

from dex.families.curve import FeeRate
from dex.spec import Deployment, Protocol

PROTOCOL = Protocol(
    id="pangolin",
    name="Pangolin",
    init_code_hash=bytes.fromhex(
        "40231f6b438bce0797c9ada29b718a87ea0a5cea3fe9a771abdd76bd41a3e545"
    ),
    native_word="AVAX",
    fee=FeeRate(997, 1000),
    documentation="https://docs.pangolin.exchange",
)

_WAVAX = "0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7"
_PNG = "0x60781C2586D68229fde47564546784ab3fACA982"
_USDC = "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E"
_USDC_E = "0xA7D7079b0FEaD91F3e65f86E8915Cb59c1a4C664"
_WETH_E = "0x49D5c2BdFfac6CE2BFdB6640F4F80f226bc10bAB"

DEPLOYMENTS = (
    Deployment(
        network="avalanche",
        factory="0xefa94DE7a4656D787667C749f7E1223D71E9FD88",
        router="0xE54Ca86531e17Ef3616d22Ca28b0D458b6C89106",
        pools=(
            (_WAVAX, _PNG),  # 0xd7538cABBf8605BdE1f4901B47B8D42c61DE0367
            (_WAVAX, _USDC_E),  # 0xbd918Ed441767fe7924e99F6a0E0B568ac1970D9
            (_WAVAX, _USDC),  # 0x0e0100Ab771E9288e0Aa97e11557E6654C3a9665
            (_WAVAX, _WETH_E),  # 0x7c05d54fc5CB6e4Ad87c6f5db3b807C94bB89c52
        ),
        confirmations=1,  # an accepted block is final
    ),
    Deployment(
        network="fuji",
        factory="0x2a496ec9e9bE22e66C61d4Eb9d316beaEE31A77b",
        router="0x688d21b0B8Dc35971AF58cFF1F7Bf65639937860",
    ),
)
