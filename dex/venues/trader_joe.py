"""Trader Joe V1. Sources: SOURCES.md."""

from dex.families.curve import FeeRate
from dex.spec import Deployment, Protocol

PROTOCOL = Protocol(
    id="trader_joe",
    name="Trader Joe V1",
    init_code_hash=bytes.fromhex(
        "0bbca9af0511ad1a1da383135cf3a8d2ac620e549ef9f6ae3a4c33c2fed0af91"
    ),
    native_word="AVAX",
    fee=FeeRate(997, 1000),
    documentation="https://github.com/traderjoe-xyz/joe-core",
)

_WAVAX = "0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7"
_USDC = "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E"
_USDC_E = "0xA7D7079b0FEaD91F3e65f86E8915Cb59c1a4C664"

DEPLOYMENTS = (
    Deployment(
        network="avalanche",
        factory="0x9Ad6C38BE94206cA50bb0d90783181662f0Cfa10",
        router="0x60aE616a2155Ee3d9A68541Ba4544862310933d4",
        pools=(
            (_WAVAX, _USDC),  # 0xf4003F4efBE8691B60249E6afbD307aBE7758adb
            (_WAVAX, _USDC_E),  # 0xA389f9430876455C36478DeEa9769B7Ca4E3DDB1
        ),
    ),
    Deployment(
        network="fuji",
        factory="0xF5c7d9733e5f53abCC1695820c4818C59B457C2C",
        router="0xd7f655E3376cE2D7A2b08fF01Eb3B1023191A901",
        init_code_hash=bytes.fromhex(
            "6c67ac67d0dad54be7b066edd9b4154fb5a0ab7d01232259b9ff26ebc1739ba2"
        ),
    ),
)
