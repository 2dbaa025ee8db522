"""The RPC methods about what was: signatures, transactions, blocks.

https://solana.com/docs/rpc/http
"""

import json
from collections.abc import Mapping
from typing import Any

from solders.transaction import VersionedTransaction

from chains.solana import programs
from chains.solana.localnet import encode_transactions
from chains.solana.localnet import parameters as p
from chains.solana.localnet.chain import Chain
from chains.solana.localnet.machine import message_of
from chains.solana.localnet.parameters import Parameters, RpcError
from chains.solana.localnet.read_methods import context, valued
from chains.solana.localnet.slots import SKIPPED_SLOTS
from chains.solana.localnet.store import Row

_STATUS_CACHE = 300  # slots for which statuses are known without searching the history
_MAX_SIGNATURES = 1_000
_MAX_BLOCKS = 500_000


def get_signature_statuses(chain: Chain, params: Parameters) -> Any:
    signatures = [str(p.signature(text)) for text in params.listed(0, 256)]
    search = params.options(1).get("searchTransactionHistory") is True
    statuses = [_status(chain, signature, search) for signature in signatures]
    return valued(chain, {"commitment": "processed"}, statuses)


def _status(chain: Chain, signature: str, search: bool) -> Any:
    found = chain.store.status(signature)
    if found is None:
        return None
    slot, error = found[0], json.loads(found[1])
    top = chain.slots.block().slot
    if not search and slot < top - _STATUS_CACHE:
        return None
    return {
        "slot": slot,
        "confirmations": None if reached(chain, slot, "finalized") else top - slot,
        "err": error,
        "status": {"Ok": None} if error is None else {"Err": error},
        "confirmationStatus": _level(chain, slot),
    }


def _level(chain: Chain, slot: int) -> str:
    return next(level for level in reversed(p.COMMITMENTS) if reached(chain, slot, level))


def reached(chain: Chain, slot: int, commitment: str) -> bool:
    """Whether a slot has a commitment."""
    return slot <= chain.slots.block(commitment).slot


def _settled(options: Mapping[str, Any]) -> str:
    commitment = p.commitment(options)
    if commitment == "processed":
        raise p.invalid("Method does not support commitment below `confirmed`")
    return commitment


def get_transaction(chain: Chain, params: Parameters) -> Any:
    options = _with_encoding(params, 1)
    commitment = _settled(options)
    found = chain.store.transaction(str(p.signature(params.text(0))))
    if found is None or not reached(chain, found.slot, commitment):
        return None
    return {"slot": found.slot, "blockTime": found.time, **_document(found, options)}


def _with_encoding(params: Parameters, index: int) -> Mapping[str, Any]:
    """A bare text is an encoding here, and a commitment elsewhere."""
    options = params.options(index)
    bare = options.get("commitment")
    if len(options) == 1 and isinstance(bare, str) and bare not in p.COMMITMENTS:
        return {"encoding": bare}
    return options


def _document(found: Row, options: Mapping[str, Any]) -> dict[str, Any]:
    transaction = VersionedTransaction.from_bytes(found.raw)
    version = transaction.version()
    supported = options.get("maxSupportedTransactionVersion")
    if type(version) is int and (type(supported) is not int or supported < version):
        raise RpcError(
            p.VERSION_NOT_SUPPORTED,
            f"Transaction version ({version}) is not supported by the requesting client. Please"
            " try the request again with the following configuration parameter:"
            f' "maxSupportedTransactionVersion": {version}',
        )
    document, encoding = json.loads(found.meta), options.get("encoding") or "json"
    try:
        encoded = encode_transactions.transaction(
            transaction, found.raw, encoding, encode_transactions.loaded(document)
        )
    except KeyError:
        raise p.invalid(f"unsupported encoding {encoding!r}") from None
    if encoding == "jsonParsed":
        document.pop("loadedAddresses")
    answer = {"transaction": encoded, "meta": document}
    if supported is not None:
        answer["version"] = version if type(version) is int else "legacy"
    return answer


def get_signatures_for_address(chain: Chain, params: Parameters) -> Any:
    options = params.options(1)
    commitment = _settled(options)
    context(chain, options)
    limit = options.get("limit")
    limit = _MAX_SIGNATURES if limit is None else limit
    if type(limit) is not int or not 0 < limit <= _MAX_SIGNATURES:
        raise p.invalid(f"Invalid limit; max {_MAX_SIGNATURES}")
    edges = [options.get(name) for name in ("before", "until")]
    before, until = (None if one is None else str(p.signature(one)) for one in edges)
    top = chain.slots.block(commitment).slot
    rows = chain.store.mentioning(str(params.key(0)), top, before, until, limit)
    return [
        {
            "signature": row.signature,
            "slot": row.slot,
            "err": json.loads(row.error),
            "memo": memo(VersionedTransaction.from_bytes(row.raw)),
            "blockTime": row.time,
            "confirmationStatus": _level(chain, row.slot),
        }
        for row in rows
    ]


def memo(transaction: VersionedTransaction) -> str | None:
    """The memos of a transaction, each with its length, as nodes show them."""
    message = message_of(transaction)
    keys = message.account_keys
    notes = [
        bytes(each.data)
        for each in message.instructions
        if str(keys[each.program_id_index]) == programs.MEMO
    ]
    shown = [f"[{len(note)}] {note.decode(errors='replace')}" for note in notes]
    return "; ".join(shown) or None


# --- blocks ---------------------------------------------------------------------------------


def _height(chain: Chain, slot: int, commitment: str) -> int:
    if not reached(chain, slot, commitment):
        raise RpcError(p.BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    height = slot - SKIPPED_SLOTS
    if height < 0:
        text = f"Slot {slot} was skipped, or missing in long-term storage"
        raise RpcError(p.SLOT_SKIPPED, text)
    return height


def get_block(chain: Chain, params: Parameters) -> Any:
    options = _with_encoding(params, 1)
    slot = params.integer(0)
    height = _height(chain, slot, _settled(options))
    details = options.get("transactionDetails") or "full"
    block = {
        "blockhash": str(chain.slots.at(height).blockhash),
        "previousBlockhash": str(chain.slots.at(max(height - 1, 0)).blockhash),
        "parentSlot": max(slot - 1, 0),
        "blockHeight": height,
        "blockTime": chain.slots.unix_time(slot),
    }
    if options.get("rewards") is not False:
        block["rewards"] = []
    rows = chain.store.in_slot(slot)
    if details == "full":
        block["transactions"] = [_document(row, options) for row in rows]
    elif details == "signatures":
        block["signatures"] = [row.signature for row in rows]
    elif details != "none":
        raise p.invalid(f"unsupported transactionDetails {details!r}")
    return block


def get_blocks(chain: Chain, params: Parameters) -> Any:
    """The last parameters may be an end and options, or either."""
    start = params.integer(0)
    given = params.at(1) if params.count > 1 else None
    options = params.options(2) if type(given) is int or given is None else params.options(1)
    top = chain.slots.block(_settled(options)).slot
    end = min(given, top) if type(given) is int else top
    if end - start > _MAX_BLOCKS:
        raise p.invalid(f"Slot range too large; max {_MAX_BLOCKS}")
    return list(range(max(start, SKIPPED_SLOTS), end + 1))


def get_blocks_with_limit(chain: Chain, params: Parameters) -> Any:
    start, limit = params.integer(0), params.integer(1)
    if limit > _MAX_BLOCKS:
        raise p.invalid(f"Limit too large; max {_MAX_BLOCKS}")
    first = max(start, SKIPPED_SLOTS)
    top = chain.slots.block(_settled(params.options(2))).slot
    return list(range(first, min(first + limit, top + 1)))


METHODS = {
    "getBlock": get_block,
    "getBlocks": get_blocks,
    "getBlocksWithLimit": get_blocks_with_limit,
    "getSignatureStatuses": get_signature_statuses,
    "getSignaturesForAddress": get_signatures_for_address,
    "getTransaction": get_transaction,
}
