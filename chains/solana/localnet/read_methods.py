"""The RPC methods that read: cluster, accounts, tokens, transactions.

Accounts answer with the newest state whatever the commitment, as there is only one fork; slots,
heights, blockhashes and statuses follow it. https://solana.com/docs/rpc/http
"""

import json
from collections.abc import Mapping
from typing import Any

from solders.account import Account
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey
from solders.token.state import Mint
from solders.transaction import VersionedTransaction

from chains.solana import fees
from chains.solana.localnet import encode_accounts, encode_transactions
from chains.solana.localnet import parameters as p
from chains.solana.localnet.chain import Chain
from chains.solana.localnet.parameters import Parameters, RpcError

# A stock client only looks at the shape; the numbers are those of the machine's features.
VERSION = {"solana-core": "3.0.0", "feature-set": 0}
_SLOTS_PER_EPOCH = 432_000
_STATUS_CACHE = 300  # slots for which statuses are known without searching the history
_PRICE_SLOTS = 150


def context(chain: Chain, options: Mapping[str, Any]) -> dict[str, Any]:
    """The context of an answer, after checking `minContextSlot`."""
    slot = chain.slots.block(p.commitment(options)).slot
    least = options.get("minContextSlot")
    if type(least) is int and slot < least:
        raise RpcError(
            p.MIN_CONTEXT_SLOT, "Minimum context slot has not been reached", {"contextSlot": slot}
        )
    return {"apiVersion": VERSION["solana-core"], "slot": slot}


def _valued(chain: Chain, options: Mapping[str, Any], value: Any) -> dict[str, Any]:
    return {"context": context(chain, options), "value": value}


# --- cluster --------------------------------------------------------------------------------


def get_slot(chain: Chain, params: Parameters) -> Any:
    return context(chain, params.options(0))["slot"]


def get_block_height(chain: Chain, params: Parameters) -> Any:
    context(chain, params.options(0))
    return chain.slots.block(p.commitment(params.options(0))).height


def get_block_time(chain: Chain, params: Parameters) -> Any:
    slot = params.integer(0)
    if slot > chain.slots.block().slot:
        raise RpcError(p.BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    return chain.slots.unix_time(slot)


def get_epoch_info(chain: Chain, params: Parameters) -> Any:
    block = chain.slots.block(p.commitment(params.options(0)))
    epoch, index = divmod(block.slot, _SLOTS_PER_EPOCH)
    return {
        "absoluteSlot": block.slot,
        "blockHeight": block.height,
        "epoch": epoch,
        "slotIndex": index,
        "slotsInEpoch": _SLOTS_PER_EPOCH,
        "transactionCount": chain.store.transaction_count(),
    }


def get_transaction_count(chain: Chain, params: Parameters) -> Any:
    context(chain, params.options(0))
    return chain.store.transaction_count()


def get_latest_blockhash(chain: Chain, params: Parameters) -> Any:
    options = params.options(0)
    block = chain.slots.block(p.commitment(options))
    value = {"blockhash": str(block.blockhash), "lastValidBlockHeight": block.last_valid_height}
    return _valued(chain, options, value)


def is_blockhash_valid(chain: Chain, params: Parameters) -> Any:
    valid = chain.slots.valid_until(p.blockhash(params.text(0))) is not None
    return _valued(chain, params.options(1), valid)


def get_rent(chain: Chain, params: Parameters) -> Any:
    return chain.machine.rent(min(params.integer(0), 10 * 1024 * 1024))


def get_fee_for_message(chain: Chain, params: Parameters) -> Any:
    try:
        message = from_bytes_versioned(p.message_bytes(params.text(0)))
    except ValueError as error:
        raise p.invalid(str(error)) from None
    if not isinstance(message, Message | MessageV0):
        raise p.invalid("only legacy and version 0 messages are supported")
    known = chain.slots.valid_until(message.recent_blockhash) is not None
    return _valued(chain, params.options(1), fees.of_message(message) if known else None)


def get_recent_fees(chain: Chain, params: Parameters) -> Any:
    top = chain.slots.block().slot
    paid: dict[int, int] = {}
    for slot, price in chain.prices:
        paid[slot] = min(price, paid.get(slot, price))
    slots = range(top - _PRICE_SLOTS + 1, top + 1)
    return [{"slot": slot, "prioritizationFee": paid.get(slot, 0)} for slot in slots]


# --- accounts -------------------------------------------------------------------------------


def _account(chain: Chain, account: Account | None, options: Mapping[str, Any]) -> Any:
    if account is None:
        return None
    window = options.get("dataSlice")
    cut = (window["offset"], window["length"]) if isinstance(window, dict) else None
    encoding = options.get("encoding") or "binary"
    try:
        return encode_accounts.account(account, encoding, chain.decimals(account), cut)
    except KeyError:
        raise p.invalid(f"unsupported encoding {encoding!r}") from None


def get_balance(chain: Chain, params: Parameters) -> Any:
    account = chain.machine.account(params.key(0))
    return _valued(chain, params.options(1), account.lamports if account else 0)


def get_account_info(chain: Chain, params: Parameters) -> Any:
    options = params.options(1)
    account = chain.machine.account(params.key(0))
    return _valued(chain, options, _account(chain, account, options))


def get_multiple_accounts(chain: Chain, params: Parameters) -> Any:
    keys = [p.key(text) for text in params.listed(0, 100)]
    options = {"encoding": "base64", **params.options(1)}
    accounts = [_account(chain, chain.machine.account(key), options) for key in keys]
    return _valued(chain, options, accounts)


# --- tokens ---------------------------------------------------------------------------------


def _mint(chain: Chain, address: Pubkey) -> tuple[Mint, Account]:
    account = chain.machine.account(address)
    mint = account and encode_accounts.mint(account)
    if account is None or not mint:
        raise RpcError(p.INVALID_PARAMS, "Invalid param: could not find mint")
    return mint, account


def get_token_accounts_by_owner(chain: Chain, params: Parameters) -> Any:
    owner, chosen, options = params.key(0), params.at(1), params.options(2)
    if not isinstance(chosen, dict) or not {"mint", "programId"} & set(chosen):
        raise p.invalid("expected `mint` or `programId`")
    mint = p.key(chosen["mint"]) if "mint" in chosen else None
    program = _mint(chain, mint)[1].owner if mint else p.key(chosen["programId"])
    if str(program) not in encode_accounts.TOKEN_PROGRAMS:
        raise RpcError(p.INVALID_PARAMS, "Invalid param: unrecognized Token program id")
    found = []
    for address, account in chain.machine.owned_by(program):
        held = encode_accounts.token_account(account)
        if held is not None and held.owner == owner and mint in (None, held.mint):
            found.append({"pubkey": str(address), "account": _account(chain, account, options)})
    return _valued(chain, options, found)


def get_token_account_balance(chain: Chain, params: Parameters) -> Any:
    account = chain.machine.account(params.key(0))
    held = account and encode_accounts.token_account(account)
    if not held:
        raise RpcError(p.INVALID_PARAMS, "Invalid param: could not find account")
    decimals = _mint(chain, held.mint)[0].decimals
    return _valued(chain, params.options(1), encode_accounts.amount(held.amount, decimals))


def get_token_supply(chain: Chain, params: Parameters) -> Any:
    mint, _ = _mint(chain, params.key(0))
    return _valued(chain, params.options(1), encode_accounts.amount(mint.supply, mint.decimals))


# --- transactions ---------------------------------------------------------------------------


def get_signature_statuses(chain: Chain, params: Parameters) -> Any:
    signatures = [str(p.signature(text)) for text in params.listed(0, 256)]
    search = params.options(1).get("searchTransactionHistory") is True
    statuses = [_status(chain, signature, search) for signature in signatures]
    return _valued(chain, {"commitment": "processed"}, statuses)


def _status(chain: Chain, signature: str, search: bool) -> Any:
    found = chain.store.status(signature)
    if found is None:
        return None
    slot, error = found[0], json.loads(found[1])
    if not search and slot < chain.slots.block().slot - _STATUS_CACHE:
        return None
    return {
        "slot": slot,
        "confirmations": None if _reached(chain, slot, "finalized") else _depth(chain, slot),
        "err": error,
        "status": {"Ok": None} if error is None else {"Err": error},
        "confirmationStatus": next(
            level for level in reversed(p.COMMITMENTS) if _reached(chain, slot, level)
        ),
    }


def _depth(chain: Chain, slot: int) -> int:
    return chain.slots.block().slot - slot


def _reached(chain: Chain, slot: int, commitment: str) -> bool:
    return slot <= chain.slots.block(commitment).slot


def get_transaction(chain: Chain, params: Parameters) -> Any:
    options = params.options(1)
    if isinstance(params.options(1).get("commitment"), str) and len(options) == 1:
        options = {"encoding": "json", **options}
    commitment = p.commitment(options)
    if commitment == "processed":
        raise p.invalid("Method does not support commitment below `confirmed`")
    found = chain.store.transaction(str(p.signature(params.text(0))))
    if found is None or not _reached(chain, found[0], commitment):
        return None
    slot, time, raw, meta = found
    transaction = VersionedTransaction.from_bytes(raw)
    version = transaction.version()
    supported = options.get("maxSupportedTransactionVersion")
    if type(version) is int and (type(supported) is not int or supported < version):
        raise RpcError(
            p.VERSION_NOT_SUPPORTED,
            f"Transaction version ({version}) is not supported by the requesting client. Please"
            " try the request again with the following configuration parameter:"
            f' "maxSupportedTransactionVersion": {version}',
        )
    document, encoding = json.loads(meta), options.get("encoding") or "json"
    try:
        encoded = encode_transactions.transaction(
            transaction, raw, encoding, encode_transactions.loaded(document)
        )
    except KeyError:
        raise p.invalid(f"unsupported encoding {encoding!r}") from None
    answer = {"slot": slot, "blockTime": time, "transaction": encoded, "meta": document}
    if encoding == "jsonParsed":
        document.pop("loadedAddresses")
    if supported is not None:
        answer["version"] = version if type(version) is int else "legacy"
    return answer


METHODS = {
    "getAccountInfo": get_account_info,
    "getBalance": get_balance,
    "getBlockHeight": get_block_height,
    "getBlockTime": get_block_time,
    "getEpochInfo": get_epoch_info,
    "getFeeForMessage": get_fee_for_message,
    "getFirstAvailableBlock": lambda chain, params: 0,
    "getGenesisHash": lambda chain, params: str(chain.genesis),
    "getHealth": lambda chain, params: "ok",
    "getLatestBlockhash": get_latest_blockhash,
    "getMinimumBalanceForRentExemption": get_rent,
    "getMultipleAccounts": get_multiple_accounts,
    "getRecentPrioritizationFees": get_recent_fees,
    "getSignatureStatuses": get_signature_statuses,
    "getSlot": get_slot,
    "getTokenAccountBalance": get_token_account_balance,
    "getTokenAccountsByOwner": get_token_accounts_by_owner,
    "getTokenSupply": get_token_supply,
    "getTransaction": get_transaction,
    "getTransactionCount": get_transaction_count,
    "getVersion": lambda chain, params: VERSION,
    "isBlockhashValid": is_blockhash_valid,
    "minimumLedgerSlot": lambda chain, params: 0,
}
