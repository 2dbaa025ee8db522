"""One EVM network, behind `core.ports.Network`, with what the DEXs need besides.

network = EvmNetwork(info, urls, clock, signer, log)
await network.start()
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from chains.evm import erc20, reading
from chains.evm.codec import checksum, hexadecimal, is_address
from chains.evm.heads import HeadTracker
from chains.evm.model import Block, Call, CallError, Log, Receipt, TransactionPlan
from chains.evm.prepare import simulate
from chains.evm.replacing import Replacer
from chains.evm.rpc import RpcPool
from chains.evm.sender import TransactionSender
from chains.evm.signing import signed_message
from chains.evm.typed_data import TypedData
from chains.evm.watcher import TransactionWatcher
from core.accounts import Balance
from core.clock import SECOND, Clock
from core.errors import Reason, Refused
from core.ports import (
    Allowance,
    Condition,
    FeeEstimate,
    FeeOptions,
    Health,
    NetworkInfo,
    SignatureLog,
    Signer,
    TransactionLog,
)
from core.tokens import Token
from core.transactions import Transaction

_ZERO = "0x" + "0" * 40
_STALE_BLOCKS = 20  # block times without a block before the head counts as stale


class EvmNetwork:
    """`urls` may hold http(s) and ws(s) addresses: the first answer questions, the others push
    heads. `quorum` nodes must say the same of balances and receipts. `poll` (seconds) is how often
    the head is asked for; by default a quarter of a block. `max_fee`, in coins, caps what any one
    transaction may cost; `rate` how many requests a second each node is sent, 0 for any number."""

    def __init__(
        self,
        info: NetworkInfo,
        urls: Sequence[str],
        clock: Clock,
        signer: Signer,
        log: TransactionLog,
        poll: float | None = None,  # float: seconds
        timeout: float = 10.0,  # float: seconds, of one request
        private_urls: Sequence[str] = (),
        quorum: int = 1,
        max_fee: Decimal | None = None,
        rate: int = 0,
    ) -> None:
        self._info = info
        self._clock = clock
        self._signer = signer
        self._log = log
        interval = poll or min(max(info.block_time / SECOND / 4, 0.05), 3.0)  # float: seconds
        http = [url for url in urls if url.startswith("http")]
        push = [url for url in urls if url.startswith("ws")]
        self.rpc = RpcPool(http, info.chain_id, clock, timeout, info.id, private_urls, quorum, rate)
        self._heads = HeadTracker(self.rpc, interval, push)
        self._watcher = TransactionWatcher(
            info, self.rpc, self._heads, log, clock, tick=interval * 4
        )
        self._sender = TransactionSender(
            info, self.rpc, self._heads, self._watcher, signer, log, clock, max_fee
        )
        self._replacer = Replacer(info, self.rpc, self._heads, self._watcher, self._sender, log)
        self._reader = reading.Reader(self.rpc)
        self._tokens: dict[str, Token] = {}
        self._started = clock.now()
        self._head_time = 0
        self._heads.subscribe(self._note_head)

    # -- core.ports.Network

    @property
    def info(self) -> NetworkInfo:
        return self._info

    @property
    def why_unknown(self) -> str:
        """Why the chain's head is not known; empty while it is. Cheap: each quote asks."""
        if self._heads.trouble is not None:
            return self._heads.trouble.message
        return "" if self._heads.head is not None else "no block seen yet"

    @property
    def condition(self) -> Condition:
        if why := self.why_unknown:
            down = self._heads.trouble is not None
            since = self._head_time if down else self._started
            return Condition(Health.DOWN if down else Health.STARTING, why, since)
        if self._is_stale():
            return Condition(Health.DEGRADED, "no new block for long", self._head_time)
        notices = "; ".join([*self.rpc.ranking.strangers, *self._watcher.notices])
        if notices:
            return Condition(Health.DEGRADED, notices, self._head_time)
        return Condition(Health.READY, "", self._head_time)

    @property
    def height(self) -> int:
        return self._heads.head.number if self._heads.head else 0

    @property
    def head(self) -> Block | None:
        """The latest block seen."""
        return self._heads.head

    async def start(self) -> None:
        await self._watcher.start()
        self._heads.start()

    async def stop(self) -> None:
        await self._sender.stop()
        await self._watcher.stop()
        await self._heads.stop()
        await self.rpc.close()

    def is_address(self, text: str) -> bool:
        return is_address(text)

    async def token(self, address: str) -> Token:
        """Read once, then remembered: a token's decimals never change."""
        known = self._tokens.get(self._address(address, "address"))
        if known is None:
            known = await self._reader.token(self._info.id, checksum(address))
            self._tokens[known.address] = known
        return known

    async def balances(self, address: str, tokens: Sequence[Token]) -> Sequence[Balance]:
        """All at one block where Multicall3 is deployed; in one round trip everywhere.
        TOKEN_NOT_FOUND for an address that is no token."""
        owner = self._address(address, "address")
        return await self._reader.balances(self._info.id, owner, tokens, self._clock.now())

    async def transfer(
        self, sender: str, to: str, token: Token, units: int, intent: str, fees: FeeOptions
    ) -> Transaction:
        target = self._address(to, "to")
        _positive(units)
        if token.network != self._info.id:
            raise _invalid("token", token.symbol, f"is a token of {token.network}")
        if target == _ZERO or (token.address and target == checksum(token.address)):
            raise _invalid("to", to, "would lose what is sent there")
        details = {"asset": token.symbol, "token": token.address, "units": str(units), "to": target}
        if token.is_native:
            plan = self._plan(sender, target, b"", units, intent, "transfer", details)
        else:
            data = erc20.transfer(target, units)
            plan = self._plan(sender, token.address, data, 0, intent, "transfer", details)
        return await self.send(plan, fees)

    async def wrap(self, sender: str, units: int, intent: str, fees: FeeOptions) -> Transaction:
        _positive(units)
        details = {"units": str(units)}
        plan = self._plan(sender, self._wrapped(), erc20.deposit(), units, intent, "wrap", details)
        return await self.send(plan, fees)

    async def unwrap(self, sender: str, units: int, intent: str, fees: FeeOptions) -> Transaction:
        _positive(units)
        data = erc20.withdraw(units)
        details = {"units": str(units)}
        plan = self._plan(sender, self._wrapped(), data, 0, intent, "unwrap", details)
        return await self.send(plan, fees)

    async def transaction(self, hash: str) -> Transaction:
        """Ours as it is followed; anybody's as the chain has it."""
        known = self._watcher.get(hash.lower())
        return known or await self._reader.transaction(self._info, hash, self.height)

    # -- core.ports.Replaceable, core.ports.Priced, core.ports.Allowing

    async def speed_up(self, hash: str, request: str, fees: FeeOptions) -> Transaction:
        """The same transaction once more, at a price for which nodes let it take the place."""
        return await self._replacer.speed_up(hash, request, fees)

    async def cancel(self, hash: str, request: str, fees: FeeOptions) -> Transaction:
        """A transaction that does nothing, in the place of a pending one."""
        return await self._replacer.cancel(hash, request, fees)

    async def estimate_fees(self) -> Sequence[FeeEstimate]:
        """Slow, normal and fast, after the latest block."""
        head = await self._heads.known()
        return await self._sender.prices.estimates(head, self._info.native)

    async def allowances(
        self, owner: str, tokens: Sequence[Token], spenders: Sequence[str]
    ) -> Sequence[Allowance]:
        """Those above zero, at one block where Multicall3 is deployed."""
        return await self._reader.allowances(self._address(owner, "owner"), tokens, spenders)

    # -- for the DEXs

    async def multicall(
        self, calls: Sequence[Call], block: str | int = "latest"
    ) -> Sequence[bytes | CallError]:
        """Reads of contracts, in order, in one round trip; a CallError where one reverted."""
        return await self._reader.multicall(calls, block)

    async def logs(
        self,
        from_block: int,
        to_block: int,
        addresses: Sequence[str],
        topics: Sequence[bytes | Sequence[bytes] | None],
    ) -> Sequence[Log]:
        """Events of both blocks and all between, oldest first. `topics` by position: one, a choice
        of several, or None for any."""
        return await self._reader.logs(from_block, to_block, addresses, topics)

    def on_block(self, callback: Callable[[Block], None]) -> Callable[[], None]:
        """Calls back, on the loop, with each block of the canonical chain in order; after a
        reorganisation again from the fork on. Returns the unsubscription."""
        return self._heads.subscribe(callback)

    async def simulate(self, plan: TransactionPlan) -> bytes:
        """What the plan's call would return now; Refused with SIMULATION_FAILED."""
        return await simulate(self.rpc, plan)

    async def send(self, plan: TransactionPlan, fees: FeeOptions) -> Transaction:
        """Simulates, signs, journals, broadcasts. An intent (with its purpose) that is in the log
        already gives that transaction. Refused: nothing was signed; Rejected: no node took it."""
        sender = self._address(plan.sender, "sender")
        plan = replace(plan, sender=sender, to=self._address(plan.to, "to"))
        if not 0 <= plan.value <= erc20.MAX_UINT:
            raise _invalid("value", str(plan.value), "is no amount of the native coin")
        return await self._sender.send(plan, fees)

    async def sign_typed_data(
        self,
        owner: str,
        message: TypedData,
        intent: str,
        words: str,
        details: Mapping[str, str],
    ) -> tuple[int, int, int]:
        """Has structured data signed for a contract of this chain, once the log has it: `words` say
        what the signature allows, `details` has its facts. r, s and parity. Raises Refused."""
        if message.domain.chain_id != self._info.chain_id:
            raise _invalid("chain_id", str(message.domain.chain_id), "is another chain's")
        if isinstance(self._log, SignatureLog):
            digest = {"digest": hexadecimal(message.digest()), "primary_type": message.primary}
            await self._log.signing(self._info.id, owner, intent, words, {**details, **digest})
        return await signed_message(self._signer, owner, message)

    async def receipt(self, hash: str) -> Receipt | None:
        """What a transaction did; None while it is in no block."""
        return await self._reader.receipt(hash)

    def on_transaction(self, callback: Callable[[Transaction], None]) -> Callable[[], None]:
        """Calls back, on the loop, with each change of a transaction of ours, journaled already."""
        return self._watcher.subscribe(callback)

    async def wait_included(self, hash: str, timeout: float) -> Transaction:  # float: seconds
        """Once in a block or otherwise ended; Unconfirmed after `timeout`."""
        return await self._watcher.wait_included(hash, timeout)

    def pending(self, address: str) -> Sequence[Transaction]:
        """Transactions of a signer that are not final."""
        return self._watcher.pending(checksum(address))

    # --

    def _plan(
        self,
        sender: str,
        to: str,
        data: bytes,
        value: int,
        intent: str,
        purpose: str,
        details: dict[str, str],
    ) -> TransactionPlan:
        source = self._address(sender, "sender")
        return TransactionPlan(source, to, data, value, intent, purpose, details)

    def _address(self, text: str, field: str) -> str:
        if not is_address(text):
            raise _invalid(field, text, f"is not an address of {self._info.name}")
        return checksum(text)

    def _wrapped(self) -> str:
        if self._info.wrapped is None:
            raise Refused(
                Reason.UNSUPPORTED_BY_VENUE,
                f"no wrapped {self._info.native.symbol} is known on {self._info.name}",
                {"venue": self._info.id, "capability": "wrap"},
            )
        return self._info.wrapped.address

    def _is_stale(self) -> bool:
        """Blocks of a chain without finality depth come with transactions only: none are late."""
        waited = self._clock.now() - self._head_time
        return self._info.finality_depth > 0 and waited > _STALE_BLOCKS * self._info.block_time

    def _note_head(self, block: Block) -> None:
        self._head_time = self._clock.now()


def _invalid(field: str, value: str, why: str) -> Refused:
    return Refused(
        Reason.FIELD_INVALID,
        f"{field}: {value[:80]!r} {why}",
        {"field": field, "value": value[:80]},
    )


def _positive(units: int) -> None:
    if not 0 < units <= erc20.MAX_UINT:
        raise _invalid("units", str(units), "is not a positive amount of a token")
