"""Transactions and their errors as JSON of Solana's RPC. Pure.

https://solana.com/docs/rpc/json-structures
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from solders.instruction import CompiledInstruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from chains.solana import base58
from chains.solana.localnet import encode_accounts
from chains.solana.localnet.machine import Loaded, message_of


def error(value: Any) -> Any:
    """A transaction's error as the RPC spells it: text, or an object with one key."""
    name = type(value).__name__.removeprefix("TransactionError")
    if name == "Fieldless":
        return str(value).rpartition(".")[2]
    if name == "InstructionError":
        index, inner = json.loads(value.to_json())
        return {"InstructionError": [index, {"Custom": inner} if type(inner) is int else inner]}
    if name == "DuplicateInstruction":
        return {name: value.index}
    return {name: {"account_index": value.account_index}}


def loaded(meta: Mapping[str, Any]) -> Loaded:
    """The addresses from lookup tables, back from a transaction's stored meta."""
    addresses = meta["loadedAddresses"]
    return Loaded(
        tuple(Pubkey.from_string(text) for text in addresses["writable"]),
        tuple(Pubkey.from_string(text) for text in addresses["readonly"]),
    )


def inner_instructions(meta: TransactionMetadata) -> list[dict[str, Any]]:
    """The instructions that programs called, grouped by the outer one."""
    return [
        {
            "index": index,
            "instructions": [
                _instruction(call.instruction(), call.stack_height()) for call in calls
            ],
        }
        for index, calls in enumerate(meta.inner_instructions())
        if calls
    ]


def _instruction(compiled: CompiledInstruction, height: int | None) -> dict[str, Any]:
    return {
        "programIdIndex": compiled.program_id_index,
        "accounts": list(compiled.accounts),
        "data": base58.encode(bytes(compiled.data)),
        "stackHeight": height,
    }


def transaction(value: VersionedTransaction, raw: bytes, encoding: str, taken: Loaded) -> Any:
    """A transaction in one of the RPC's encodings; KeyError for one that is not supported.

    In "jsonParsed", instructions are left partially decoded, as a node does for programs that it
    has no parser for.
    """
    if encoding in ("base58", "base64", "binary"):
        return encode_accounts.account_data(raw, encoding)
    message = message_of(value)
    if encoding == "json":
        body = _raw_message(message)
    elif encoding == "jsonParsed":
        body = _parsed_message(message, taken)
    else:
        raise KeyError(encoding)
    return {"signatures": [str(signature) for signature in value.signatures], "message": body}


def _raw_message(message: Message | MessageV0) -> dict[str, Any]:
    header = message.header
    body: dict[str, Any] = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_instruction(each, None) for each in message.instructions],
    }
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = _lookups(message)
    return body


def _lookups(message: MessageV0) -> list[dict[str, Any]]:
    return [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(lookup.writable_indexes),
            "readonlyIndexes": list(lookup.readonly_indexes),
        }
        for lookup in message.address_table_lookups
    ]


def _parsed_message(message: Message | MessageV0, taken: Loaded) -> dict[str, Any]:
    keys = [*message.account_keys, *taken.writable, *taken.readonly]
    body: dict[str, Any] = {
        "accountKeys": [
            {
                "pubkey": str(key),
                "signer": index < message.header.num_required_signatures,
                "writable": is_writable(message, index, len(taken.writable)),
                "source": "transaction" if index < len(message.account_keys) else "lookupTable",
            }
            for index, key in enumerate(keys)
        ],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_partly(each, keys) for each in message.instructions],
    }
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = _lookups(message)
    return body


def _partly(compiled: CompiledInstruction, keys: Sequence[Pubkey]) -> dict[str, Any]:
    return {
        "programId": str(keys[compiled.program_id_index]),
        "accounts": [str(keys[index]) for index in bytes(compiled.accounts)],
        "data": base58.encode(bytes(compiled.data)),
        "stackHeight": None,
    }


def is_writable(message: Message | MessageV0, index: int, loaded_writable: int) -> bool:
    """Whether a message asks to write to the account at an index."""
    header, static = message.header, len(message.account_keys)
    if index >= static:
        return index < static + loaded_writable
    signed = header.num_required_signatures
    if index < signed:
        return index < signed - header.num_readonly_signed_accounts
    return index < static - header.num_readonly_unsigned_accounts
