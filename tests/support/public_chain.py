"""A node with the chain id of a public network, and on it the real contracts at the addresses that
they have there: so that the shipped tables are what is tested.

A contract is created as usual, with the public addresses as its constructor's arguments; its code
is then put where it belongs, with its own address, where it knows it, replaced. What a constructor
stored is stored again.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from chains.evm import erc20, multicall
from chains.evm.abi import address_word, selector, uint_word
from chains.evm.codec import hexadecimal, keccak, quantity, unhex
from chains.evm.network import EvmNetwork
from chains.localnet import packages, plan_v3
from chains.localnet.deployment import V3Deployment
from chains.localnet.plan_v3 import Position, V3Pool
from chains.networks import NETWORKS
from core.ports import NetworkInfo
from core.tokens import Token
from dex.spec import PoolVenueSpec
from dex.venue import PoolVenue
from dex.venues import SPECS
from tests.support.evm import BOB, Anvil, MemoryLog, anvil, installed, network, until
from tests.support.pools import FOR_EVER, OffsetClock

# Factory and router of Pangolin's first release, and of Trader Joe V1, as they were deployed.
_PANGOLIN = "pangolin-first/artifacts/contracts"
_JOE = "@traderjoe-xyz/core/deployments/avalanche"
AVALANCHE_ARTIFACTS = (
    (
        f"{_PANGOLIN}/pangolin-core/PangolinFactory.sol/PangolinFactory.json",
        f"{_PANGOLIN}/pangolin-periphery/PangolinRouter.sol/PangolinRouter.json",
    ),
    (f"{_JOE}/JoeFactory.json", f"{_JOE}/JoeRouter02.json"),
)
OWNER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"  # anvil's first account
ETHER = 10**18
GAS = quantity(8_000_000)

V3_POOLS = (
    V3Pool(
        *("WETH", "USDC", 500, 10, 3_000),
        (Position(None, None, 50, 150_000), Position(-20, 30, 100, 300_000)),
    ),
    V3Pool(*("WETH", "USDC", 3_000, 60, 3_000), (Position(None, None, 100, 300_000),)),
    V3Pool(*("DAI", "USDC", 100, 1, 1), (Position(-20, 20, 100_000, 100_000),)),
)


@dataclass
class PublicWorld:
    """A public network's look-alike: tokens by symbol, venues by id."""

    node: Anvil
    net: EvmNetwork
    log: MemoryLog
    tokens: dict[str, Token]
    venues: dict[str, PoolVenue]

    async def synced(self, venue: PoolVenue) -> None:
        head = int(await self.node.rpc.call("eth_blockNumber", []), 16)
        await until(lambda: venue.states.block >= head and not venue.states.why_not_live)


class Builder:
    """Puts contracts in their places."""

    def __init__(self, node: Anvil) -> None:
        self.node = node
        self.found = installed()

    def code(self, name: str) -> bytes:
        return packages.creation_code(self.found, name)

    def published(self, path: str) -> bytes:
        """The creation code of a package that only tests want; skips the test where it is not."""
        place = self.found.node_modules / path
        if not place.is_file():
            pytest.skip(f"npm installed no {path}: run `make setup` in the checkout")
        return unhex(json.loads(place.read_text())["bytecode"])

    async def call(self, to: str, data: bytes, value: int = 0, sender: str = OWNER) -> None:
        wire = {"from": sender, "to": to, "data": hexadecimal(data), "gas": GAS}
        receipt = await self.node.send(wire | {"value": quantity(value)})
        assert receipt["status"] == "0x1", (to, data[:4].hex())

    async def place(self, creation: bytes, address: str, *storage: tuple[int, bytes]) -> None:
        """`storage`: what the constructor leaves in slots."""
        wire = {"from": OWNER, "data": hexadecimal(creation), "gas": GAS}
        made = await self.node.send(wire)
        assert made["status"] == "0x1"
        temporary = str(made["contractAddress"])
        code = unhex(await self.node.rpc.call("eth_getCode", [temporary, "latest"]))
        code = code.replace(unhex(temporary), unhex(address))
        await self.node.rpc.call("anvil_setCode", [address, hexadecimal(code)])
        for slot, word in storage:
            await self.store(address, slot, word)

    async def store(self, address: str, slot: int, word: bytes) -> None:
        arguments = [address, hexadecimal(uint_word(slot)), hexadecimal(word)]
        await self.node.rpc.call("anvil_setStorageAt", arguments)

    async def token(self, token: Token) -> None:
        words = _short(token.name), _short(token.symbol)
        creation = packages.sandbox_code("SandboxToken") + b"".join(
            [uint_word(96), uint_word(128), uint_word(token.decimals), bytes(64)]
        )
        await self.place(creation, token.address, (0, words[0]), (1, words[1]))

    async def wrapped(self, token: Token) -> None:
        words = _short(token.name), _short(token.symbol), uint_word(token.decimals)
        await self.place(self.code("weth"), token.address, *enumerate(words))

    async def uniswap_v2(self, spec: PoolVenueSpec, weth: str) -> None:
        there = spec.deployment
        await self.place(self.code("uniswap_factory") + address_word(OWNER), there.factory)
        arguments = address_word(there.factory) + address_word(weth)
        await self.place(self.code("uniswap_router") + arguments, there.router)

    async def uniswap_v3(self, spec: PoolVenueSpec, v2_factory: str, weth: str) -> None:
        there = spec.deployment
        owner = (3, address_word(OWNER))
        await self.place(self.code("uniswap_v3_factory"), there.factory, owner)
        for fee, spacing in spec.protocol.tiers:
            words = uint_word(fee) + uint_word(spacing)
            await self.call(there.factory, selector("enableFeeAmount(uint24,int24)") + words)
        both = address_word(there.factory) + address_word(weth)
        await self.place(self.code("uniswap_v3_quoter") + both, there.quoter)
        next_ids = (13, uint_word(1 << 176 | 1))
        code = self.code("uniswap_v3_positions") + both + bytes(32)
        await self.place(code, there.positions, next_ids)
        words = b"".join(map(address_word, (v2_factory, there.factory, there.positions, weth)))
        await self.place(self.code("uniswap_router_02") + words, there.router)

    async def pancakeswap_v3(self, spec: PoolVenueSpec, weth: str) -> None:
        there = spec.deployment
        pool = self.code("pancakeswap_v3_pool")
        holder = "0x" + "77" * 20
        await self.node.rpc.call("anvil_setCode", [holder, hexadecimal(pool)])
        ours = packages.sandbox_code
        await self.place(ours("SandboxPoolDeployer") + address_word(holder), there.deployer)
        factory = self.code("pancakeswap_v3_factory") + address_word(there.deployer)
        await self._created_at(factory, there.factory)
        both = address_word(there.deployer) + address_word(weth)
        pinned = SPECS["uniswap_v3@ethereum"].protocol.init_code_hash
        for name, address, more, slot, value in (
            ("uniswap_v3_router", there.router, b"", 0, 0),
            ("uniswap_v3_quoter", there.quoter, b"", 0, 0),
            ("uniswap_v3_positions", there.positions, bytes(32), 13, 1 << 176 | 1),
        ):
            code = self.code(name).replace(pinned, keccak(pool)) + both + more
            target = "0x" + keccak(address.encode())[12:].hex()
            await self.place(code, target)
            words = address_word(target) + uint_word(slot) + uint_word(value)
            stored = [(slot, uint_word(value))] if value else []
            await self.place(ours("SandboxCallbacks") + words, address, *stored)

    async def _created_at(self, creation: bytes, address: str) -> None:
        """A factory whose constructor fills mappings: what it stored is read and stored again."""
        wire = {"from": OWNER, "data": hexadecimal(creation), "gas": GAS}
        made = await self.node.send(wire)
        temporary = str(made["contractAddress"])
        dump = await self.node.rpc.call(
            "debug_traceTransaction",
            [
                made["transactionHash"],
                {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
            ],
        )
        code = unhex(await self.node.rpc.call("eth_getCode", [temporary, "latest"]))
        code = code.replace(unhex(temporary), unhex(address))
        await self.node.rpc.call("anvil_setCode", [address, hexadecimal(code)])
        for slot, word in dump["post"][temporary.lower()].get("storage", {}).items():
            await self.store(address, int(slot, 16), unhex(word))

    async def fill_v3(
        self, spec: PoolVenueSpec, tokens: dict[str, Token], pools: Sequence[V3Pool]
    ) -> dict[str, str]:
        """Addresses of the filled pools by name."""
        there = spec.deployment
        made = V3Deployment(
            *(there.factory, there.deployer or there.factory, there.router, there.quoter),
            *(there.positions, "0x" + spec.init_code_hash.hex(), tokens["WETH"].address, {}),
        )
        steps: list[tuple[str, bytes]] = []
        filled = plan_v3.fill(
            lambda to, data, gas: steps.append((to, data)), made, pools, tokens, OWNER
        )
        for to, data in steps:
            await self.call(to, data)
        return dict(filled.pools)

    async def fill_v2(
        self, spec: PoolVenueSpec, one: tuple[Token, int], other: tuple[Token, int]
    ) -> None:
        router = spec.deployment.router
        for token, units in (one, other):
            await self.call(token.address, erc20.approve(router, units))
        name = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
        words = [address_word(one[0].address), address_word(other[0].address)]
        words += [*map(uint_word, (one[1], other[1], 1, 1)), address_word(OWNER)]
        await self.call(router, selector(name) + b"".join([*words, uint_word(FOR_EVER)]))


def _short(text: str) -> bytes:
    """A string of at most 31 bytes, as storage has it."""
    raw = text.encode()[:31]
    return raw + bytes(31 - len(raw)) + bytes([2 * len(raw)])


@asynccontextmanager
async def built(info: NetworkInfo, tokens: dict[str, Token]) -> AsyncIterator[Builder]:
    """A node of a network's chain id, with tokens where they belong, and plenty of them in two
    wallets. The first of `tokens` is the wrapped coin."""
    async with anvil(chain_id=info.chain_id) as node:
        build = Builder(node)
        code = packages.sandbox_code("SandboxMulticall", "runtime")
        await node.rpc.call("anvil_setCode", [multicall.ADDRESS, hexadecimal(code)])
        wrapped, *others = tokens.values()
        await build.wrapped(wrapped)
        for token in others:
            await build.token(token)
            for owner in (OWNER, BOB):
                units = 10**9 * int(10**token.decimals)
                data = selector("mint(address,uint256)") + address_word(owner) + uint_word(units)
                await build.call(token.address, data)
        for owner in (OWNER, BOB):
            await build.call(wrapped.address, erc20.deposit(), 2_000 * ETHER, owner)
        yield build


@asynccontextmanager
async def connected(
    node: Anvil, info: NetworkInfo, tokens: dict[str, Token], ids: Sequence[str]
) -> AsyncIterator[PublicWorld]:
    """Our network and the venues of the shipped tables on it, started and synced."""
    log = MemoryLog()
    async with network([node.url, node.websocket], log, info=info) as net:
        clock = OffsetClock()
        venues = {id: PoolVenue(SPECS[id], net, list(tokens.values()), clock) for id in ids}
        world = PublicWorld(node, net, log, tokens, venues)
        for venue in venues.values():
            await venue.start()
        try:
            for venue in venues.values():
                await world.synced(venue)
            yield world
        finally:
            for venue in venues.values():
                await venue.stop()


@asynccontextmanager
async def ethereum() -> AsyncIterator[PublicWorld]:
    """Chain id 1, with Uniswap V2, Uniswap V3 and PancakeSwap V3 where their tables say."""
    ids = "uniswap_v2@ethereum", "uniswap_v3@ethereum", "pancakeswap_v3@ethereum"
    info = replace(NETWORKS["ethereum"].info, finality_depth=0)
    assert info.wrapped is not None
    tokens = {
        "WETH": replace(info.wrapped, name="Wrapped Ether"),
        "USDC": _token("ethereum", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USDC", 6),
        "DAI": _token("ethereum", "0x6B175474E89094C44Da98b954EedeAC495271d0F", "DAI", 18),
    }
    async with built(info, tokens) as build:
        weth = tokens["WETH"].address
        v2, v3, cake = (SPECS[id] for id in ids)
        await build.uniswap_v2(v2, weth)
        await build.uniswap_v3(v3, v2.deployment.factory, weth)
        await build.pancakeswap_v3(cake, weth)
        sides = (tokens["WETH"], 100 * ETHER), (tokens["USDC"], 300_000 * 10**6)
        await build.fill_v2(v2, *sides)
        await build.fill_v3(v3, tokens, V3_POOLS)
        await build.fill_v3(cake, tokens, V3_POOLS[:1])
        async with connected(build.node, info, tokens, ids) as world:
            yield world


@asynccontextmanager
async def avalanche() -> AsyncIterator[PublicWorld]:
    """Chain id 43114, with Pangolin and Trader Joe V1 where their tables say: the bytecode that
    they have there, whose pairs have the tables' init code hashes."""
    ids = "pangolin@avalanche", "trader_joe@avalanche"
    info = replace(NETWORKS["avalanche"].info, finality_depth=0)
    assert info.wrapped is not None
    tokens = {
        "WAVAX": replace(info.wrapped, name="Wrapped AVAX"),
        "USDC": _token("avalanche", "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USDC", 6),
        "PNG": _token("avalanche", "0x60781C2586D68229fde47564546784ab3fACA982", "PNG", 18),
    }
    async with built(info, tokens) as build:
        wavax = tokens["WAVAX"].address
        for id, (factory, router) in zip(ids, AVALANCHE_ARTIFACTS, strict=True):
            there = SPECS[id].deployment
            await build.place(build.published(factory) + address_word(OWNER), there.factory)
            both = address_word(there.factory) + address_word(wavax)
            await build.place(build.published(router) + both, there.router)
            sides = (tokens["WAVAX"], 500 * ETHER), (tokens["USDC"], 15_000 * 10**6)
            await build.fill_v2(SPECS[id], *sides)
        sides = (tokens["WAVAX"], 500 * ETHER), (tokens["PNG"], 100_000 * ETHER)
        await build.fill_v2(SPECS[ids[0]], *sides)
        async with connected(build.node, info, tokens, ids) as world:
            yield world


def _token(network: str, address: str, symbol: str, decimals: int) -> Token:
    return Token(network, address, symbol, decimals, symbol)
