"""Liquidity positions and quotes: core -> protobuf."""

from cambist.v1 import chains_pb2
from cambist.v1 import liquidity_pb2 as pb
from core import liquidity
from core.money import text
from daemon.codec.chains import token_amount


def position(value: liquidity.LiquidityPosition) -> pb.LiquidityPosition:
    """A position, what it is worth and what it has earned."""
    message = pb.LiquidityPosition(
        venue=value.venue,
        id=value.id,
        pool=value.pool,
        owner=value.owner,
        liquidity=str(value.liquidity),
        amounts=amounts(value.amounts),
        uncollected_fees=amounts(value.uncollected),
        in_range=value.in_range,
    )
    if value.range is not None:
        lower, upper = value.range
        message.range.CopyFrom(pb.PriceRange(lower_price=text(lower), upper_price=text(upper)))
    return message


def amounts(value: liquidity.TokenPair) -> list[chains_pb2.TokenAmount]:
    """Both tokens' amounts, the base of the pool's market first, as everywhere else."""
    both = [token_amount(value.token0, value.units0), token_amount(value.token1, value.units1)]
    return both[::-1] if value.inverted else both
