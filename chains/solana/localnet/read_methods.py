"""The RPC methods that read: cluster, accounts, tokens.

Accounts answer with the newest state whatever the commitment, as there is only one fork; slots,
heights, blockhashes and statuses follow it. https://solana.com/docs/rpc/http
"""

from collections.abc import Mapping
from typing import Any

from solders.account import Account
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey
from solders.token.state import Mint

from chains.solana import fees
from chains.solana.localnet import encode_accounts
from chains.solana.localnet import parameters as p
from chains.solana.localnet.chain import Chain
from chains.solana.localnet.parameters import Parameters, RpcError

# A stock client only looks at the shape; the numbers are those of the machine's features.
VERSION = {"solana-core": "3.0.0", "feature-set": 0}
SLOTS_PER_EPOCH = 432_000
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


def valued(chain: Chain, options: Mapping[str, Any], value: Any) -> dict[str, Any]:
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
    epoch, index = divmod(block.slot, SLOTS_PER_EPOCH)
    return {
        "absoluteSlot": block.slot,
        "blockHeight": block.height,
        "epoch": epoch,
        "slotIndex": index,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": chain.store.transaction_count(),
    }


def get_transaction_count(chain: Chain, params: Parameters) -> Any:
    context(chain, params.options(0))
    return chain.store.transaction_count()


def get_latest_blockhash(chain: Chain, params: Parameters) -> Any:
    options = params.options(0)
    block = chain.slots.block(p.commitment(options))
    value = {"blockhash": str(block.blockhash), "lastValidBlockHeight": block.last_valid_height}
    return valued(chain, options, value)


def is_blockhash_valid(chain: Chain, params: Parameters) -> Any:
    valid = chain.slots.valid_until(p.blockhash(params.text(0))) is not None
    return valued(chain, params.options(1), valid)


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
    return valued(chain, params.options(1), fees.of_message(message) if known else None)


def get_recent_fees(chain: Chain, params: Parameters) -> Any:
    top = chain.slots.block().slot
    paid: dict[int, int] = {}
    for slot, price in chain.prices:
        paid[slot] = min(price, paid.get(slot, price))
    slots = range(top - _PRICE_SLOTS + 1, top + 1)
    return [{"slot": slot, "prioritizationFee": paid.get(slot, 0)} for slot in slots]


# --- accounts -------------------------------------------------------------------------------


def encoded(chain: Chain, account: Account | None, options: Mapping[str, Any]) -> Any:
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
    return valued(chain, params.options(1), account.lamports if account else 0)


def get_account_info(chain: Chain, params: Parameters) -> Any:
    options = params.options(1)
    account = chain.machine.account(params.key(0))
    return valued(chain, options, encoded(chain, account, options))


def get_multiple_accounts(chain: Chain, params: Parameters) -> Any:
    keys = [p.key(text) for text in params.listed(0, 100)]
    options = {"encoding": "base64", **params.options(1)}
    accounts = [encoded(chain, chain.machine.account(key), options) for key in keys]
    return valued(chain, options, accounts)


# --- tokens ---------------------------------------------------------------------------------


def mint_at(chain: Chain, address: Pubkey) -> tuple[Mint, Account]:
    account = chain.machine.account(address)
    mint = account and encode_accounts.mint(account)
    if account is None or not mint:
        raise RpcError(p.INVALID_PARAMS, "Invalid param: could not find mint")
    return mint, account


def get_token_account_balance(chain: Chain, params: Parameters) -> Any:
    account = chain.machine.account(params.key(0))
    held = account and encode_accounts.token_account(account)
    if not held:
        raise RpcError(p.INVALID_PARAMS, "Invalid param: could not find account")
    decimals = mint_at(chain, held.mint)[0].decimals
    return valued(chain, params.options(1), encode_accounts.amount(held.amount, decimals))


def get_token_supply(chain: Chain, params: Parameters) -> Any:
    mint, _ = mint_at(chain, params.key(0))
    return valued(chain, params.options(1), encode_accounts.amount(mint.supply, mint.decimals))


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
    "getSlot": get_slot,
    "getTokenAccountBalance": get_token_account_balance,
    "getTokenSupply": get_token_supply,
    "getTransactionCount": get_transaction_count,
    "getVersion": lambda chain, params: VERSION,
    "isBlockhashValid": is_blockhash_valid,
    "minimumLedgerSlot": lambda chain, params: 0,
}
