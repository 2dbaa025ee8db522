"""The log of what happened."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cambist.types.accounts import Balance, FundingPayment, Position
from cambist.types.chains import Transaction
from cambist.types.trading import Fill, Order


@dataclass(frozen=True, slots=True)
class AccountNotice:
    """Something of an account that an operator should know."""

    account: str  # The account.
    kind: str  # What: "connected", "disconnected", "reconciled", "difference", "external_order".
    message: str  # In words.
    details: Mapping[str, str]  # The facts by name.


PAYLOADS = (
    "order",
    "fill",
    "balance",
    "position",
    "funding_payment",
    "transaction",
    "account_notice",
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the log."""

    sequence: int  # Its number: the log's first is 1, each is one more than the one before.
    time: datetime | None  # When the daemon wrote it.
    order: Order | None  # An order is now so.
    fill: Fill | None  # A fill of ours.
    balance: Balance | None  # A balance is now so.
    position: Position | None  # A position is now so.
    funding_payment: FundingPayment | None  # A funding payment.
    transaction: Transaction | None  # A transaction is now so.
    account_notice: AccountNotice | None  # Something of an account that an operator should know.

    @property
    def kind(self) -> str:
        """The name of the payload's field: "order", "fill", "balance" and so on."""
        for name in PAYLOADS:
            if getattr(self, name) is not None:
                return name
        return "unknown"

    @property
    def payload(
        self,
    ) -> Order | Fill | Balance | Position | FundingPayment | Transaction | AccountNotice | None:
        """What happened; None for a kind that this client does not know yet."""
        return (
            self.order
            or self.fill
            or self.balance
            or self.position
            or self.funding_payment
            or self.transaction
            or self.account_notice
        )
