"""Networks, tokens and transactions: core <-> protobuf."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from cambist.v1 import chains_pb2 as pb
from core import ports
from core.errors import Reason, Refused
from core.money import parse, text, to_units, units_text
from core.tokens import Token
from core.transactions import Transaction
from daemon.codec.scalars import duration, set_time, text_or_none
from daemon.codec.venues import condition

_FAMILIES = {"evm": pb.CHAIN_FAMILY_EVM, "solana": pb.CHAIN_FAMILY_SOLANA}
_STRATEGIES = {
    pb.FEE_STRATEGY_SLOW: "slow",
    pb.FEE_STRATEGY_NORMAL: "normal",
    pb.FEE_STRATEGY_FAST: "fast",
}

_ROUTES = {pb.ROUTE_UNSPECIFIED: "", pb.ROUTE_PUBLIC: "public", pb.ROUTE_PRIVATE: "private"}


def family(name: str) -> pb.ChainFamily.ValueType:
    """The wire's name of "evm" and "solana"."""
    return _FAMILIES[name]


def family_name(value: pb.ChainFamily.ValueType) -> str:
    """The core's name of a family."""
    return {number: name for name, number in _FAMILIES.items()}[value]


@lru_cache(maxsize=4_096)
def token(value: Token) -> pb.Token:
    """A token; shared by all that name it: do not change it."""
    return pb.Token(
        network=value.network,
        address=value.address,
        symbol=value.symbol,
        decimals=value.decimals,
        name=value.name,
    )


def token_amount(value: Token, units: int) -> pb.TokenAmount:
    """An amount, in whole tokens and exactly."""
    return pb.TokenAmount(
        token=token(value), amount=units_text(units, value.decimals), units=str(units)
    )


def units_of(amount: str, value: Token, field: str) -> int:
    """The smallest units in an amount of whole tokens; Refused when it is finer than they are."""
    try:
        units = to_units(parse(amount), value.decimals)
    except ValueError:
        raise Refused(
            Reason.FIELD_INVALID,
            f"{field} {amount} has more decimals than {value.symbol} has ({value.decimals})",
            {"field": field, "value": amount},
        ) from None
    if units >= 1 << 256:
        raise Refused(
            Reason.FIELD_INVALID,
            f"{field} {amount} is more than a token can count",
            {"field": field, "value": amount},
        )
    return units


def fee_options(message: pb.FeeOptions, usual: str = "normal") -> ports.FeeOptions:
    """How much a transaction may cost; `usual` is the strategy where none is named."""
    strategy = message.strategy
    named = strategy != pb.FEE_STRATEGY_UNSPECIFIED
    return ports.FeeOptions(
        strategy=_STRATEGIES[strategy] if named else usual,
        max_fee=_amount(message.max_fee),
        unit_price=_amount(message.unit_price),
        priority_price=_amount(message.priority_price),
        route=_ROUTES[message.route],
    )


def fee_estimate(value: ports.FeeEstimate) -> pb.FeeEstimate:
    """A fee at one speed."""
    return pb.FeeEstimate(
        strategy=next(number for number, name in _STRATEGIES.items() if name == value.strategy),
        transfer_fee=text(value.transfer_fee),
        unit_price=text(value.unit_price),
        priority_price=text_or_none(value.priority_price) or "",
        base_price=text_or_none(value.base_price) or "",
        data_fee=text_or_none(value.data_fee) or "",
    )


def _amount(number: str) -> Decimal | None:
    return parse(number) if number else None


def network(value: ports.Network) -> pb.Network:
    """A network and how it is."""
    info = value.info
    return pb.Network(
        id=info.id,
        name=info.name,
        family=family(info.family),
        chain_id=info.chain_id,
        native=token(info.native),
        wrapped=None if info.wrapped is None else token(info.wrapped),
        testnet=info.testnet,
        explorer_url=info.explorer,
        block_time=duration(info.block_time),
        finality_depth=info.finality_depth,
        condition=condition(value.condition),
        height=value.height,
    )


def transaction(
    value: Transaction, infos: Mapping[str, ports.NetworkInfo] | None = None
) -> pb.Transaction:
    """A transaction; with `infos` also where an explorer shows it."""
    message = pb.Transaction(
        network=value.network,
        hash=value.hash,
        address=value.address,
        intent=value.intent,
        purpose=value.purpose,
        status=pb.TransactionStatus.ValueType(value.status.value),
        nonce=value.nonce,
        to=value.to,
        succeeded=value.succeeded,
        block=value.block,
        fee=text_or_none(value.fee),
        reason=value.reason,
        details=value.details,
    )
    info = infos.get(value.network) if infos else None
    if info and info.explorer:
        place, mark, cluster = info.explorer.partition("?")
        message.explorer_url = f"{place.rstrip('/')}/tx/{value.hash}{mark}{cluster}"
    set_time(message.create_time, value.create_time)
    set_time(message.update_time, value.update_time)
    return message
