"""Where npm put anvil and the contracts. Nothing here needs Node itself, only what it installed."""

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_V3 = "artifacts/contracts"
_CONTRACTS = Path(__file__).parent / "contracts" / "bytecode.json"

# npm package and path of each compiled contract that is deployed.
ARTIFACTS = {
    "uniswap_factory": "@uniswap/v2-core/build/UniswapV2Factory.json",
    "uniswap_pair": "@uniswap/v2-core/build/UniswapV2Pair.json",
    "uniswap_router": "@uniswap/v2-periphery/build/UniswapV2Router02.json",
    "weth": "@uniswap/v2-periphery/build/WETH9.json",
    "pangolin_factory": "@pangolindex/exchange-contracts/artifacts/contracts/pangolin-core/"
    "PangolinFactory.sol/PangolinFactory.json",
    "pangolin_pair": "@pangolindex/exchange-contracts/artifacts/contracts/pangolin-core/"
    "PangolinPair.sol/PangolinPair.json",
    "pangolin_router": "@pangolindex/exchange-contracts/artifacts/contracts/pangolin-periphery/"
    "PangolinRouter.sol/PangolinRouter.json",
    "wavax": "@pangolindex/exchange-contracts/artifacts/contracts/WAVAX.sol/WAVAX.json",
    "uniswap_v3_factory": f"@uniswap/v3-core/{_V3}/UniswapV3Factory.sol/UniswapV3Factory.json",
    "uniswap_v3_pool": f"@uniswap/v3-core/{_V3}/UniswapV3Pool.sol/UniswapV3Pool.json",
    "uniswap_v3_router": f"@uniswap/v3-periphery/{_V3}/SwapRouter.sol/SwapRouter.json",
    "uniswap_v3_quoter": f"@uniswap/v3-periphery/{_V3}/lens/QuoterV2.sol/QuoterV2.json",
    "uniswap_v3_positions": f"@uniswap/v3-periphery/{_V3}/NonfungiblePositionManager.sol/"
    "NonfungiblePositionManager.json",
    "uniswap_router_02": f"@uniswap/swap-router-contracts/{_V3}/SwapRouter02.sol/SwapRouter02.json",
    "pancakeswap_v3_factory": f"@pancakeswap/v3-core/{_V3}/PancakeV3Factory.sol/"
    "PancakeV3Factory.json",
    "pancakeswap_v3_pool": f"@pancakeswap/v3-core/{_V3}/PancakeV3Pool.sol/PancakeV3Pool.json",
}


@dataclass(frozen=True, slots=True)
class Installed:
    """What the local chain is made of."""

    anvil: Path
    node_modules: Path


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why there is no local chain, and what to do about it."""

    reason: str


def find(environment: os._Environ[str] | dict[str, str] = os.environ) -> Installed | LeftOut:
    """CAMBIST_ANVIL and CAMBIST_NODE_MODULES come before the checkout's own node_modules."""
    modules = _modules(environment)
    if modules is None:
        return LeftOut(
            "the packages of the local EVM chain are not installed: install Node 20 or newer and "
            "run `make setup` in the checkout, or set CAMBIST_NODE_MODULES"
        )
    anvil = _anvil(environment, modules)
    if anvil is None:
        return LeftOut(
            f"npm installed no anvil for {platform.system()} {platform.machine()}: "
            "run `make setup` with optional packages, or set CAMBIST_ANVIL to anvil's path"
        )
    missing = [path for path in ARTIFACTS.values() if not (modules / path).is_file()]
    if missing:
        return LeftOut(f"npm installed no {missing[0]}: run `make setup` in the checkout")
    return Installed(anvil, modules)


def creation_code(installed: Installed, name: str) -> bytes:
    """The bytes that create one of ARTIFACTS."""
    wire: dict[str, Any] = json.loads((installed.node_modules / ARTIFACTS[name]).read_text())
    return bytes.fromhex(wire["bytecode"].removeprefix("0x"))


def sandbox_code(name: str, part: str = "bytecode") -> bytes:
    """The bytes of a contract of our own; `part` is "bytecode" (creation) or "runtime"."""
    wire: dict[str, Any] = json.loads(_CONTRACTS.read_text())
    return bytes.fromhex(wire[name][part].removeprefix("0x"))


def _modules(environment: os._Environ[str] | dict[str, str]) -> Path | None:
    given = environment.get("CAMBIST_NODE_MODULES")
    places = [Path(given)] if given else []
    places += [Path(__file__).parents[2] / "node_modules", Path.cwd() / "node_modules"]
    return next((place for place in places if (place / "@uniswap").is_dir()), None)


def _anvil(environment: os._Environ[str] | dict[str, str], modules: Path) -> Path | None:
    given = environment.get("CAMBIST_ANVIL")
    if given:
        return Path(given) if os.access(given, os.X_OK) else None
    system = _SYSTEMS.get(platform.system(), "")
    machine = _MACHINES.get(platform.machine().lower(), "")
    path = modules / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / "anvil"
    return path if os.access(path, os.X_OK) else None
