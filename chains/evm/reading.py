"""Reads of the chain: contracts many at a time, balances, token metadata, events, receipts."""

from collections.abc import Mapping, Sequence
from typing import Any

from chains.evm import erc20, model, multicall
from chains.evm.abi import WORD, text_at, uint_at
from chains.evm.codec import checksum, hexadecimal, integer, is_hash, quantity, unhex
from chains.evm.lifecycle import Observation, follow
from chains.evm.look import as_receipt
from chains.evm.model import Call, CallError, Log, Receipt
from chains.evm.quorum import Disagreement
from chains.evm.reverts import failure
from chains.evm.rpc import RpcPool
from chains.nodes import Answer, NodeError, parsed
from chains.tokens.words import plain_name, plain_symbol
from core.accounts import Balance
from core.errors import CambistError, Reason, Refused
from core.money import from_units
from core.ports import Allowance, NetworkInfo
from core.tokens import Token
from core.transactions import Transaction, TransactionStatus

_AGGREGATE_LIMIT = 500  # reads in one call: what public nodes let a call cost is enough for it
_AGGREGATE_FROM = 3  # calls; for fewer a batch costs no more
_TOO_WIDE = ("range", "too many", "more than", "limit", "response size")


class Reader:
    """Stateless but for one fact: whether Multicall3 is deployed."""

    def __init__(self, rpc: RpcPool) -> None:
        self._rpc = rpc
        self._has_multicall: bool | None = None

    async def multicall(
        self, calls: Sequence[Call], block: str | int = "latest", agreed: bool = False
    ) -> list[bytes | CallError]:
        """One round trip: an aggregate3 where the contract is deployed, a batch elsewhere. With
        `agreed`, as many nodes must say the same as the pool's quorum is."""
        ask = self._rpc.agreed if agreed else self._rpc.batch
        at = block if isinstance(block, str) else quantity(block)
        if len(calls) >= _AGGREGATE_FROM and await self._aggregates():
            try:
                aggregate = Call(multicall.ADDRESS, multicall.encode(calls))
                (answer,) = await ask([("eth_call", [_wire(aggregate), at])])
                return multicall.decode(parsed(unhex, answer, "result"), len(calls))
            except Disagreement:
                raise
            except (NodeError, ValueError):
                # One call that burns all gas spoils an aggregate; single calls still answer.
                pass
        requests = [("eth_call", [_wire(call), at]) for call in calls]
        return [_result(answer) for answer in await ask(requests)]

    async def balances(
        self, network: str, owner: str, tokens: Sequence[Token], now: int
    ) -> list[Balance]:
        units = await self._units(owner, tokens)
        return [
            Balance(
                account=owner,
                venue=network,
                asset=token.symbol,
                total=from_units(amount, token.decimals),
                available=from_units(amount, token.decimals),
                token=token.address,
                units=amount,
                update_time=now,
            )
            for token, amount in zip(tokens, units, strict=True)
        ]

    async def _units(self, owner: str, tokens: Sequence[Token]) -> list[int]:
        if len(tokens) >= _AGGREGATE_FROM and await self._aggregates():
            calls = [
                multicall.eth_balance(owner)
                if token.is_native
                else Call(token.address, erc20.balance_of(owner))
                for token in tokens
            ]
            results = await self.multicall(calls, agreed=True)
        else:
            questions: list[tuple[str, list[Any]]] = [
                ("eth_getBalance", [owner, "latest"])
                if token.is_native
                else ("eth_call", [_wire(Call(token.address, erc20.balance_of(owner))), "latest"])
                for token in tokens
            ]
            results = [
                _native(answer) if token.is_native else _result(answer)
                for token, answer in zip(tokens, await self._rpc.agreed(questions), strict=True)
            ]
        return [_amount(token, result) for token, result in zip(tokens, results, strict=True)]

    async def allowances(
        self, owner: str, tokens: Sequence[Token], spenders: Sequence[str]
    ) -> list[Allowance]:
        """Those above zero, in as few reads as may be. A contract that does not answer as tokens do
        allows nothing that could be shown, and is left out."""
        pairs = [
            (token, spender) for token in tokens for spender in spenders if not token.is_native
        ]
        found = []
        for start in range(0, len(pairs), _AGGREGATE_LIMIT):
            part = pairs[start : start + _AGGREGATE_LIMIT]
            answers = await self.multicall(
                [Call(token.address, erc20.allowance(owner, spender)) for token, spender in part]
            )
            for (token, spender), answer in zip(part, answers, strict=True):
                if isinstance(answer, bytes) and len(answer) == WORD and uint_at(answer):
                    found.append(Allowance(token, checksum(spender), uint_at(answer)))
        return found

    async def token(self, network: str, address: str) -> Token:
        """TOKEN_NOT_FOUND unless the contract tells its decimals, without which no amount of it can
        be named. One without a symbol goes by the beginning of its address."""
        reads = (erc20.decimals(), erc20.symbol(), erc20.name())
        decimals, symbol, name = await self.multicall([Call(address, data) for data in reads])
        try:
            if isinstance(decimals, CallError):
                raise ValueError("it does not tell its decimals")
            if uint_at(decimals) > 77:
                raise ValueError("its decimals are out of range")
        except ValueError as error:
            raise _no_token(network, address, str(error)) from error
        short = plain_symbol(_words(symbol)) or address[:10]
        return Token(network, address, short, uint_at(decimals), plain_name(_words(name)))

    async def logs(
        self,
        from_block: int,
        to_block: int,
        addresses: Sequence[str],
        topics: Sequence[bytes | Sequence[bytes] | None],
    ) -> list[Log]:
        """A range that is too wide for the node is asked for in halves."""
        query = {
            "fromBlock": quantity(from_block),
            "toBlock": quantity(to_block),
            "address": list(addresses),
            "topics": [_topic(topic) for topic in topics],
        }
        try:
            answer = await self._rpc.call("eth_getLogs", [query])
        except NodeError as error:
            wide = any(word in error.text.lower() for word in _TOO_WIDE)
            if from_block >= to_block or not wide:
                raise
            middle = (from_block + to_block) // 2
            first = await self.logs(from_block, middle, addresses, topics)
            return first + await self.logs(middle + 1, to_block, addresses, topics)
        return parsed(lambda wires: [model.log(wire) for wire in wires], answer, "events")

    async def receipt(self, hash: str) -> Receipt | None:
        return as_receipt((await self._rpc.agreed([("eth_getTransactionReceipt", [hash])]))[0])

    async def transaction(self, info: NetworkInfo, hash: str, height: int) -> Transaction:
        """Anybody's transaction; TRANSACTION_NOT_FOUND if the nodes know none by that hash."""
        if not is_hash(hash):
            raise Refused(
                Reason.FIELD_INVALID, f"hash: {hash[:80]!r} is no hash", {"field": "hash"}
            )
        wire, receipt, head = await self._rpc.batch(
            [
                ("eth_getTransactionByHash", [hash]),
                ("eth_getTransactionReceipt", [hash]),
                ("eth_blockNumber", []),
            ]
        )
        if not isinstance(wire, dict):
            if isinstance(wire, NodeError):
                raise wire
            raise CambistError(
                Reason.TRANSACTION_NOT_FOUND,
                f"{info.name} knows no transaction {hash}",
                {"hash": hash, "network": info.id},
            )
        seen = parsed(lambda found: _foreign(info.id, hash, found), wire, "transaction")
        known = as_receipt(receipt)
        if known is None:
            return seen
        top = parsed(integer, head, "head")
        observation = Observation(max(height, top, known.block), receipt=known)
        return follow(seen, observation, info.finality_depth, info.native.decimals, 0)[-1]

    async def _aggregates(self) -> bool:
        if self._has_multicall is None:
            code = await self._rpc.call("eth_getCode", [multicall.ADDRESS, "latest"])
            self._has_multicall = isinstance(code, str) and len(code) > 2
        return self._has_multicall


def _foreign(network: str, hash: str, wire: Mapping[str, Any]) -> Transaction:
    """A transaction that was not sent from here, as far as the chain tells."""
    return Transaction(
        network=network,
        address=checksum(wire["from"]),
        intent="",
        purpose="",
        hash=hash.lower(),
        raw=b"",
        status=TransactionStatus.SEEN,
        nonce=integer(wire["nonce"]),
        to=checksum(wire["to"]) if wire.get("to") else "",
    )


def _wire(call: Call) -> dict[str, str]:
    return {"to": call.to, "data": hexadecimal(call.data)}


def _result(answer: Answer) -> bytes | CallError:
    """A refusal by the contract as a CallError; a refusal by the node is raised."""
    if isinstance(answer, NodeError):
        failed = failure(answer.text, answer.data)
        if failed is None:
            raise answer
        return CallError(*failed)
    return parsed(unhex, answer, "result")


def _native(answer: Answer) -> bytes:
    return parsed(integer, answer, "balance").to_bytes(32, "big")


def _amount(token: Token, result: bytes | CallError) -> int:
    """Nothing but a word is a balance: an address without code answers with nothing, not zero."""
    if isinstance(result, CallError) or len(result) < 32:
        raise _no_token(token.network, token.address, "it does not tell a balance")
    return uint_at(result)


def _words(answer: bytes | CallError) -> str:
    """A symbol or a name; "" where there is none: both are optional in EIP-20."""
    try:
        return "" if isinstance(answer, CallError) else text_at(answer)
    except ValueError:
        return ""


def _no_token(network: str, address: str, why: str) -> CambistError:
    return CambistError(
        Reason.TOKEN_NOT_FOUND,
        f"{address} is not a token of {network}: {why}",
        {"network": network, "token": address},
    )


def _topic(topic: bytes | Sequence[bytes] | None) -> str | list[str] | None:
    if topic is None or isinstance(topic, bytes):
        return None if topic is None else hexadecimal(topic)
    return [hexadecimal(one) for one in topic]
