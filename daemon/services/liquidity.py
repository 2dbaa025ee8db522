"""LiquidityService: positions in pools."""

from decimal import Decimal

from cambist.v1 import liquidity_pb2 as pb
from core.errors import Reason, Refused
from core.liquidity import Liquidity, LiquiditySpec, LiquidityVenue
from core.money import parse, to_units
from core.ports import Network
from core.swaps import SwapVenue
from daemon.codec import chains as chains_codec
from daemon.codec import liquidity as codec
from daemon.codec.chains import fee_options
from daemon.codec.swaps import approval_method
from daemon.registry import Registry
from daemon.risk.desk import RiskDesk
from daemon.rpc.paging import paginate
from daemon.rpc.rules import invalid
from daemon.wallets import Wallets

DEFAULT_SLIPPAGE = Decimal("0.005")


class LiquidityService:
    """Decodes, asks the venue's liquidity, encodes."""

    def __init__(self, registry: Registry, wallets: Wallets, risk: RiskDesk) -> None:
        self._registry = registry
        self._wallets = wallets
        self._risk = risk

    async def list_liquidity_positions(
        self, request: pb.ListLiquidityPositionsRequest
    ) -> pb.ListLiquidityPositionsResponse:
        """Of a wallet or any address."""
        liquidity, network = self._of(request.venue)
        _, owner = self._wallets.resolve(network, request.wallet)
        page, token = paginate(
            list(await liquidity.positions(owner)),
            lambda position: position.id.zfill(80),
            f"liquidity/{request.venue}/{owner}",
            request.page_size,
            request.page_token,
        )
        return pb.ListLiquidityPositionsResponse(
            positions=[codec.position(one) for one in page], next_page_token=token
        )

    async def get_liquidity_position(
        self, request: pb.GetLiquidityPositionRequest
    ) -> pb.GetLiquidityPositionResponse:
        """One, whoever has it."""
        liquidity, network = self._of(request.venue)
        owner = self._owner(network, request.wallet)
        found = await liquidity.position(request.position, owner)
        return pb.GetLiquidityPositionResponse(position=codec.position(found))

    async def quote_add_liquidity(
        self, request: pb.QuoteAddLiquidityRequest
    ) -> pb.QuoteAddLiquidityResponse:
        """What adding would take and give."""
        liquidity, _ = self._of(request.liquidity.venue)
        quote = await liquidity.quote_add(await self._spec(request.liquidity))
        return pb.QuoteAddLiquidityResponse(
            amounts=codec.amounts(quote.amounts),
            liquidity=str(quote.liquidity),
            block=quote.block,
        )

    async def quote_remove_liquidity(
        self, request: pb.QuoteRemoveLiquidityRequest
    ) -> pb.QuoteRemoveLiquidityResponse:
        """What removing would give."""
        liquidity, network = self._of(request.venue)
        owner = self._owner(network, request.wallet)
        quote = await liquidity.quote_remove(request.position, owner, parse(request.fraction))
        return pb.QuoteRemoveLiquidityResponse(
            amounts=codec.amounts(quote.amounts), block=quote.block
        )

    async def add_liquidity(self, request: pb.AddLiquidityRequest) -> pb.AddLiquidityResponse:
        """Opens or increases a position."""
        liquidity, network = self._of(request.liquidity.venue)
        spec = await self._spec(request.liquidity)
        owner = self._wallets.signing_address(network, request.wallet)
        self._admit(network, request.wallet, request.liquidity.venue, spec.slippage)
        sent = await liquidity.add(
            spec,
            request.position,
            owner,
            request.request_id,
            fee_options(request.fees),
            approval_method(request.approval),
        )
        return pb.AddLiquidityResponse(transaction=chains_codec.transaction(sent))

    async def remove_liquidity(
        self, request: pb.RemoveLiquidityRequest
    ) -> pb.RemoveLiquidityResponse:
        """Takes a part out, or closes the position."""
        liquidity, network = self._of(request.venue)
        owner = self._wallets.signing_address(network, request.wallet)
        slippage = _slippage(request.slippage)
        self._admit(network, request.wallet, request.venue, slippage, reduces=True)
        sent = await liquidity.remove(
            request.position,
            owner,
            parse(request.fraction),
            slippage,
            request.request_id,
            fee_options(request.fees),
            approval_method(request.approval),
        )
        return pb.RemoveLiquidityResponse(transaction=chains_codec.transaction(sent))

    async def collect_fees(self, request: pb.CollectFeesRequest) -> pb.CollectFeesResponse:
        """Pays what a position has earned."""
        liquidity, network = self._of(request.venue)
        owner = self._wallets.signing_address(network, request.wallet)
        self._admit(network, request.wallet, request.venue, None, reduces=True)
        sent = await liquidity.collect(
            request.position, owner, request.request_id, fee_options(request.fees)
        )
        return pb.CollectFeesResponse(transaction=chains_codec.transaction(sent))

    # --

    def _of(self, venue: str) -> tuple[Liquidity, Network]:
        found = self._registry.swap_venue(venue)
        if not isinstance(found, LiquidityVenue):
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"{venue} takes no liquidity",
                {"venue": venue, "capability": "liquidity"},
            )
        return found.liquidity, self._registry.network(found.info.network)

    def _owner(self, network: Network, wallet: str) -> str:
        return self._wallets.resolve(network, wallet)[1] if wallet else ""

    def _admit(
        self,
        network: Network,
        wallet: str,
        venue: str,
        slippage: Decimal | None,
        reduces: bool = False,
    ) -> None:
        """Raises HALTED or PERMISSION_DENIED."""
        name, _ = self._wallets.resolve(network, wallet)
        self._risk.admit_transaction(name, venue, slippage=slippage, reduces=reduces)

    async def _spec(self, message: pb.LiquiditySpec) -> LiquiditySpec:
        venue = self._registry.swap_venue(message.venue)
        base, quote = await _decimals(venue, message.pool)
        prices = None
        if message.HasField("range"):
            prices = parse(message.range.lower_price), parse(message.range.upper_price)
        return LiquiditySpec(
            pool=message.pool,
            base_units=_units(message.base_amount, base, "base_amount"),
            quote_units=_units(message.quote_amount, quote, "quote_amount"),
            range=prices,
            slippage=_slippage(message.slippage),
        )


async def _decimals(venue: SwapVenue, pool: str) -> tuple[int, int]:
    """Of base and quote."""
    known = venue.instruments.get(pool)
    found = await venue.pool(known.venue_symbol if known else pool)
    instrument = venue.instruments[found.instrument]
    both = {found.token0.symbol: found.token0, found.token1.symbol: found.token1}
    if len(both) == 1:  # two tokens of one symbol: as the instrument's steps have them
        return -int(instrument.quantity_step.adjusted()), found.token1.decimals
    return both[instrument.base].decimals, both[instrument.quote].decimals


def _units(amount: str, decimals: int, field: str) -> int:
    try:
        units = to_units(parse(amount), decimals)
    except ValueError:
        raise invalid(field, f"has more than the token's {decimals} decimals", amount) from None
    if units >= 1 << 256:
        raise invalid(field, "is more than a token can count", amount)
    return units


def _slippage(text: str) -> Decimal:
    slippage = parse(text) if text else DEFAULT_SLIPPAGE
    if slippage >= 1:
        raise invalid("slippage", "must be below 1: at 1 anything would be accepted")
    return slippage
