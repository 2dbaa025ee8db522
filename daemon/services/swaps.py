"""SwapService: pools, quotes, swaps."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from decimal import Decimal

from cambist.v1 import swaps_pb2 as pb
from core.clock import SECOND, Clock
from core.errors import CambistError, Reason, Refused
from core.money import from_units, parse
from core.swaps import Quote, SwapLimit, SwapVenue
from core.tokens import Token
from daemon.codec import chains as chains_codec
from daemon.codec import swaps as codec
from daemon.codec.chains import fee_options, units_of
from daemon.registry import Registry
from daemon.risk import RiskDesk
from daemon.risk.swap_checks import Swap
from daemon.rpc.paging import paginate
from daemon.rpc.rules import invalid, required
from daemon.wallets import Wallets

DEFAULT_SLIPPAGE = Decimal("0.005")
DEFAULT_DEADLINE_SECONDS = 120
MAX_DEADLINE_SECONDS = 3600
# Quotes are small and live for seconds; this bounds what a client can make us keep.
KEPT_QUOTES = 10_000


class SwapService:
    """Quotes come from pool state in memory; a swap is the venue's to send."""

    def __init__(
        self,
        registry: Registry,
        wallets: Wallets,
        risk: RiskDesk,
        clock: Clock,
        heartbeat: int,
    ) -> None:
        self._registry = registry
        self._risk = risk
        self._wallets = wallets
        self._clock = clock
        self._heartbeat = heartbeat / SECOND  # float: asyncio timeouts are in seconds
        self._quotes: OrderedDict[str, Quote] = OrderedDict()

    def venue_of(self, quote_id: str) -> str | None:
        """The venue of a quote that was given."""
        quote = self._quotes.get(quote_id)
        return quote.venue if quote else None

    async def list_pools(self, request: pb.ListPoolsRequest) -> pb.ListPoolsResponse:
        """The pools of a venue, by instrument."""
        pools = await self._registry.swap_venue(request.venue).pools()
        page, token = paginate(
            list(pools),
            lambda pool: f"{pool.instrument}/{pool.address}",
            f"pools/{request.venue}",
            request.page_size,
            request.page_token,
        )
        return pb.ListPoolsResponse(
            pools=[codec.pool(pool) for pool in page], next_page_token=token
        )

    async def get_pool(self, request: pb.GetPoolRequest) -> pb.GetPoolResponse:
        """By address or by our id of its market."""
        venue = self._registry.swap_venue(request.venue)
        known = venue.instruments.get(request.pool)
        address = known.venue_symbol if known else request.pool
        return pb.GetPoolResponse(pool=codec.pool(await venue.pool(address)))

    async def get_quote(self, request: pb.GetQuoteRequest) -> pb.GetQuoteResponse:
        """What a swap would give now; kept until it expires, so that it can be executed."""
        venue = self._registry.swap_venue(request.swap.venue)
        quote = await self._quote(venue, request.swap)
        self._keep(quote)
        if not request.wallet:
            return pb.GetQuoteResponse(quote=codec.quote(quote))
        network = self._registry.network(venue.info.network)
        _, owner = self._wallets.resolve(network, request.wallet)
        method = codec.approval_method(request.approval)
        approval, offers = await asyncio.gather(
            venue.required_approval(quote, owner, method), venue.approval_offers(quote, owner)
        )
        return pb.GetQuoteResponse(quote=codec.quote(quote, approval, offers))

    async def stream_quotes(
        self, request: pb.StreamQuotesRequest
    ) -> AsyncIterator[pb.StreamQuotesResponse]:
        """A quote whenever the pools were read, which they are at each block; an empty message when
        none came for a while."""
        venue = self._registry.swap_venue(request.swap.venue)
        told = asyncio.Event()
        end = venue.on_pools(told.set)
        last: tuple[int, int, int] | None = None
        try:
            while True:
                told.clear()
                quote = await self._quote(venue, request.swap)
                seen = quote.block, quote.units_in, quote.units_out
                if seen != last:
                    last = seen
                    self._keep(quote)
                    yield pb.StreamQuotesResponse(quote=codec.quote(quote))
                quiet = False
                try:
                    async with asyncio.timeout(self._heartbeat):
                        await told.wait()
                except TimeoutError:
                    quiet = True
                if quiet:
                    yield pb.StreamQuotesResponse()
        finally:
            end()

    async def swap(self, request: pb.SwapRequest) -> pb.SwapResponse:
        """From a quote, whose guarantee holds, or quoted now."""
        match request.WhichOneof("source"):
            case "quote_id":
                quote = self._kept(request.quote_id)
                venue = self._registry.swap_venue(quote.venue)
            case "swap":
                venue = self._registry.swap_venue(request.swap.venue)
                quote = await self._quote(venue, request.swap)
            case _:
                raise required("quote_id or swap")
        network = self._registry.network(venue.info.network)
        owner = self._wallets.signing_address(network, request.wallet)
        seconds = request.deadline_seconds or DEFAULT_DEADLINE_SECONDS
        if seconds > MAX_DEADLINE_SECONDS:
            raise invalid("deadline_seconds", f"must be at most {MAX_DEADLINE_SECONDS}")
        name, _ = self._wallets.resolve(network, request.wallet)
        admission = await _admission(name, quote, self._registry.swap_venue(quote.executor))
        self._risk.admit_swap(admission)
        method = codec.approval_method(request.approval)
        approval = await venue.required_approval(quote, owner, method)
        deadline = self._clock.now() + seconds * SECOND
        if request.dry_run:
            await venue.rehearse(quote, owner, deadline, method)
            return pb.SwapResponse(quote=codec.quote(quote, approval))
        self._risk.admit_swap(admission)  # again: while the chain was asked others may have swapped
        not_sent = self._risk.swap_taken(admission)
        try:
            sent = await venue.swap(
                quote,
                owner,
                request.request_id,
                deadline,
                fee_options(request.fees),
                method,
            )
        except Refused:
            not_sent()
            raise
        return pb.SwapResponse(
            transaction=chains_codec.transaction(sent), quote=codec.quote(quote, approval)
        )

    async def _quote(self, venue: SwapVenue, spec: pb.SwapSpec) -> Quote:
        token_in = await venue.find_token(spec.token_in)
        token_out = await venue.find_token(spec.token_out)
        if token_in == token_out:
            raise invalid("token_out", "must be another token than token_in", spec.token_out)
        exact_in = spec.mode == pb.SWAP_MODE_EXACT_IN
        units = units_of(spec.amount, token_in if exact_in else token_out, "amount")
        slippage = parse(spec.slippage) if spec.slippage else DEFAULT_SLIPPAGE
        if slippage >= 1:
            raise invalid("slippage", "must be below 1: at 1 anything would be accepted")
        return await venue.quote(token_in, token_out, units, exact_in, slippage, _limit(spec))

    def _keep(self, quote: Quote) -> None:
        self._quotes[quote.id] = quote
        if len(self._quotes) > KEPT_QUOTES:
            self._quotes.popitem(last=False)

    def _kept(self, id_: str) -> Quote:
        quote = self._quotes.get(id_)
        if quote is None:
            raise Refused(
                Reason.QUOTE_NOT_FOUND, f"no quote {id_!r}: ask for a new one", {"quote": id_}
            )
        late = self._clock.now() - quote.expire_time
        if late > 0:
            raise Refused(
                Reason.QUOTE_EXPIRED,
                f"quote {id_} expired {late // 1_000_000} ms ago: ask for a new one",
                {"quote": id_},
            )
        return quote


def _limit(spec: pb.SwapSpec) -> SwapLimit | None:
    if spec.limit_price:
        return SwapLimit(parse(spec.limit_price), spec.partial)
    if spec.partial:
        raise invalid("partial", "is for a swap with a limit_price: name one, or leave it out")
    return None


async def _admission(account: str, quote: Quote, venue: SwapVenue) -> Swap:
    """What limits are held against. A swap is worth what the market of its tokens says, where both
    are those of the token list: anybody may make a token of the same symbol."""
    hops = quote.legs[0].hops
    given, got = hops[0].token_in, hops[-1].token_out
    found = None
    if await _is_listed(venue, given) and await _is_listed(venue, got):
        pair = {given.symbol, got.symbol}
        markets = (one for one in venue.instruments.values() if one.trusted)
        found = next((one for one in markets if {one.base, one.quote} == pair), None)
    amounts = {
        given.symbol: from_units(quote.units_in, quote.token_in.decimals),
        got.symbol: from_units(quote.units_out, quote.token_out.decimals),
    }
    return Swap(
        account=account,
        venues=tuple(dict.fromkeys((quote.venue, quote.executor))),
        instrument=found.id if found else "",
        assets=frozenset({*amounts, quote.token_in.symbol, quote.token_out.symbol}),
        quote=found.quote if found else "",
        quantity=amounts[found.base] if found else None,
        notional=amounts[found.quote] if found else None,
        slippage=_slippage(quote),
    )


def _slippage(quote: Quote) -> Decimal:
    """How far a swap may fall behind its quote; one that may be a part has its limit price alone
    to hold it."""
    if quote.limit is None or not quote.limit.partial:
        return quote.slippage
    if quote.exact_in:
        return 1 - Decimal(quote.guaranteed) / Decimal(quote.units_out)
    return Decimal(quote.guaranteed) / Decimal(quote.units_in) - 1


async def _is_listed(venue: SwapVenue, token: Token) -> bool:
    try:
        return (await venue.find_token(token.symbol)).address == token.address
    except CambistError:
        return False
