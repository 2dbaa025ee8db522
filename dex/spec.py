"""What a pool venue is, as data: a protocol (its code) deployed on a network (its addresses)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from dex.families.curve import FeeRate


class FamilyName(Enum):
    """The kinds of pools that there is mathematics for."""

    CONSTANT_PRODUCT = "constant_product"
    CONCENTRATED = "concentrated"


class RouterKind(Enum):
    """The routers of concentrated liquidity; see dex.families.concentrated_router."""

    SWAP_ROUTER = "swap_router"
    SWAP_ROUTER_02 = "swap_router_02"


@dataclass(frozen=True, slots=True)
class Protocol:
    """The code that a fork deployed, the same on every network.

    Constant product has `fee` and `native_word`, the native coin in the router's function names
    (ETH, AVAX), and `fee_share`, by which the protocol takes its part of the fees when liquidity
    changes: supply * a * (k - last) / (b * k + c * last), k and last being roots; concentrated
    liquidity has `tiers`: each fee, in millionths, with the spacing of
    its ticks.
    """

    id: str
    name: str
    init_code_hash: bytes  # keccak of the pair's creation code: with the factory it gives addresses
    native_word: str
    fee: FeeRate
    documentation: str
    family: FamilyName = FamilyName.CONSTANT_PRODUCT
    tiers: tuple[tuple[int, int], ...] = ()
    fee_share: tuple[int, int, int] = (1, 5, 1)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A protocol on a network. `pools` are token addresses of well-known pairs, in any order, with
    the fees (in millionths) of those pools behind them where two tokens have several; every other
    pool of the factory works as well, once it is asked for.

    `confirmations` is how many blocks, its own included, must hold a swap before its fill is told
    as a fact: at least four where blocks are reorganised at all, so that three that go away take
    back nothing that was told. `market_slippage` guards a market order, as a fraction; `lifetime`
    (ns) is how long an order's transaction may still execute after it was sent.
    """

    network: str
    factory: str
    router: str
    pools: tuple[tuple[str, str, *tuple[int, ...]], ...] = ()
    confirmations: int = 1
    market_slippage: Decimal = Decimal("0.005")
    lifetime: int = 120_000_000_000
    wrapped: str = ""  # the router's wrapped coin, where it is not the network's
    init_code_hash: bytes = b""  # where it is not the protocol's
    # Concentrated liquidity only.
    router_kind: RouterKind = RouterKind.SWAP_ROUTER_02
    quoter: str = ""
    positions: str = ""  # the position manager
    deployer: str = ""  # what creates the pools, where it is not the factory
    pair_factory: str = ""  # of constant product: the router reaches its pairs in the same call
    # Uniswap only: the router that takes tokens by Permit2, for pools of both kinds.
    universal_router: str = ""


@dataclass(frozen=True, slots=True)
class PoolVenueSpec:
    """One venue, such as `uniswap_v2@ethereum`."""

    protocol: Protocol
    deployment: Deployment

    @property
    def id(self) -> str:
        """protocol@network."""
        return f"{self.protocol.id}@{self.deployment.network}"

    @property
    def init_code_hash(self) -> bytes:
        """The deployment's own, else the protocol's."""
        return self.deployment.init_code_hash or self.protocol.init_code_hash

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.protocol.name} on {self.deployment.network}"
