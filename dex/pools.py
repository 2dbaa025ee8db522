"""The pools that a venue knows: which they are, what their markets are called, how they stand."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal

from core.instruments import Instrument, InstrumentKind
from core.swaps import Pool
from core.tokens import Token
from dex.families.constant_product import Curve, FeeRate
from dex.families.constant_product_abi import pair_address, sort_tokens
from dex.families.curve_levels import Market
from dex.naming import base_is_token0, instrument_id
from dex.spec import PoolVenueSpec

# A pool has no tick. Prices that we compute are rounded to so many decimals more than the quote
# token has, and prices that we are given may have as many.
_PRICE_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class PoolMarket:
    """One pool and its market; constants. Token order is the contract's."""

    address: str
    token0: Token
    token1: Token
    base_is_0: bool
    fee: FeeRate
    instrument: Instrument

    @property
    def base(self) -> Token:
        return self.token0 if self.base_is_0 else self.token1

    @property
    def quote(self) -> Token:
        return self.token1 if self.base_is_0 else self.token0

    def token(self, address: str) -> Token:
        """The pool's token of an address; KeyError if it has none."""
        for token in (self.token0, self.token1):
            if token.address == address:
                return token
        raise KeyError(address)


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool's reserves at the end of a block."""

    market: PoolMarket
    reserve0: int
    reserve1: int
    block: int

    def curve(self, token_in: Token) -> Curve:
        """The pool seen by somebody who sells `token_in`."""
        if token_in.address == self.market.token0.address:
            return Curve(self.reserve0, self.reserve1, self.market.fee)
        return Curve(self.reserve1, self.reserve0, self.market.fee)

    @property
    def book(self) -> Market:
        """The pool seen as a market of its base against its quote."""
        base, quote = self.market.base, self.market.quote
        return Market(self.curve(base), base.decimals, quote.decimals)

    def pool(self, venue: str) -> Pool:
        """For the API."""
        market = self.market
        return Pool(
            venue=venue,
            address=market.address,
            token0=market.token0,
            token1=market.token1,
            reserve0=self.reserve0,
            reserve1=self.reserve1,
            fee=market.fee.fraction,
            block=self.block,
            instrument=market.instrument.id,
        )


class PoolDirectory:
    """A venue's pools by address, by pair and by instrument.

    `tokens` is the live token list: the first token of a symbol there is the one that may carry
    that name in an instrument.
    """

    def __init__(self, spec: PoolVenueSpec, tokens: Collection[Token]) -> None:
        self._spec = spec
        self._tokens = tokens
        self.instruments: dict[str, Instrument] = {}
        self._by_address: dict[str, PoolMarket] = {}
        self._by_instrument: dict[str, PoolMarket] = {}
        self._by_pair: dict[tuple[str, str], PoolMarket] = {}

    def __iter__(self) -> Iterator[PoolMarket]:
        return iter(self._by_address.values())

    def __len__(self) -> int:
        return len(self._by_address)

    def listed(self) -> list[Token]:
        """The token list's tokens of this network."""
        network = self._spec.deployment.network
        return [token for token in self._tokens if token.network == network]

    def listed_at(self, address: str) -> Token | None:
        """The token list's token of an address."""
        return next((token for token in self.listed() if token.address == address), None)

    def at(self, address: str) -> PoolMarket | None:
        return self._by_address.get(address)

    def of_instrument(self, id: str) -> PoolMarket | None:
        return self._by_instrument.get(id)

    def address_of(self, token_a: Token, token_b: Token) -> str:
        """Where the factory puts the pool of two tokens, whether or not it exists."""
        return pair_address(
            self._spec.deployment.factory,
            self._spec.protocol.init_code_hash,
            token_a.address,
            token_b.address,
        )

    def candidate(self, token_a: Token, token_b: Token, address: str | None = None) -> PoolMarket:
        """The pool of two tokens: the known one, or one that `add` may take in."""
        known = self._by_pair.get((token_a.address, token_b.address))
        if known is not None and address in (None, known.address):
            return known
        address = address or self.address_of(token_a, token_b)
        first, _ = sort_tokens(token_a.address, token_b.address)
        token0, token1 = (token_a, token_b) if token_a.address == first else (token_b, token_a)
        return self._market(address, token0, token1)

    def add(self, market: PoolMarket) -> PoolMarket:
        """Takes a pool in, with its instrument."""
        self._by_address[market.address] = market
        pair = market.token0.address, market.token1.address
        self._by_pair[pair] = self._by_pair[pair[::-1]] = market
        self._by_instrument[market.instrument.id] = market
        self.instruments[market.instrument.id] = market.instrument
        return market

    def _market(self, address: str, token0: Token, token1: Token) -> PoolMarket:
        listed = self._owners_of_their_symbols()
        listed0, listed1 = token0.address in listed, token1.address in listed
        base_is_0 = base_is_token0(token0, token1, listed0, listed1)
        base, quote = (token0, token1) if base_is_0 else (token1, token0)
        id = instrument_id(base, quote, address, listed0 and listed1)
        instrument = Instrument(
            venue=self._spec.id,
            id=id,
            venue_symbol=address,
            kind=InstrumentKind.POOL,
            base=base.symbol,
            quote=quote.symbol,
            settle=quote.symbol,
            price_tick=Decimal(1).scaleb(-(quote.decimals + _PRICE_DECIMALS)),
            quantity_step=Decimal(1).scaleb(-base.decimals),
            min_quantity=Decimal(1).scaleb(-base.decimals),
        )
        return PoolMarket(address, token0, token1, base_is_0, self._spec.protocol.fee, instrument)

    def _owners_of_their_symbols(self) -> set[str]:
        first: dict[str, str] = {}
        for token in self.listed():
            first.setdefault(token.symbol, token.address)
        return set(first.values())
