"""One exception for everything that can go wrong in a way that a bot can act on.

`Reason` mirrors the enum of `proto/cambist/v1/error_reason.proto`, where each has its gRPC code,
its metadata keys, an example and whether a retry can help; a test holds the two together.
"""

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Why a call failed; stable, machine-readable."""

    # the request
    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    FIELD_REQUIRED = "FIELD_REQUIRED"
    FIELD_INVALID = "FIELD_INVALID"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"
    RESUME_TOKEN_INVALID = "RESUME_TOKEN_INVALID"
    # what it names
    VENUE_NOT_FOUND = "VENUE_NOT_FOUND"
    INSTRUMENT_NOT_FOUND = "INSTRUMENT_NOT_FOUND"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    NETWORK_NOT_FOUND = "NETWORK_NOT_FOUND"
    WALLET_NOT_FOUND = "WALLET_NOT_FOUND"
    WALLET_EXISTS = "WALLET_EXISTS"
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND"
    TOKEN_AMBIGUOUS = "TOKEN_AMBIGUOUS"
    POOL_NOT_FOUND = "POOL_NOT_FOUND"
    QUOTE_NOT_FOUND = "QUOTE_NOT_FOUND"
    POSITION_NOT_FOUND = "POSITION_NOT_FOUND"
    TRANSACTION_NOT_FOUND = "TRANSACTION_NOT_FOUND"
    # who asks
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    # the daemon's state
    STARTING_UP = "STARTING_UP"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    NOT_BUILT = "NOT_BUILT"
    RATE_LIMITED = "RATE_LIMITED"
    JOURNAL_UNAVAILABLE = "JOURNAL_UNAVAILABLE"
    WALLETS_LOCKED = "WALLETS_LOCKED"
    PASSPHRASE_WRONG = "PASSPHRASE_WRONG"
    SLOW_READER = "SLOW_READER"
    INTERNAL = "INTERNAL"
    # the venue
    VENUE_UNAVAILABLE = "VENUE_UNAVAILABLE"
    VENUE_PROTOCOL_ERROR = "VENUE_PROTOCOL_ERROR"
    VENUE_AUTHENTICATION_FAILED = "VENUE_AUTHENTICATION_FAILED"
    UNSUPPORTED_BY_VENUE = "UNSUPPORTED_BY_VENUE"
    BOOK_NOT_LIVE = "BOOK_NOT_LIVE"
    CLOCK_SKEW = "CLOCK_SKEW"
    ACCOUNT_NOT_RECONCILED = "ACCOUNT_NOT_RECONCILED"
    # orders
    ORDER_RULE_BROKEN = "ORDER_RULE_BROKEN"
    ORDER_REJECTED = "ORDER_REJECTED"
    ORDER_FINAL = "ORDER_FINAL"
    POST_ONLY_WOULD_TAKE = "POST_ONLY_WOULD_TAKE"
    REDUCE_ONLY_WOULD_INCREASE = "REDUCE_ONLY_WOULD_INCREASE"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    # chains
    NODE_UNAVAILABLE = "NODE_UNAVAILABLE"
    SIMULATION_FAILED = "SIMULATION_FAILED"
    TRANSACTION_REVERTED = "TRANSACTION_REVERTED"
    FEE_CAP_EXCEEDED = "FEE_CAP_EXCEEDED"
    ALLOWANCE_TOO_LOW = "ALLOWANCE_TOO_LOW"
    INSUFFICIENT_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"
    SLIPPAGE_EXCEEDED = "SLIPPAGE_EXCEEDED"
    QUOTE_EXPIRED = "QUOTE_EXPIRED"
    TOKEN_ROOT_NOT_FOUND = "TOKEN_ROOT_NOT_FOUND"
    RISK_LIMIT_EXCEEDED = "RISK_LIMIT_EXCEEDED"
    HALTED = "HALTED"
    SELF_TRADE = "SELF_TRADE"
    HALT_NOT_FOUND = "HALT_NOT_FOUND"
    LEASE_NOT_FOUND = "LEASE_NOT_FOUND"
    ACCOUNT_EXISTS = "ACCOUNT_EXISTS"
    SECRETS_LOCKED = "SECRETS_LOCKED"
    TRANSACTION_FINAL = "TRANSACTION_FINAL"
    SIGNER_UNAVAILABLE = "SIGNER_UNAVAILABLE"


class CambistError(Exception):
    """A failure with a reason. `message` says what to do next where there is something to do.

    `metadata` goes to the client as it is: names and numbers, the venue's own code and text, never
    a secret. `retry_after` is in nanoseconds, None when no delay is known.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        metadata: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class Refused(CambistError):
    """Nothing left the daemon: a rule, a state or a limit of ours said no."""


class Rejected(CambistError):
    """The venue or the chain said no: proof that the intent had no effect."""


class Unconfirmed(CambistError):
    """Sent, or perhaps sent, and no proof either way. Never to be taken for a rejection."""
