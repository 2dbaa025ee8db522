"""What a pool venue is, as data: a protocol (its code) deployed on a network (its addresses)."""

from dataclasses import dataclass
from decimal import Decimal

from dex.families.constant_product import FeeRate


@dataclass(frozen=True, slots=True)
class Protocol:
    """The code that a fork deployed, the same on every network."""

    id: str
    name: str
    init_code_hash: bytes  # keccak of the pair's creation code: with the factory it gives addresses
    native_word: str  # the native coin in the router's function names: ETH, AVAX
    fee: FeeRate
    documentation: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A protocol on a network. `pools` are token addresses of well-known pairs, in any order;
    every other pair of the factory works as well, once it is asked for.

    `confirmations` is how many blocks, its own included, must hold a swap before its fill is told
    as a fact. `market_slippage` guards a market order, as a fraction; `lifetime` (ns) is how long
    an order's transaction may still execute after it was sent.
    """

    network: str
    factory: str
    router: str
    pools: tuple[tuple[str, str], ...] = ()
    confirmations: int = 1
    market_slippage: Decimal = Decimal("0.005")
    lifetime: int = 120_000_000_000
    wrapped: str = ""  # the router's wrapped coin, where it is not the network's


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
    def name(self) -> str:
        """For people."""
        return f"{self.protocol.name} on {self.deployment.network}"
