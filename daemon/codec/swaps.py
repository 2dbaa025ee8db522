"""Pools and quotes: core -> protobuf."""

from cambist.v1 import swaps_pb2 as pb
from core import swaps
from core.money import from_units, text
from daemon.codec.chains import token_amount
from daemon.codec.scalars import set_time


def pool(value: swaps.Pool) -> pb.Pool:
    """A pool and what it holds."""
    return pb.Pool(
        venue=value.venue,
        address=value.address,
        reserves=[
            token_amount(value.token0, value.reserve0),
            token_amount(value.token1, value.reserve1),
        ],
        fee=text(value.fee),
        block=value.block,
        instrument=value.instrument,
    )


def quote(value: swaps.Quote, approval: swaps.Approval | None = None) -> pb.Quote:
    """A quote, with what must be approved first."""
    exact_in = value.exact_in
    message = pb.Quote(
        id=value.id,
        venue=value.venue,
        mode=pb.SWAP_MODE_EXACT_IN if exact_in else pb.SWAP_MODE_EXACT_OUT,
        amount_in=token_amount(value.token_in, value.units_in),
        amount_out=token_amount(value.token_out, value.units_out),
        guaranteed=token_amount(value.token_out if exact_in else value.token_in, value.guaranteed),
        slippage=text(value.slippage),
        price=text(value.price),
        price_impact=text(value.price_impact),
        pools=value.pools,
        block=value.block,
        plan=_plan(value, approval),
    )
    if approval is not None:
        message.required_approval.CopyFrom(
            pb.RequiredApproval(
                spender=approval.spender, amount=token_amount(approval.token, approval.units)
            )
        )
    set_time(message.create_time, value.create_time)
    set_time(message.expire_time, value.expire_time)
    return message


def _plan(value: swaps.Quote, approval: swaps.Approval | None) -> str:
    given = f"{text(from_units(value.units_in, value.token_in.decimals))} {value.token_in.symbol}"
    got = f"{text(from_units(value.units_out, value.token_out.decimals))} {value.token_out.symbol}"
    steps = [f"approve {approval.token.symbol} for {approval.spender}"] if approval else []
    through = "1 pool" if len(value.pools) == 1 else f"{len(value.pools)} pools"
    steps.append(f"swap {given} for {got} through {through} of {value.venue}")
    bound = text(
        from_units(
            value.guaranteed,
            value.token_out.decimals if value.exact_in else value.token_in.decimals,
        )
    )
    steps.append(f"at least {bound} out" if value.exact_in else f"at most {bound} in")
    return "; ".join(steps)
