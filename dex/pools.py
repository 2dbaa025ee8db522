"""The pools that a venue knows: which they are, what their markets are called, how they stand."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.instruments import Instrument, InstrumentKind
from core.swaps import Hop, Pool
from core.tokens import Token
from dex.families.constant_product_abi import sort_tokens
from dex.families.curve import Content, Curve, FeeRate
from dex.families.curve_levels import Market
from dex.family import Family, Place, family_of
from dex.naming import base_is_token0, instrument_id
from dex.spec import PoolVenueSpec

# A pool has no tick. Prices that we compute are rounded to so many decimals more than the quote
# token has, and prices that we are given may have as many.
_PRICE_DECIMALS = 12
_MOST_PLACES = 4_096  # pairs


@dataclass(frozen=True, slots=True)
class PoolMarket:
    """One pool and its market; constants. Token order is the contract's."""

    address: str
    token0: Token
    token1: Token
    base_is_0: bool
    fee: FeeRate
    instrument: Instrument
    spacing: int = 0  # of its ticks, where it has any

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
    """A pool at the end of a block."""

    market: PoolMarket
    content: Content
    block: int

    @property
    def reserve0(self) -> int:
        return self.content.reserves[0]

    @property
    def reserve1(self) -> int:
        return self.content.reserves[1]

    def curve(self, token_in: Token) -> Curve:
        """The pool seen by somebody who sells `token_in`."""
        return self.content.curve(token_in.address == self.market.token0.address)

    @property
    def book(self) -> Market:
        """The pool seen as a market of its base against its quote."""
        base, quote = self.market.base, self.market.quote
        return Market(self.curve(base), base.decimals, quote.decimals)

    def pool(self, venue: str) -> Pool:
        """For the API."""
        market = self.market
        reserve0, reserve1 = self.content.reserves
        return Pool(
            venue=venue,
            address=market.address,
            token0=market.token0,
            token1=market.token1,
            reserve0=reserve0,
            reserve1=reserve1,
            fee=market.fee.fraction,
            block=self.block,
            instrument=market.instrument.id,
            inverted=not market.base_is_0,
        )


class PoolDirectory:
    """A venue's pools by address, by pair and by instrument.

    `tokens` is the live token list: the first token of a symbol there is the one that may carry
    that name in an instrument. A list that changes counts its changes in `version`.
    """

    def __init__(
        self, spec: PoolVenueSpec, tokens: Collection[Token], family: Family | None = None
    ) -> None:
        self._spec = spec
        self._tokens = tokens
        self._family = family or family_of(spec)
        self.instruments: dict[str, Instrument] = {}
        self._by_address: dict[str, PoolMarket] = {}
        self._by_instrument: dict[str, PoolMarket] = {}
        self._known_places: dict[tuple[str, str], Sequence[Place]] = {}
        self._by_pair: dict[tuple[str, str], list[PoolMarket]] = {}
        self._listed: dict[str, Token] = {}
        self._listed_version = -1

    def __iter__(self) -> Iterator[PoolMarket]:
        return iter(self._by_address.values())

    def __len__(self) -> int:
        return len(self._by_address)

    @property
    def tokens_version(self) -> int:
        """Another number after each change of the token list, where that changes at all."""
        return getattr(self._tokens, "version", 0)

    def listed(self) -> list[Token]:
        """The token list's tokens of this network."""
        return list(self._of_network().values())

    def listed_at(self, address: str) -> Token | None:
        """The token list's token of an address."""
        return self._of_network().get(address)

    def _of_network(self) -> dict[str, Token]:
        version = self.tokens_version
        if version != self._listed_version:
            network = self._spec.deployment.network
            self._listed = {}
            for token in self._tokens:
                if token.network == network:
                    self._listed.setdefault(token.address, token)
            self._listed_version = version
        return self._listed

    def at(self, address: str) -> PoolMarket | None:
        return self._by_address.get(address)

    def of_instrument(self, id: str) -> PoolMarket | None:
        return self._by_instrument.get(id)

    def address_of(self, token_a: Token, token_b: Token) -> str:
        """Where the factory puts the (first) pool of two tokens, whether or not it exists."""
        return self._places(token_a, token_b)[0].address

    def candidates(self, token_a: Token, token_b: Token) -> list[PoolMarket]:
        """The pools of two tokens: known ones, and others that `add` may take in."""
        known = self._by_pair.get(_pair(token_a, token_b), [])
        addresses = {market.address for market in known}
        places = self._places(token_a, token_b)
        return known + [
            self.market(token_a, token_b, place)
            for place in places
            if place.address not in addresses
        ]

    def candidate(self, token_a: Token, token_b: Token) -> PoolMarket:
        """The first of them."""
        return self.candidates(token_a, token_b)[0]

    def add(self, market: PoolMarket) -> PoolMarket:
        """Takes a pool in, with its instrument."""
        if market.address not in self._by_address:
            pair = _pair(market.token0, market.token1)
            self._by_pair.setdefault(pair, []).append(market)
        self._by_address[market.address] = market
        self._by_instrument[market.instrument.id] = market
        self.instruments[market.instrument.id] = market.instrument
        return market

    def market(self, token_a: Token, token_b: Token, place: Place) -> PoolMarket:
        """The market of two tokens at a place."""
        first, _ = sort_tokens(token_a.address, token_b.address)
        token0, token1 = (token_a, token_b) if token_a.address == first else (token_b, token_a)
        listed = self._owners_of_their_symbols()
        listed0, listed1 = token0.address in listed, token1.address in listed
        base_is_0 = base_is_token0(token0, token1, listed0, listed1)
        base, quote = (token0, token1) if base_is_0 else (token1, token0)
        id = instrument_id(base, quote, place.address, listed0 and listed1, place.mark)
        instrument = Instrument(
            venue=self._spec.id,
            id=id,
            venue_symbol=place.address,
            kind=InstrumentKind.POOL,
            base=base.symbol,
            quote=quote.symbol,
            settle=quote.symbol,
            price_tick=Decimal(1).scaleb(-(quote.decimals + _PRICE_DECIMALS)),
            quantity_step=Decimal(1).scaleb(-base.decimals),
            min_quantity=Decimal(1).scaleb(-base.decimals),
            trusted=listed0 and listed1,
        )
        return PoolMarket(
            *(place.address, token0, token1, base_is_0, place.fee, instrument, place.spacing)
        )

    def between(self, token_a: Token, token_b: Token, hops: Sequence[Hop]) -> PoolMarket:
        """What a swap is told as a trade of: its pool's market, or the market of the two tokens
        where it goes through several pools; that one has the tokens' addresses for its own."""
        known = self.at(hops[0].pool) if len(hops) == 1 else None
        return known or self.market(
            token_a, token_b, Place("-".join(_pair(token_a, token_b)), FeeRate(1, 1))
        )

    def _places(self, token_a: Token, token_b: Token) -> Sequence[Place]:
        """Remembered: several hashes lie behind each."""
        pair = _pair(token_a, token_b)
        found = self._known_places.get(pair)
        if found is None:
            found = self._family.places(self._spec, *pair)
            self._known_places[pair] = found
            if len(self._known_places) > _MOST_PLACES:
                del self._known_places[next(iter(self._known_places))]
        return found

    def _owners_of_their_symbols(self) -> set[str]:
        first: dict[str, str] = {}
        for token in self.listed():
            first.setdefault(token.symbol, token.address)
        return set(first.values())


def _pair(token_a: Token, token_b: Token) -> tuple[str, str]:
    """The key of two tokens, in whichever order."""
    first, second = sorted((token_a.address, token_b.address))
    return first, second
