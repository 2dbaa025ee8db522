"""Pools and quotes: core -> protobuf."""

from collections.abc import Sequence
from functools import lru_cache

from cambist.v1 import swaps_pb2 as pb
from core import swaps
from core.money import text, units_text
from daemon.codec.chains import token_amount
from daemon.codec.plans import share_hundredths, words
from daemon.codec.scalars import set_time
from daemon.rpc.rules import invalid


def pool(value: swaps.Pool) -> pb.Pool:
    """A pool and what it holds, its market's base first, as everywhere else."""
    reserves = [
        token_amount(value.token0, value.reserve0),
        token_amount(value.token1, value.reserve1),
    ]
    return pb.Pool(
        venue=value.venue,
        address=value.address,
        reserves=reserves[::-1] if value.inverted else reserves,
        fee=text(value.fee),
        block=value.block,
        instrument=value.instrument,
    )


_METHODS = {
    swaps.ApprovalMethod.EXACT: pb.APPROVAL_METHOD_EXACT,
    swaps.ApprovalMethod.UNLIMITED: pb.APPROVAL_METHOD_UNLIMITED,
    swaps.ApprovalMethod.EIP2612: pb.APPROVAL_METHOD_EIP2612,
    swaps.ApprovalMethod.PERMIT2: pb.APPROVAL_METHOD_PERMIT2,
    swaps.ApprovalMethod.PERMIT2_UNLIMITED: pb.APPROVAL_METHOD_PERMIT2_UNLIMITED,
}
_METHODS_BY_WIRE = {wire: method for method, wire in _METHODS.items()}


def approval_method(wire: pb.ApprovalMethod.ValueType) -> swaps.ApprovalMethod:
    """Exact where it is not set; FIELD_INVALID for one that is not known here."""
    if wire == pb.APPROVAL_METHOD_UNSPECIFIED:
        return swaps.ApprovalMethod.EXACT
    found = _METHODS_BY_WIRE.get(wire)
    if found is None:
        raise invalid("approval", "is no way of approving that this version knows", str(wire))
    return found


def quote(
    value: swaps.Quote,
    approval: swaps.Approval | None = None,
    offers: Sequence[swaps.ApprovalOffer] = (),
) -> pb.Quote:
    """A quote, with what must be approved first, and how it could be."""
    exact_in = value.exact_in
    free = value.token_out if exact_in else value.token_in
    message = pb.Quote(
        id=value.id,
        venue=value.venue,
        mode=pb.SWAP_MODE_EXACT_IN if exact_in else pb.SWAP_MODE_EXACT_OUT,
        amount_in=token_amount(value.token_in, value.units_in),
        amount_out=token_amount(value.token_out, value.units_out),
        guaranteed=token_amount(free, value.guaranteed),
        slippage=text(value.slippage),
        price=text(value.price),
        price_impact=text(value.price_impact),
        pools=value.pools,
        block=value.block,
        plan=words(value, approval),
        executor=value.executor,
        gas=value.gas,
    )
    if len(value.legs) == 1:  # it is the whole
        message.legs.add(
            share="1",
            amount_in=message.amount_in,
            amount_out=message.amount_out,
            guaranteed=message.guaranteed,
            hops=[_hop(hop) for hop in value.legs[0].hops],
        )
    else:
        message.legs.extend(_leg(value, leg) for leg in value.legs)
    if value.gas_cost is not None:
        message.gas_cost.CopyFrom(token_amount(free, value.gas_cost))
    if approval is not None:
        message.required_approval.CopyFrom(
            pb.RequiredApproval(
                spender=approval.spender,
                amount=token_amount(approval.token, approval.units),
                method=_METHODS[approval.method],
                by_signature=approval.by_signature,
            )
        )
    if value.limit is not None:
        message.limit_price = text(value.limit.price)
        message.partial = value.limit.partial
        fixed = value.token_in if exact_in else value.token_out
        message.asked_amount.CopyFrom(token_amount(fixed, value.asked))
    for offer in offers:
        message.approvals.add(
            method=_METHODS[offer.method], offered=not offer.why_not, reason=offer.why_not
        )
    set_time(message.create_time, value.create_time)
    set_time(message.expire_time, value.expire_time)
    return message


def _leg(value: swaps.Quote, leg: swaps.Leg) -> pb.SwapLeg:
    free = value.token_out if value.exact_in else value.token_in
    return pb.SwapLeg(
        share=units_text(share_hundredths(value, leg), 4),
        amount_in=token_amount(value.token_in, leg.units_in),
        amount_out=token_amount(value.token_out, leg.units_out),
        guaranteed=token_amount(free, leg.guaranteed),
        hops=[_hop(hop) for hop in leg.hops],
    )


@lru_cache(maxsize=4_096)
def _hop(hop: swaps.Hop) -> pb.SwapHop:
    """Shared by all that pass a pool: do not change it."""
    return pb.SwapHop(
        venue=hop.venue,
        pool=hop.pool,
        token_in=hop.token_in.address,
        token_out=hop.token_out.address,
        fee=text(hop.fee),
    )
