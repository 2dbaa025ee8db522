"""For tests of pools: a real node with the real contracts, and venues and accounts on it."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from chains.evm import erc20
from chains.evm.abi import address_word, selector, uint_word
from chains.evm.codec import hexadecimal, quantity
from chains.evm.model import Call
from chains.evm.network import EvmNetwork
from chains.localnet import deploy
from chains.localnet.deployment import Contracts
from chains.localnet.plan import ALLOWANCE_OF_A_WALLET
from core.clock import SystemClock
from core.instruments import Instrument
from core.orders import Fill, OrderReport, OrderRequest, OrderType, Side, TimeInForce
from core.ports import AccountReport, FeeOptions, Signer
from core.tokens import Token
from dex.account import PoolAccount
from dex.families.constant_product_abi import SwapCall
from dex.spec import PoolVenueSpec
from dex.venue import PoolVenue
from dex.venues.local import local_specs
from tests.support.evm import (
    BOB,
    CAROL,
    LOCAL,
    Anvil,
    MemoryLog,
    anvil,
    installed,
    network,
    until,
)

NETWORK = "ethereum_local"
FOR_EVER = 2**40  # a deadline, s
_ids = itertools.count(1)
_deployed: dict[tuple[str, ...], tuple[Contracts, str]] = {}  # by funded wallets: anvil's state


@dataclass
class Told:
    """What an account told."""

    reports: list[AccountReport] = field(default_factory=list)

    def __call__(self, report: AccountReport) -> None:
        self.reports.append(report)

    @property
    def fills(self) -> list[Fill]:
        return [report for report in self.reports if isinstance(report, Fill)]

    def orders(self, id: str) -> list[OrderReport]:
        return [
            report
            for report in self.reports
            if isinstance(report, OrderReport) and report.client_order_id == id
        ]

    async def end_of(self, id: str) -> OrderReport:
        """The report that ends an order."""
        await until(lambda: self.orders(id))
        return self.orders(id)[-1]


class OffsetClock(SystemClock):
    """The machine's clock, and as much ahead as a test says."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return SystemClock.now() + self.ahead

    def advance(self, nanoseconds: int) -> None:
        self.ahead += nanoseconds


@dataclass
class PoolWorld:
    """A chain with exchanges, and BOB's and CAROL's wallets on it."""

    node: Anvil
    contracts: Contracts
    net: EvmNetwork
    log: MemoryLog
    venues: dict[str, PoolVenue]
    clock: OffsetClock

    @property
    def uniswap(self) -> PoolVenue:
        return self.venues["uniswap_v2@ethereum_local"]

    @property
    def pangolin(self) -> PoolVenue:
        return self.venues["pangolin@ethereum_local"]

    @property
    def instrument(self) -> Instrument:
        return self.uniswap.instruments["WETH-USDC"]

    def token(self, symbol: str) -> Token:
        return self.contracts.token(symbol)

    async def units(self, owner: str, symbol: str) -> int:
        token = self.net.info.native if symbol == "ETH" else self.token(symbol)
        return (await self.net.balances(owner, [token]))[0].units or 0

    async def gained(self, owner: str, symbol: str) -> int:
        """What a wallet has more of a token than it was funded with."""
        given = dict(ALLOWANCE_OF_A_WALLET).get(symbol, 0) * int(10 ** self.token(symbol).decimals)
        return await self.units(owner, symbol) - given

    async def allowance(self, owner: str, symbol: str, spender: str) -> int:
        data = erc20.allowance(owner, spender)
        (answer,) = await self.net.multicall([Call(self.token(symbol).address, data)])
        assert isinstance(answer, bytes)
        return int.from_bytes(answer, "big")

    async def approve(
        self,
        symbol: str,
        units: int,
        intent: str = "approve",
        venue: PoolVenue | None = None,
    ) -> None:
        """BOB lets a venue's router (Uniswap's) take a token; returns once that is in a block and
        known."""
        venue = venue or self.uniswap
        sent = await venue.approve(BOB, self.token(symbol), units, intent, FeeOptions())
        await self.net.wait_included(sent.hash, 10)
        await self.synced(venue)

    async def stranger_sells(
        self, give: str, take: str, units: int, mined: bool = True, **wire: Any
    ) -> str:
        """CAROL swaps on Uniswap, past everything of ours; the node signs for her. Returns the
        hash, once the swap is in a block if that is `mined` by the node itself."""
        router = self.uniswap.spec.deployment.router
        first, second = self.token(give), self.token(take)
        common = {"from": CAROL, "gas": quantity(400_000)} | wire
        approve = hexadecimal(erc20.approve(router, units))
        call = SwapCall(
            exact_in=True,
            native_in=False,
            native_out=False,
            exact=units,
            limit=1,
            path=(first.address, second.address),
            recipient=CAROL,
            deadline=FOR_EVER,
        )
        await self.node.rpc.call(
            "eth_sendTransaction", [common | {"to": first.address, "data": approve}]
        )
        swap = common | {"to": router, "data": hexadecimal(call.calldata("ETH"))}
        if mined:
            return str((await self.node.send(swap))["transactionHash"])
        return str(await self.node.rpc.call("eth_sendTransaction", [swap]))

    async def create_pair(self, one: str, one_units: int, other: str, other_units: int) -> str:
        """A new pool on Uniswap, with CAROL's tokens in it."""
        router = self.uniswap.spec.deployment.router
        first, second = self.token(one).address, self.token(other).address
        for token, units in ((first, one_units), (second, other_units)):
            data = hexadecimal(erc20.approve(router, units))
            await self.node.send({"from": CAROL, "to": token, "data": data})
        words = [*map(address_word, (first, second)), *map(uint_word, (one_units, other_units))]
        words += [uint_word(1), uint_word(1), address_word(CAROL), uint_word(FOR_EVER)]
        name = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
        data = hexadecimal(selector(name) + b"".join(words))
        gas = quantity(4_000_000)
        await self.node.send({"from": CAROL, "to": router, "data": data, "gas": gas})
        return self.uniswap.directory.address_of(self.token(one), self.token(other))

    async def synced(self, venue: PoolVenue) -> None:
        """Waits until a venue has read the node's head."""
        head = int(await self.node.rpc.call("eth_blockNumber", []), 16)
        await until(lambda: venue.states.block >= head and not venue.states.why_not_live)


def order(
    side: Side,
    quantity: str,
    price: str | None = None,
    tif: TimeInForce = TimeInForce.IOC,
    instrument: str = "WETH-USDC",
    venue: str = "uniswap_v2@ethereum_local",
    **more: Any,
) -> OrderRequest:
    return OrderRequest(
        client_order_id=f"order-{next(_ids)}",
        account="bob",
        venue=venue,
        instrument=instrument,
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        time_in_force=tif,
        **more,
    )


@asynccontextmanager
async def deployed(
    *options: str, wallets: Sequence[str] = (BOB, CAROL)
) -> AsyncIterator[tuple[Anvil, Contracts]]:
    """A fresh node with all contracts and funded wallets; deployed once a process, then loaded."""
    async with anvil(*options) as node:
        known = _deployed.get(tuple(wallets))
        if known is None:
            manifest, _ = await deploy.settle(node.rpc, installed(), None, wallets)
            dump = await node.rpc.call("anvil_dumpState", [])
            known = _deployed[tuple(wallets)] = (manifest.contracts, str(dump))
        else:
            assert await node.rpc.call("anvil_loadState", [known[1]])
        yield node, known[0]


@asynccontextmanager
async def connected(
    node: Anvil,
    contracts: Contracts,
    log: MemoryLog | None = None,
    depth: int = 0,
    urls: Sequence[str] = (),
    signer: Signer | None = None,
    adapt: Callable[[PoolVenueSpec], PoolVenueSpec] = lambda spec: spec,
) -> AsyncIterator[PoolWorld]:
    """Our network and all venues on a node, started and synced; `adapt` changes their tables."""
    log = log or MemoryLog()
    info = replace(LOCAL, finality_depth=depth, wrapped=contracts.token("WETH"))
    async with network(urls or [node.url, node.websocket], log, signer, info) as net:
        clock = OffsetClock()
        venues = {
            spec.id: PoolVenue(adapt(spec), net, contracts.tokens, clock)
            for spec in local_specs(contracts, NETWORK)
        }
        world = PoolWorld(node, contracts, net, log, venues, clock)
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
async def pool_world(*options: str, depth: int = 0) -> AsyncIterator[PoolWorld]:
    """Everything, fresh."""
    async with deployed(*options) as (node, contracts):
        async with connected(node, contracts, depth=depth) as world:
            yield world


@asynccontextmanager
async def trading(
    world: PoolWorld, told: Told, venue: PoolVenue | None = None, **options: Any
) -> AsyncIterator[PoolAccount]:
    """BOB's account on a venue, started."""
    account = PoolAccount("bob", venue or world.uniswap, BOB, world.log, **options)
    await account.start(told)
    try:
        yield account
    finally:
        await account.stop()
