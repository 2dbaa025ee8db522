"""A chain with tokens that take permits, with Permit2, and with Uniswap's Universal Router: the
real contracts, as npm has them compiled."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from chains.evm import erc20, permit2
from chains.evm.abi import address_word, selector, uint_at, uint_word
from chains.evm.codec import checksum, hexadecimal, quantity, unhex
from chains.evm.model import Call
from chains.localnet import plan_v3
from chains.localnet.deploy import DEPLOYER
from chains.localnet.deployment import Contracts
from chains.localnet.plan_v3 import Position, V3Pool
from core.ports import FeeOptions, Signer
from core.swaps import ApprovalMethod, Quote
from core.tokens import Token
from core.transactions import Transaction
from dex.spec import PoolVenueSpec
from dex.venue import PoolVenue
from tests.support.evm import BOB, CAROL, Anvil, KeySigner, MemoryLog, installed
from tests.support.pools import PoolWorld, connected, deployed

ETHER = 10**18
FEES, SLIPPAGE = FeeOptions(), Decimal("0.01")
PERMIT_TOKEN = "UNI-V2"  # what the token that Uniswap V2's own tests use calls itself
V2, V3 = "uniswap_v2@ethereum_local", "uniswap_v3@ethereum_local"
CAKE = "pancakeswap_v3@ethereum_local"
POOL = V3Pool(
    *(PERMIT_TOKEN, "USDC", 3_000, 60, 2),
    (Position(None, None, 100_000, 200_000), Position(-20, 20, 50_000, 100_000)),
)
CAKE_POOL = replace(POOL, fee=2_500, spacing=50)
# Who deploys by CREATE2 for everybody, and with which salt Permit2 was:
# https://github.com/Uniswap/permit2/blob/main/script/DeployPermit2.s.sol
_FACTORY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
_SALT = bytes.fromhex("0000000000000000000000000000000000000000d3af2663da51c10215000000")
_GAS = quantity(9_000_000)
_NONCES, _SEPARATOR_SLOT = "nonces(address)", 3


class NotingLog(MemoryLog):
    """A log that remembers signatures too (core.ports.SignatureLog)."""

    def __init__(self) -> None:
        super().__init__()
        self.signatures: list[tuple[str, str, dict[str, str]]] = []

    async def signing(
        self, network: str, address: str, intent: str, message: str, details: Any
    ) -> None:
        self.signatures.append((intent, message, dict(details)))


@dataclass
class PermitWorld(PoolWorld):
    """`universal_router` is where it was deployed."""

    signer: Signer
    universal_router: str

    @property
    def notes(self) -> list[tuple[str, str, dict[str, str]]]:
        assert isinstance(self.log, NotingLog)
        return self.log.signatures

    async def number(self, to: str, data: bytes, place: int = 0) -> int:
        (answer,) = await self.net.multicall([Call(to, data)])
        assert isinstance(answer, bytes)
        return uint_at(answer, place)

    async def permits_used(self, token: str = "", owner: str = BOB) -> int:
        """The token's count."""
        data = selector(_NONCES) + address_word(owner)
        return await self.number(token or self.token(PERMIT_TOKEN).address, data)

    async def permit2_allowance(self, symbol: str) -> tuple[int, int, int]:
        """BOB's for the universal router: amount, expiration, nonce."""
        words = BOB, self.token(symbol).address, self.universal_router
        data = selector("allowance(address,address,address)") + b"".join(map(address_word, words))
        amount, until, nonce = [await self.number(permit2.ADDRESS, data, i) for i in range(3)]
        return amount, until, nonce

    def sent(self, intent: str) -> list[Transaction]:
        """Everything that was signed for an intent, approvals too."""
        return [row for row in self.log.rows.values() if row.intent.startswith(intent)]

    async def patch(self, address: str, old: bytes, new: bytes, count: int = -1) -> None:
        """Other code in the place of a contract's."""
        code = unhex(await self.node.rpc.call("eth_getCode", [address, "latest"]))
        assert old in code
        await self.node.rpc.call(
            "anvil_setCode", [address, hexadecimal(code.replace(old, new, count))]
        )

    async def store(self, address: str, slot: int, word: bytes) -> None:
        arguments = [address, hexadecimal(uint_word(slot)), hexadecimal(word)]
        await self.node.rpc.call("anvil_setStorageAt", arguments)

    async def lie_about_domain(self, address: str, separator: bytes) -> None:
        """What the token says, and checks, is another contract's domain."""
        await self.store(address, _SEPARATOR_SLOT, separator)

    async def pending_input(self, hash: str) -> bytes:
        """The calldata of a transaction, as everybody sees it in the mempool."""
        wire = await self.node.rpc.call("eth_getTransactionByHash", [hash])
        return unhex(wire["input"])

    async def stranger_permits(self, token: str, spender: str, words: Sequence[int]) -> str:
        """CAROL hands the token BOB's permit (value, deadline, v, r, s), and pays more than anybody
        to come first; the hash."""
        name = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
        data = selector(name) + address_word(BOB) + address_word(spender)
        data += b"".join(map(uint_word, words))
        wire = {"from": CAROL, "to": token, "data": hexadecimal(data), "gas": quantity(300_000)}
        return await self.hurried(wire)

    async def hurried(self, wire: dict[str, str]) -> str:
        """Sends what comes first in the next block."""
        wire["gasPrice"] = quantity(500 * 10**9)
        return str(await self.node.rpc.call("eth_sendTransaction", [wire]))

    async def came_first(self, one: str, other: str) -> bool:
        """Whether a transaction succeeded, in the same block as another and before it."""
        first, second = [
            await self.node.rpc.call("eth_getTransactionReceipt", [hash]) for hash in (one, other)
        ]
        assert first["blockNumber"] == second["blockNumber"]
        places = [int(receipt["transactionIndex"], 16) for receipt in (first, second)]
        return bool(first["status"] == "0x1") and places[0] < places[1]

    async def swapped(
        self,
        venue: PoolVenue,
        tokens: tuple[Token, Token],
        units: int,
        method: ApprovalMethod,
        intent: str,
        exact_in: bool = True,
    ) -> Quote:
        """BOB swaps; the amounts are those of the quote, which is returned."""
        await self.synced(venue)
        quote = await venue.quote(*tokens, units, exact_in, SLIPPAGE)
        before = [await self.of(token) for token in tokens]
        sent = await venue.swap(quote, BOB, intent, 0, FEES, method)
        ended = await self.net.wait_included(sent.hash, 10)
        assert ended.succeeded, ended.reason
        after = [await self.of(token) for token in tokens]
        given, got = before[0] - after[0], after[1] - before[1]
        if tokens[1].is_native:
            spent = sum(int((row.fee or 0) * ETHER) for row in self.sent(intent))
            got += spent
        assert given == quote.units_in
        # By pairs the universal router passes on what the pair gives for what goes in, which may be
        # some units more than what was asked for.
        more = 0 if exact_in or venue.spec.id != V2 else quote.units_out // 10**5
        assert quote.units_out <= got <= quote.units_out + more
        return quote

    async def of(self, token: Token) -> int:
        """BOB's."""
        return (await self.net.balances(BOB, [token]))[0].units or 0


def words_after(data: bytes, signature: str, count: int) -> list[int]:
    """The arguments of a call that stands somewhere in calldata."""
    start = data.index(selector(signature)) + 4
    return [uint_at(data[start:], place) for place in range(count)]


def self_permit_words(data: bytes) -> list[int]:
    """value, deadline, v, r, s of a swap's permit."""
    name = "selfPermitIfNecessary(address,uint256,uint256,uint8,bytes32,bytes32)"
    return words_after(data, name, 6)[1:]


def _published(path: str) -> str:
    place = installed().node_modules / path
    if not place.is_file():
        pytest.skip(f"npm installed no {path}: run `make setup` in the checkout")
    return place.read_text()


def _artifact(path: str) -> bytes:
    bytecode: str = json.loads(_published(path))["bytecode"]
    return bytes.fromhex(bytecode.removeprefix("0x"))


async def create(node: Anvil, code: bytes, sender: str = CAROL) -> str:
    """The address of a new contract."""
    wire = {"from": sender, "data": hexadecimal(code), "gas": _GAS}
    made = await node.send(wire)
    assert made["status"] == "0x1"
    return checksum(str(made["contractAddress"]))


async def call(node: Anvil, to: str, data: bytes, sender: str = CAROL) -> None:
    wire = {"from": sender, "to": to, "data": hexadecimal(data), "gas": _GAS}
    assert (await node.send(wire))["status"] == "0x1", (to, data[:4].hex())


async def deploy_permit2(node: Anvil) -> None:
    """By the same factory and salt as on all networks: with other bytes it would be elsewhere."""
    text = _published("@uniswap/uniswapx-sdk/dist/esm/src/contracts/factories/Permit2__factory.js")
    found = re.search(r'_bytecode = "(0x[0-9a-f]+)"', text)
    assert found is not None
    await call(node, _FACTORY, _SALT + unhex(found[1]))
    code = await node.rpc.call("eth_getCode", [permit2.ADDRESS, "latest"])
    assert len(code) > 2


def universal_router(
    wrapped: str, factories: tuple[str, str], init_code_hashes: tuple[bytes, bytes]
) -> bytes:
    """Its creation code, for the pools of Uniswap V2 and V3."""
    nobody = address_word("0x" + "0" * 40)
    words = [
        *map(address_word, (permit2.ADDRESS, wrapped, *factories)),
        *init_code_hashes,
        *(nobody,) * 4,  # Uniswap V4 and a bridge, where no test goes
    ]
    path = "@uniswap/universal-router/artifacts/contracts/UniversalRouter.sol/UniversalRouter.json"
    return _artifact(path) + b"".join(words)


async def deploy_universal_router(node: Anvil, contracts: Contracts) -> str:
    v2, v3 = contracts.uniswap_v2, contracts.uniswap_v3
    hashes = unhex(v2.init_code_hash), unhex(v3.init_code_hash)
    code = universal_router(v2.wrapped, (v2.factory, v3.factory), hashes)
    return await create(node, code)


async def deploy_permit_token(node: Anvil) -> str:
    """Uniswap V2's ERC-20 with EIP-2612, a million of it for BOB and the rest CAROL's."""
    supply = 10**9 * ETHER
    code = _artifact("@uniswap/v2-core/build/ERC20.json") + uint_word(supply)
    address = await create(node, code)
    await call(node, address, erc20.transfer(BOB, 10**6 * ETHER))
    return address


@asynccontextmanager
async def permit_world(
    permit2_there: bool = True, signer: Signer | None = None
) -> AsyncIterator[PermitWorld]:
    """All that the local chain has, with pools of a token that takes permits."""
    async with deployed() as (node, contracts):
        router = ""
        if permit2_there:
            await deploy_permit2(node)
        router = await deploy_universal_router(node, contracts)
        token = Token(
            contracts.tokens[0].network, await deploy_permit_token(node), PERMIT_TOKEN, 18
        )
        contracts = replace(contracts, tokens=(*contracts.tokens, token))
        await fill(node, contracts)

        def adapt(spec: PoolVenueSpec) -> PoolVenueSpec:
            if spec.id not in (V2, V3):
                return spec
            deployment = replace(spec.deployment, universal_router=router)
            return replace(spec, deployment=deployment)

        signer = signer or KeySigner()
        async with connected(node, contracts, NotingLog(), signer=signer, adapt=adapt) as world:
            await world.create_pair(PERMIT_TOKEN, 100_000 * ETHER, "WETH", 30 * ETHER)
            for venue in world.venues.values():
                await world.synced(venue)
            yield PermitWorld(**vars(world), signer=signer, universal_router=router)


async def fill(node: Anvil, contracts: Contracts) -> None:
    """CAROL provides the token's pools."""
    tokens = {token.symbol: token for token in contracts.tokens}
    mint = selector("mint(address,uint256)") + address_word(CAROL) + uint_word(10**7 * 10**6)
    await call(node, tokens["USDC"].address, mint)
    steps: list[tuple[str, bytes]] = []
    for made, pool in ((contracts.uniswap_v3, POOL), (contracts.pancakeswap_v3, CAKE_POOL)):
        plan_v3.fill(lambda to, data, gas: steps.append((to, data)), made, [pool], tokens, CAROL)
    await node.rpc.call("anvil_impersonateAccount", [DEPLOYER])
    for to, data in steps:
        owned = data.startswith(selector("setFeeProtocol(address,uint32,uint32)"))
        await call(node, to, data, DEPLOYER if owned else CAROL)
