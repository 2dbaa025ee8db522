"""Reading balances, tokens and other people's transactions."""

import base64
from collections.abc import Sequence
from dataclasses import replace

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from chains.solana import instructions, lifecycle, mints, programs
from chains.solana.mints import Mint
from chains.solana.pool import Asker, RpcPool
from chains.solana.transfers import data
from chains.solana.wire import Account, Count, Included, KeyedAccount, Status, Valued
from core.accounts import Balance
from core.errors import Reason, Refused
from core.money import ZERO, from_units
from core.ports import NetworkInfo
from core.tokens import Token
from core.transactions import Transaction, TransactionStatus

_ACCOUNTS = 100  # a request, the RPC's own limit
_METADATA = Pubkey.from_string(programs.METADATA)
_PROGRAMS = tuple(Pubkey.from_string(program) for program in mints.PROGRAMS)
_OPTIONS = {"commitment": "confirmed", "encoding": "base64"}


class Reader:
    """Reads of one network, at commitment "confirmed"."""

    def __init__(self, info: NetworkInfo, pool: RpcPool, known: Sequence[Token]) -> None:
        self._info = info
        self._pool = pool
        self._tokens = {token.address: token for token in known if token.network == info.id}
        self._tokens[""] = info.native
        if info.wrapped is not None:
            self._tokens[info.wrapped.address] = info.wrapped

    def known(self, address: str) -> Token | None:
        """A token of the list, or one that was read already."""
        return self._tokens.get(address)

    async def accounts(self, keys: Sequence[Pubkey]) -> list[Account | None]:
        """Accounts in order; one request for each hundred."""
        found: list[Account | None] = []
        for start in range(0, len(keys), _ACCOUNTS):
            texts = [str(key) for key in keys[start : start + _ACCOUNTS]]
            found += await self._pool.agreed(lambda asker, texts=texts: _read(asker, texts))  # type: ignore[misc]
        return found

    async def lookup_table(self, address: Pubkey) -> AddressLookupTableAccount:
        """A lookup table as it is now. FIELD_INVALID if there is none, or if it is closing."""
        [account] = await self.accounts([address])
        found = account and mints.parse_table(account.owner, data(account))
        if not found:
            raise Refused(
                Reason.FIELD_INVALID,
                f"{address} is no lookup table of {self._info.id}, or one that is being closed",
                {"field": "tables", "value": str(address)},
            )
        return AddressLookupTableAccount(address, [Pubkey(key) for key in found])

    async def rent(self, size: int) -> int:
        """Lamports that make an account of a size rent-exempt."""
        answer: int = await self._pool.call("getMinimumBalanceForRentExemption", [size], Count)
        return answer

    async def token(self, address: Pubkey) -> Token:
        """Decimals from the mint; symbol and name from the list, else as its issuer wrote them on
        the chain. TOKEN_NOT_FOUND if there is no such mint."""
        known = self._tokens.get(str(address))
        if known is not None:
            return known
        metadata_key = Pubkey.find_program_address(
            [b"metadata", bytes(_METADATA), bytes(address)], _METADATA
        )[0]
        account, described = await self.accounts([address, metadata_key])
        mint = _mint(account)
        if account is None or mint is None:
            raise Refused(
                Reason.TOKEN_NOT_FOUND,
                f"{address} is not a token of {self._info.id}: no account of a token program",
                {"token": str(address), "network": self._info.id},
            )
        metadata = mints.metadata_extension(data(account)) or (
            mints.metaplex_metadata(data(described))
            if described is not None and described.owner == programs.METADATA
            else None
        )
        symbol = (metadata and metadata.symbol) or str(address)[:8]
        name = metadata.name if metadata else ""
        token = Token(self._info.id, str(address), symbol, mint.decimals, name)
        self._tokens[token.address] = token
        return token

    async def balances(self, owner: Pubkey, tokens: Sequence[Token], now: int) -> Sequence[Balance]:
        """Of the coin and of tokens in the owner's associated accounts, in one round trip for up
        to 49 tokens. A token that is not held is zero."""
        keys = [owner]
        for token in tokens:
            if not token.is_native:
                mint = Pubkey.from_string(token.address)
                keys += [instructions.associated_account(owner, mint, p) for p in _PROGRAMS]
        found = iter(await self.accounts(keys))
        coin = next(found)
        balances = []
        for token in tokens:
            if token.is_native:
                units = available = coin.lamports if coin else 0
            else:
                held = [_holding(next(found), token) for _ in _PROGRAMS]
                units = sum(units for units, _ in held)
                available = sum(units for units, frozen in held if not frozen)
            balances.append(self._balance(owner, token, units, available, now))
        return balances

    async def holdings(self, owner: Pubkey, now: int) -> Sequence[Balance]:
        """Everything that an address holds: the coin, and each token of both token programs."""
        coin = (await self.accounts([owner]))[0]
        units: dict[str, list[int]] = {}
        for program in mints.PROGRAMS:
            answer: Valued[list[KeyedAccount]] = await self._pool.call(
                "getTokenAccountsByOwner",
                [str(owner), {"programId": program}, _OPTIONS],
                Valued[list[KeyedAccount]],
            )
            for keyed in answer.value:
                holding = mints.parse_holding(keyed.account.owner, data(keyed.account))
                if holding is not None and holding.units:
                    total = units.setdefault(holding.mint, [0, 0])
                    total[0] += holding.units
                    total[1] += 0 if holding.frozen else holding.units
        lamports = coin.lamports if coin else 0
        balances = [self._balance(owner, self._info.native, lamports, lamports, now)]
        for mint, (total_units, available) in units.items():
            token = await self.token(Pubkey.from_string(mint))
            balances.append(self._balance(owner, token, total_units, available, now))
        return balances

    async def transaction(self, hash: str) -> Transaction:
        """Anybody's transaction. TRANSACTION_NOT_FOUND if no node that answers knows it."""
        options = {"searchTransactionHistory": True}

        async def ask(asker: Asker) -> Valued[list[Status | None]]:
            return await asker.listed("getSignatureStatuses", [hash], options, Status)

        answer = await self._pool.with_one(ask)
        status = answer.value[0]
        if status is None and len(self._pool.nodes) > 1:
            # One node may lag, or have forgotten.
            answers = await self._pool.with_all(ask)
            status = lifecycle.furthest([one.value[0] for one in answers])
        if status is None:
            raise Refused(
                Reason.TRANSACTION_NOT_FOUND,
                f"no node of {self._info.id} knows a transaction {hash}",
                {"hash": hash, "network": self._info.id},
            )
        bare = Transaction(self._info.id, "", "", "", hash, b"", TransactionStatus.SEEN)
        followed = lifecycle.follow(bare, status, answer.context.slot, 0)
        included: Included | None = None
        if followed.status is not TransactionStatus.SEEN:
            included = await self._pool.call(
                "getTransaction",
                [hash, {**_OPTIONS, "maxSupportedTransactionVersion": 0}],
                Included | None,
            )
        return followed if included is None else _described(followed, included, self._info)

    def _balance(
        self, owner: Pubkey, token: Token, units: int, available: int, now: int
    ) -> Balance:
        return Balance(
            account=str(owner),
            venue=self._info.id,
            asset=token.symbol,
            total=from_units(units, token.decimals),
            available=from_units(available, token.decimals) if available else ZERO,
            token=token.address,
            units=units,
            update_time=now,
        )


async def _read(asker: Asker, addresses: Sequence[str]) -> list[Account | None]:
    return (await asker.listed("getMultipleAccounts", addresses, _OPTIONS, Account)).value


def _mint(account: Account | None) -> Mint | None:
    return mints.parse_mint(account.owner, data(account)) if account is not None else None


def _holding(account: Account | None, token: Token) -> tuple[int, bool]:
    held = mints.parse_holding(account.owner, data(account)) if account is not None else None
    return (held.units, held.frozen) if held and held.mint == token.address else (0, False)


def _described(transaction: Transaction, included: Included, info: NetworkInfo) -> Transaction:
    raw = base64.b64decode(included.transaction[0])
    payer = VersionedTransaction.from_bytes(raw).message.account_keys[0]
    time = (included.block_time or 0) * 1_000_000_000
    described = replace(
        transaction, raw=raw, address=str(payer), create_time=time, update_time=time
    )
    if included.meta is None:
        return described
    return lifecycle.receipt(described, included.meta, info.native.decimals)
