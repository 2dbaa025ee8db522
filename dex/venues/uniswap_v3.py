"""Uniswap V3. Sources: SOURCES.md."""

from dataclasses import replace

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


def _first(
    network: str,
    pools: tuple[tuple[str, str, *tuple[int, ...]], ...],
    confirmations: int,
    pair_factory: str = "",
) -> Deployment:
    """The networks of the first days, where all addresses are the same."""
    return Deployment(
        network=network,
        factory="0x1F98431c8aD98523631AE4a59f267346ea31F984",
        router="0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45",
        quoter="0x61fFE014bA17989E743c5F6cB21bF9697530B21e",
        positions="0xC36442b4a4522E871399CD717aBDD847Ab11FE88",
        pools=pools,
        confirmations=confirmations,
        pair_factory=pair_factory,
    )


_WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
_USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
_USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
_DAI = "0x6B175474E89094C44Da98b954EedeAC495271d0F"
_WBTC = "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"
_WETH_ROLLUP = "0x4200000000000000000000000000000000000006"

# The Universal Router of each network, which passes pools of Uniswap V2 and V3.
UNIVERSAL_ROUTERS = {
    "ethereum": "0x66a9893cC07D91D95644AEDD05D03f95e1dBA8Af",
    "arbitrum": "0xA51afAFe0263b40EdaEf0Df8781eA9aa03E381a3",
    "optimism": "0x851116D9223fabED8E56C0E6b8Ad0c31d98B3507",
    "polygon": "0x1095692A6237d83C6a72F3F5eFEdb9A670C49223",
    "base": "0x6fF5693b99212Da76ad316178A184AB56D299b43",
    "bnb": "0x1906c1d672b88cD1B9aC7593301cA990F94Eae07",
    "celo": "0x643770E279d5D0733F21d6DC03A8efbABf3255B4",
    "avalanche": "0x4Dae2f939ACf50408e13d58534Ff8c2776d45265",
    "sepolia": "0x3A9D48AB9751398BbFa63ad67599Bb04e4BdF98b",
}


def _with_universal_router(deployment: Deployment) -> Deployment:
    router = UNIVERSAL_ROUTERS.get(deployment.network, "")
    return replace(deployment, universal_router=router)


_DEPLOYMENTS = (
    _first(
        "ethereum",
        (
            (_WETH, _USDC, 500, 3_000),  # 0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640, …
            (_WETH, _USDT, 500, 3_000),
            (_WBTC, _WETH, 500, 3_000),
            (_USDC, _USDT, 100),
            (_DAI, _USDC, 100),
        ),
        confirmations=4,
        # factoryV2 of the router: Uniswap V2's.
        pair_factory="0x5C69bEe701ef814a2B6a3EDD4B1652CB9cc5aA6f",
    ),
    _first(
        "arbitrum",
        # WETH, USDC: 0xC6962004f452bE9203591991D15f6b388e09E8D0
        (
            (
                "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1",
                "0xaf88d065e77c8cC2239327C5EDb3A432268e5831",
                500,
            ),
        ),
        confirmations=1,  # one sequencer makes the blocks
    ),
    _first(
        "optimism",
        # WETH, USDC: 0x1fb3cf6e48F1E7B10213E7b6d87D4c073C7Fdb7b
        ((_WETH_ROLLUP, "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85", 500),),
        confirmations=1,
    ),
    _first(
        "polygon",
        # WETH, USDC: 0xA4D8c89f0c20efbe54cBa9e7e7a7E509056228D9
        (
            (
                "0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619",
                "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359",
                500,
            ),
        ),
        confirmations=16,
    ),
    Deployment(
        network="base",
        factory="0x33128a8fC17869897dcE68Ed026d694621f6FDfD",
        router="0x2626664c2603336E57B271c5C0b26F421741e481",
        quoter="0x3d4e44Eb1374240CE5F1B871ab261CD16335B76a",
        positions="0x03a520b32C04BF3bEEf7BEb72E919cf822Ed34f1",
        # WETH, USDC: 0xd0b53D9277642d899DF5C87A3966A349A798F224
        pools=((_WETH_ROLLUP, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", 500),),
    ),
    Deployment(
        network="bnb",
        factory="0xdB1d10011AD0Ff90774D0C6Bb92e5C5c8b4461F7",
        router="0xB971eF87ede563556b2ED4b1C0b0019111Dd85d2",
        quoter="0x78D78E420Da98ad378D7799bE8f4AF69033EB077",
        positions="0x7b8A01B39D58278b5DE7e48c8449c9f4F5170613",
        # WBNB, USDT: 0x6fe9E9de56356F7eDBfcBB29FAB7cd69471a4869
        pools=(
            (
                "0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c",
                "0x55d398326f99059fF775485246999027B3197955",
                500,
            ),
        ),
        confirmations=4,
    ),
    Deployment(
        network="celo",
        factory="0xAfE208a311B21f13EF87E33A90049fC17A7acDEc",
        router="0x5615CDAb10dc425a742d643d949a7F474C01abc4",
        quoter="0x82825d0554fA07f7FC52Ab63c961F330fdEFa8E8",
        positions="0x3d79EdAaBC0EaB6F08ED885C05Fc0B014290D95A",
    ),
    Deployment(
        network="avalanche",
        factory="0x740b1c1de25031C31FF4fC9A62f554A55cdC1baD",
        router="0xbb00FF08d01D300023C629E8fFfFcb65A5a578cE",
        quoter="0xbe0F5544EC67e9B3b2D979aaA43f18Fd87E6257F",
        positions="0x655C406EBFa14EE2006250925e54ec43AD184f8B",
        # WAVAX, USDC: 0xfAe3f424a0a47706811521E3ee268f00cFb5c45E
        pools=(
            (
                "0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7",
                "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E",
                500,
            ),
        ),
    ),
    Deployment(
        network="sepolia",
        factory="0x0227628f3F023bb0B980b67D528571c95c6DaC1c",
        router="0x3bFA4769FB09eefC5a80d6E87c3B9C650f7Ae48E",
        quoter="0xEd1f6473345F45b75F8179591dd5bA1888cf2FB3",
        positions="0x1238536071E1c677A632429e3655c799b22cDA52",
        confirmations=4,
    ),
)
DEPLOYMENTS = tuple(map(_with_universal_router, _DEPLOYMENTS))
