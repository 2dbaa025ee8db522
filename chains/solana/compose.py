"""Messages from plans, each unlike any other that was signed here."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0, to_bytes_versioned

from chains.solana import programs
from chains.solana.plans import Plan
from core.errors import Reason, Refused

_REMEMBERED = 20_000  # messages; a blockhash lives for a minute or so


def message(plan: Plan, steps: Sequence[Instruction], blockhash: Hash) -> MessageV0:
    """A version 0 message. Refused if it would not fit into a packet."""
    made = MessageV0.try_compile(plan.sender, list(steps), list(plan.tables), blockhash)
    size = 1 + 64 * made.header.num_required_signatures + len(to_bytes_versioned(made))
    if size > programs.MAX_TRANSACTION_SIZE:
        raise Refused(
            Reason.SIMULATION_FAILED,
            f"the transaction would have {size} bytes, and {programs.MAX_TRANSACTION_SIZE} is the"
            " most; do less in one",
        )
    return made


class Variants:
    """Numbers messages that would be the same.

    Two intents that ask for the same thing within the life of one blockhash would have the same
    bytes, hence the same signature, and the chain would include one of them: two intents, one
    effect. So each gets a number, by which its compute unit limit differs.
    """

    def __init__(self) -> None:
        self._next: OrderedDict[bytes, int] = OrderedDict()

    def number(self, made: MessageV0) -> int:
        """0 for the first of its kind, then 1, 2, …"""
        key = hashlib.sha256(to_bytes_versioned(made)).digest()
        number = self._next.pop(key, 0)
        self._next[key] = number + 1
        while len(self._next) > _REMEMBERED:
            self._next.popitem(last=False)
        return number


def varied(units: int, number: int) -> int:
    """A compute unit limit that differs by a variant's number."""
    if units + number <= programs.MAX_COMPUTE_UNITS:
        return units + number
    return units - number
