"""What stands on the local chain: addresses, tokens, pools. Kept in the manifest."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from chains.networks import NETWORKS
from core.ports import NetworkInfo
from core.tokens import Token

NETWORK = "ethereum_local"
_VERSION = 3


@dataclass(frozen=True, slots=True)
class V2Deployment:
    """One constant-product exchange. `pairs` by names such as "WETH-USDC"."""

    factory: str
    router: str
    init_code_hash: str
    wrapped: str
    pairs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class V3Deployment:
    """One exchange of concentrated liquidity. `pools` by names such as "WETH-USDC:500", whose end
    is the fee in millionths. `deployer` creates the pools; with Uniswap it is the factory."""

    factory: str
    deployer: str
    router: str
    quoter: str
    positions: str
    init_code_hash: str
    wrapped: str
    pools: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Contracts:
    """All that is deployed; the same addresses on every local chain."""

    tokens: tuple[Token, ...]
    uniswap_v2: V2Deployment
    pangolin: V2Deployment
    uniswap_v3: V3Deployment
    pancakeswap_v3: V3Deployment

    def token(self, symbol: str) -> Token:
        return next(token for token in self.tokens if token.symbol == symbol)

    def addresses(self) -> list[str]:
        """Every address that must hold code."""
        found = [token.address for token in self.tokens]
        for exchange in (self.uniswap_v2, self.pangolin):
            found += [exchange.factory, exchange.router, *exchange.pairs.values()]
        for v3 in (self.uniswap_v3, self.pancakeswap_v3):
            found += [v3.factory, v3.deployer, v3.router, v3.quoter, v3.positions]
            found += v3.pools.values()
        return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running local chain. `urls` and `info` are what an EvmNetwork takes."""

    url: str
    websocket: str
    contracts: Contracts
    funded: tuple[str, ...]
    fresh: bool  # deployed now, and not found on the chain

    @property
    def urls(self) -> tuple[str, str]:
        return self.url, self.websocket

    @property
    def info(self) -> NetworkInfo:
        """The network's entry, with the wrapped coin that was deployed."""
        return replace(NETWORKS[NETWORK].info, wrapped=self.contracts.token("WETH"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a sandbox directory remembers of its chain."""

    contracts: Contracts
    funded: tuple[str, ...]


def write(path: Path, manifest: Manifest) -> None:
    """Whole or not at all."""
    wire = {"version": _VERSION, **asdict(manifest)}
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(wire, indent=1) + "\n")
    temporary.replace(path)


def read(path: Path) -> Manifest | None:
    """None where there is no manifest of this version."""
    try:
        wire = json.loads(path.read_text())
        if wire["version"] != _VERSION:
            return None
        contracts = wire["contracts"]
        return Manifest(
            Contracts(
                tokens=tuple(Token(**token) for token in contracts["tokens"]),
                uniswap_v2=V2Deployment(**contracts["uniswap_v2"]),
                pangolin=V2Deployment(**contracts["pangolin"]),
                uniswap_v3=V3Deployment(**contracts["uniswap_v3"]),
                pancakeswap_v3=V3Deployment(**contracts["pancakeswap_v3"]),
            ),
            tuple(wire["funded"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
