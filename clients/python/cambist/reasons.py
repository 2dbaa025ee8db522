"""One exception a reason of `error_reason.proto`, each under the family of its gRPC code.

`except cambist.OrderRejected` catches one reason, `except cambist.NotFound` all that name something
unknown, `except cambist.Error` everything. A test holds the classes against the contract.
"""

from cambist.errors import Error


class InvalidArgument(Error):
    """The request is wrong; sending it again cannot help."""


class NotFound(Error):
    """Something that the request names is not there."""


class AlreadyExists(Error):
    """It is there already."""


class Unauthenticated(Error):
    """The call carries no valid token."""


class PermissionDenied(Error):
    """The token does not allow this."""


class FailedPrecondition(Error):
    """The state of something forbids it: an order, a balance, a venue."""


class ResourceExhausted(Error):
    """A limit is used up."""


class Aborted(Error):
    """It was broken off; start it again from where it was."""


class Unavailable(Error):
    """Something that is needed does not answer now."""


class Internal(Error):
    """A fault of the daemon or of a venue. The log has the details under the given id."""


class Unimplemented(Error):
    """The contract has the call, this version does not do it."""


class MalformedRequest(InvalidArgument):
    """The bytes are no valid message."""


class RequestTooLarge(InvalidArgument):
    """The request is larger than the daemon reads."""


class FieldRequired(InvalidArgument):
    """A field that must be set is empty."""


class FieldInvalid(InvalidArgument):
    """A field's value is not allowed."""


class RequestIdReused(AlreadyExists):
    """The request id was used with another body."""


class PageTokenInvalid(InvalidArgument):
    """The page token is not one that this list gave."""


class ResumeTokenInvalid(InvalidArgument):
    """The resume token is not one that this stream gave."""


class VenueNotFound(NotFound):
    """No venue has this id."""


class InstrumentNotFound(NotFound):
    """The venue has no instrument of this id."""


class AccountNotFound(NotFound):
    """No account has this id."""


class OrderNotFound(NotFound):
    """No order has this id."""


class NetworkNotFound(NotFound):
    """No network has this id."""


class WalletNotFound(NotFound):
    """No wallet has this name or address."""


class WalletExists(AlreadyExists):
    """A wallet of this name or address is there already."""


class TokenNotFound(NotFound):
    """The network has no token of this address or symbol."""


class TokenAmbiguous(InvalidArgument):
    """A symbol stands for several tokens."""


class PoolNotFound(NotFound):
    """There is no pool of these tokens or at this address."""


class QuoteNotFound(NotFound):
    """No quote has this id; quotes are forgotten after they expire."""


class PositionNotFound(NotFound):
    """Nobody has such a liquidity position."""


class TransactionNotFound(NotFound):
    """No node and no journal knows this transaction."""


class StartingUp(Unavailable):
    """The daemon or the part that is needed is still starting."""


class ShuttingDown(Unavailable):
    """The daemon is stopping and takes nothing new."""


class NotBuilt(Unimplemented):
    """The contract has the call, this version does not do it yet."""


class RateLimited(ResourceExhausted):
    """A rate limit, ours or the venue's, is used up; RetryInfo tells the delay."""


class JournalUnavailable(Unavailable):
    """The journal cannot be written, so nothing may be sent."""


class WalletsLocked(FailedPrecondition):
    """The wallets are locked."""


class PassphraseWrong(PermissionDenied):
    """The passphrase does not open the wallets."""


class SlowReader(Aborted):
    """The reader fell too far behind a stream that may not drop anything; resume from the last
    token.
    """


class VenueUnavailable(Unavailable):
    """The venue does not answer, or answers with server errors."""


class VenueProtocolError(Internal):
    """The venue sent something that is not in its documentation."""


class VenueAuthenticationFailed(FailedPrecondition):
    """The venue refuses the key or its signature."""


class UnsupportedByVenue(FailedPrecondition):
    """The venue cannot do this."""


class BookNotLive(Unavailable):
    """The order book is not live, so a price guard cannot be checked."""


class ClockSkew(FailedPrecondition):
    """This machine's clock and the venue's differ too much to trade."""


class AccountNotReconciled(Unavailable):
    """The account has not been reconciled with its venue yet."""


class OrderRuleBroken(InvalidArgument):
    """The order breaks a rule of its instrument; nothing was sent."""


class OrderRejected(FailedPrecondition):
    """The venue rejected the order: proof that it never was live."""


class OrderFinal(FailedPrecondition):
    """The order is done; there is nothing to cancel or replace."""


class PostOnlyWouldTake(FailedPrecondition):
    """A post-only order would have taken liquidity."""


class ReduceOnlyWouldIncrease(FailedPrecondition):
    """A reduce-only order would have opened or enlarged a position."""


class InsufficientBalance(FailedPrecondition):
    """The account cannot pay for this."""


class OutcomeUnknown(Unavailable):
    """The call was sent and its outcome is not known yet; the event stream will tell."""


class NodeUnavailable(Unavailable):
    """No node of the network answers."""


class SimulationFailed(FailedPrecondition):
    """The transaction would fail, so it was not sent."""


class TransactionReverted(FailedPrecondition):
    """The transaction was included and failed; its fee was paid."""


class FeeCapExceeded(FailedPrecondition):
    """The transaction would cost more than the caller allows."""


class AllowanceTooLow(FailedPrecondition):
    """The token's owner must approve the spender first."""


class InsufficientLiquidity(FailedPrecondition):
    """The pool or book is not deep enough."""


class SlippageExceeded(FailedPrecondition):
    """The price moved past the limit."""


class QuoteExpired(FailedPrecondition):
    """The quote is too old to be executed."""


class TokenRootNotFound(NotFound):
    """No root of tokens in force has this name."""


class RiskLimitExceeded(FailedPrecondition):
    """A limit of the daemon's own forbids it; nothing was sent."""


class Halted(FailedPrecondition):
    """A halt is in force; cancels pass."""


class SelfTrade(FailedPrecondition):
    """It would trade with an open order of another bot of this daemon."""


class HaltNotFound(NotFound):
    """No halt in force has this id."""


class LeaseNotFound(NotFound):
    """There is no such lease, or it has ended."""


class AccountExists(AlreadyExists):
    """An account has this id already."""


class TransactionFinal(FailedPrecondition):
    """The transaction is in a block or has ended otherwise, so that nothing can take its place."""


class SignerUnavailable(Unavailable):
    """The service that holds a wallet's key does not answer, or will not sign; nothing was sent."""


class SecretsLocked(FailedPrecondition):
    """The store of keys is locked."""
