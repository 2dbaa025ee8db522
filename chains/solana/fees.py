"""What a transaction costs: signatures, and compute units times their price. Pure.

https://solana.com/docs/core/fees
"""

from collections.abc import Iterable, Sequence

from solders.message import Message, MessageV0

from chains.solana import programs

# A simulation may run a little shorter than the block does: state moves in between.
_MARGIN_PERCENT = 10
_MARGIN_UNITS = 500
# Percentile of the recent prices for the accounts that a transaction writes to.
_PERCENTILE = {"slow": 25, "normal": 60, "fast": 90}
# What a price may be at most without an explicit cap, in micro-lamports a unit: a transfer of
# 30,000 units then costs 0.0003 SOL in priority. One bad sample must not empty a wallet.
_DEFAULT_PRICE_CAP = 10_000_000
_MICRO = 1_000_000
MICRO_DECIMALS = 6  # prices are in millionths of a lamport
MAX_PRICE = (1 << 64) - 1  # micro-lamports, what the instruction can hold
# A transfer of the coin and the two instructions of its budget: 150 each.
TRANSFER_UNITS = 450


def strategies() -> Iterable[str]:
    """The names that `FeeOptions.strategy` can have here."""
    return _PERCENTILE


def unit_limit(consumed: int) -> int:
    """The compute unit limit to ask for after a simulation."""
    limit = consumed + consumed * _MARGIN_PERCENT // 100 + _MARGIN_UNITS
    return min(limit, programs.MAX_COMPUTE_UNITS)


def unit_price(recent: Sequence[int], strategy: str) -> int:
    """Micro-lamports a compute unit, from recent prices (in any order); 0 where nobody pays."""
    if not recent:
        return 0
    ordered = sorted(recent)
    index = (len(ordered) - 1) * _PERCENTILE[strategy] // 100
    return min(ordered[index], _DEFAULT_PRICE_CAP)


def total(signatures: int, units: int, micro_lamports: int) -> int:
    """The whole fee in lamports; the priority part is rounded up."""
    priority = -(-units * micro_lamports // _MICRO)
    return signatures * programs.LAMPORTS_PER_SIGNATURE + priority


def of_message(message: Message | MessageV0) -> int:
    """The fee of a message as the chain computes it, from its compute budget instructions."""
    price, limit, default = 0, None, 0
    keys = message.account_keys
    for instruction in message.instructions:
        program = str(keys[instruction.program_id_index])
        default += 3_000 if program in programs.BUILTIN else 200_000
        data = bytes(instruction.data)
        if program == programs.COMPUTE_BUDGET and data[:1] == b"\2" and len(data) == 5:
            limit = int.from_bytes(data[1:], "little")
        if program == programs.COMPUTE_BUDGET and data[:1] == b"\3" and len(data) == 9:
            price = int.from_bytes(data[1:], "little")
    units = min(default if limit is None else limit, programs.MAX_COMPUTE_UNITS)
    return total(message.header.num_required_signatures, units, price)


def price_of(message: Message | MessageV0) -> int:
    """The compute unit price that a message offers, in micro-lamports."""
    keys = message.account_keys
    for instruction in message.instructions:
        data = bytes(instruction.data)
        if str(keys[instruction.program_id_index]) == programs.COMPUTE_BUDGET and data[:1] == b"\3":
            return int.from_bytes(data[1:9], "little")
    return 0
