"""One Solana cluster, behind `core.ports.Network`.

network = SolanaNetwork(info, urls, clock, signer, log)
await network.start()

https://solana.com/docs
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.pubkey import Pubkey
from solders.signature import Signature

from chains.solana import instructions, plans, programs, transfers
from chains.solana.plans import Plan
from chains.solana.pool import RpcPool
from chains.solana.push import Push
from chains.solana.reader import Reader
from chains.solana.sender import TransactionSender, pubkey
from chains.solana.tracker import Tracker
from core.accounts import Balance
from core.clock import SECOND, Clock
from core.errors import Reason, Refused
from core.ports import (
    Condition,
    FeeEstimate,
    FeeOptions,
    NetworkInfo,
    Signer,
    TransactionLog,
)
from core.tokens import Token
from core.transactions import Transaction

# https://solana.com/docs/references/clusters: what `getGenesisHash` must answer, so that a wrong
# url cannot send a test's transfer to the real chain.
_GENESIS = {
    "solana": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    "solana_devnet": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
}
_TOKEN_ACCOUNT_SIZE = 165
_MAX_UNITS = (1 << 64) - 1


class SolanaNetwork:
    """`urls` may hold http(s) and ws(s) addresses: the first answer questions, the others push
    slots and signatures. `tokens` are those known by a list: their symbols come from it. `poll`
    (seconds) is how often pending transactions are asked for; by default every block. `quorum`
    nodes must say the same of balances and of how far a transaction is; `max_fee`, in coins, caps
    what any one may cost; each node is sent `rate` requests a second at most, 0 for no limit."""

    def __init__(
        self,
        info: NetworkInfo,
        urls: Sequence[str],
        clock: Clock,
        signer: Signer,
        log: TransactionLog,
        tokens: Sequence[Token] = (),
        poll: float | None = None,  # float: seconds
        timeout: float = 10.0,  # float: seconds, of one request
        quorum: int = 1,
        max_fee: Decimal | None = None,
        rate: int = 0,
    ) -> None:
        self._info = info
        self._clock = clock
        interval = poll or info.block_time / SECOND  # float: seconds for asyncio
        sockets = [url for url in urls if url.startswith("ws")]
        http = [url for url in urls if url.startswith("http")]
        self._pool = RpcPool(http, clock, _GENESIS.get(info.id, ""), timeout, quorum, rate)
        self._reader = Reader(info, self._pool, tokens)
        self._tracker = Tracker(info, self._pool, log, clock, interval)
        self._push = Push(
            sockets,
            self._tracker.book,
            lambda: self._pool.slot,
            self._tracker.note_pushed,
            self._tracker.note_slot,
            self._tracker.note_signature,
        )
        self._sender = TransactionSender(
            info, self._pool, self._tracker, signer, log, clock, max_fee
        )

    # --- core.ports.Network -------------------------------------------------------------------

    @property
    def info(self) -> NetworkInfo:
        return self._info

    @property
    def condition(self) -> Condition:
        return self._tracker.condition

    @property
    def height(self) -> int:
        """The latest slot seen."""
        return self._tracker.slot

    async def start(self) -> None:
        await self._tracker.start()
        self._push.start()

    async def stop(self) -> None:
        await self._sender.stop()
        await self._push.stop()
        await self._tracker.stop()
        await self._pool.close()

    def is_address(self, text: str) -> bool:
        try:
            Pubkey.from_string(text)
        except ValueError:
            return False
        return True

    async def token(self, address: str) -> Token:
        if not address:
            return self._info.native
        return await self._reader.token(pubkey(address, "token"))

    async def balances(self, address: str, tokens: Sequence[Token]) -> Sequence[Balance]:
        """Tokens as held in the associated accounts, which is where every wallet keeps them;
        `holdings` finds others."""
        for token in tokens:
            self._own(token)
        return await self._reader.balances(pubkey(address, "address"), tokens, self._clock.now())

    async def transfer(
        self, sender: str, to: str, token: Token, units: int, intent: str, fees: FeeOptions
    ) -> Transaction:
        """Makes the receiver's token account where it is missing: the sender pays its rent, which
        is not part of the fee."""
        return await self.transfer_with_memo(sender, to, token, units, intent, fees, "")

    async def transfer_with_memo(
        self,
        sender: str,
        to: str,
        token: Token,
        units: int,
        intent: str,
        fees: FeeOptions,
        memo: str,
    ) -> Transaction:
        """A transfer with a note that everybody can read, as some receivers ask for."""
        self._own(token)
        _positive(units)
        payer, target = pubkey(sender, "sender"), pubkey(to, "to")
        details = {"asset": token.symbol, "token": token.address, "units": str(units), "to": to}
        if transfers.check_memo(memo):
            details["memo"] = memo
        # What an intent has done is told as it was, whatever its accounts are like by now.
        if (earlier := await self._sender.earlier(intent, "transfer")) is not None:
            return earlier
        if token.is_native:
            mine, theirs = await self._reader.accounts([payer, target])
            transfers.check_native(token, target, theirs, mine, units)
            steps = plans.transfer_native(payer, target, units, memo)
        else:
            mint = pubkey(token.address, "token")
            found = await self._reader.accounts(transfers.touched(payer, target, mint))
            terms = transfers.terms(token, target, units, memo, found)
            steps = plans.transfer_token(payer, target, mint, terms, units, token.decimals, memo)
            if terms.fee is not None:
                details["token_fee"] = str(terms.fee)
                details["units_received"] = str(units - terms.fee)
            if terms.creates:
                details["creates_account"] = str(
                    instructions.associated_account(target, mint, terms.program)
                )
        return await self.send(Plan(payer, intent, "transfer", to, steps, details), fees)

    async def wrap(self, sender: str, units: int, intent: str, fees: FeeOptions) -> Transaction:
        _positive(units)
        payer = pubkey(sender, "sender")
        steps = plans.wrap(payer, units)
        details = {"units": str(units)}
        plan = Plan(payer, intent, "wrap", programs.WRAPPED_SOL, steps, details)
        return await self.send(plan, fees)

    async def unwrap(self, sender: str, units: int, intent: str, fees: FeeOptions) -> Transaction:
        _positive(units)
        payer = pubkey(sender, "sender")
        rent = await self._reader.rent(_TOKEN_ACCOUNT_SIZE)
        steps = plans.unwrap(payer, units, rent, intent)
        details = {"units": str(units)}
        plan = Plan(payer, intent, "unwrap", programs.WRAPPED_SOL, steps, details)
        return await self.send(plan, fees)

    async def transaction(self, hash: str) -> Transaction:
        """Ours as it is followed; anybody's as the chain has it."""
        try:
            Signature.from_string(hash)
        except ValueError:
            message = f"{hash[:100]!r} is not a Solana signature (base58 of 64 bytes)"
            raise Refused(Reason.FIELD_INVALID, message, {"field": "hash"}) from None
        known = self._tracker.book.get(hash)
        return known or await self._reader.transaction(hash)

    # --- core.ports.Priced, core.ports.Replaceable --------------------------------------------

    async def estimate_fees(self) -> Sequence[FeeEstimate]:
        """Slow, normal and fast, from what was lately paid anywhere on the cluster. What a
        transaction pays depends on the accounts that it writes to, which may be busier."""
        return await self._sender.estimates()

    async def speed_up(self, hash: str, request: str, fees: FeeOptions) -> Transaction:
        """UNSUPPORTED_BY_VENUE, with the reason."""
        raise self._irreplaceable(hash, "speed_up")

    async def cancel(self, hash: str, request: str, fees: FeeOptions) -> Transaction:
        """UNSUPPORTED_BY_VENUE, with the reason."""
        raise self._irreplaceable(hash, "cancel")

    # --- besides ------------------------------------------------------------------------------

    async def holdings(self, address: str) -> Sequence[Balance]:
        """The coin and every token that an address holds, known beforehand or not."""
        return await self._reader.holdings(pubkey(address, "address"), self._clock.now())

    async def lookup_table(self, address: str) -> AddressLookupTableAccount:
        """For `Plan.tables`: a transaction names what is in it by a byte instead of 32."""
        return await self._reader.lookup_table(pubkey(address, "tables"))

    async def send(self, plan: Plan, fees: FeeOptions) -> Transaction:
        """Simulates, signs, journals, broadcasts. An intent (with its purpose) that is in the log
        already gives that transaction, unless it is proven dead. Refused: nothing was signed."""
        if not plan.intent:
            raise Refused(Reason.FIELD_REQUIRED, "an intent is needed", {"field": "intent"})
        return await self._sender.send(plan, fees)

    def on_transaction(self, callback: Callable[[Transaction], None]) -> Callable[[], None]:
        """Calls back, on the loop, with each change of a transaction of ours, journaled already.
        Returns the unsubscription."""
        return self._tracker.book.subscribe(callback)

    async def wait_included(self, hash: str, timeout: float) -> Transaction:  # float: seconds
        """Once in a confirmed block or otherwise ended; Unconfirmed after `timeout`."""
        return await self._tracker.book.wait_included(hash, timeout)

    def pending(self, address: str) -> Sequence[Transaction]:
        """Transactions of a signer that are not final."""
        return self._tracker.book.pending(address)

    async def poll(self) -> None:
        """Asks for all pending transactions now; runs by itself once started."""
        await self._tracker.poll()

    # ------------------------------------------------------------------------------------------

    def _irreplaceable(self, hash: str, what: str) -> Refused:
        return Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            "Solana's transactions have no nonce by which another could take their place, so a"
            " second one would be a second effect; a pending one is included within a minute or so,"
            " or ends as dropped when its blockhash expires: send the intent anew then, at a higher"
            " price",
            {"venue": self._info.id, "capability": what, "hash": hash[:100]},
        )

    def _own(self, token: Token) -> None:
        if token.network != self._info.id:
            raise _invalid("token", f"{token.symbol} is a token of {token.network}")


def _positive(units: int) -> None:
    if not 0 < units <= _MAX_UNITS:
        raise _invalid("units", "an amount lies between 1 and 2^64 - 1 units")


def _invalid(field: str, message: str) -> Refused:
    return Refused(Reason.FIELD_INVALID, message, {"field": field})
