"""What may be said of a transaction's fee besides how soon it should be included."""

from dataclasses import dataclass

from cambist.convert import Amount
from cambist.types import FeeStrategy, Route


@dataclass(frozen=True, slots=True)
class FeeOptions:
    """Everything about a fee, wherever a strategy can be given; None leaves it to the daemon."""

    strategy: FeeStrategy | None = None  # How soon.
    max_fee: Amount | None = None  # The most to pay, in the native coin.
    # The most to pay for a unit of gas or computing, in the native coin, instead of a strategy.
    unit_price: Amount | None = None
    priority_price: Amount | None = None  # EVM: the tip within it.
    route: Route | None = None  # Who gets to see it before it is in a block.
