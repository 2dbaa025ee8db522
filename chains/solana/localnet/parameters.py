"""Reading the parameters of a JSON-RPC call, and saying no as Solana's nodes do.

Error codes: https://github.com/anza-xyz/agave (rpc-client-api, custom_error.rs).
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from solders.hash import Hash, ParseHashError
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction

from chains.solana import base58, programs
from chains.solana.localnet.machine import message_of

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
PREFLIGHT_FAILURE = -32002
SIGNATURE_FAILURE = -32003
BLOCK_NOT_AVAILABLE = -32004
SLOT_SKIPPED = -32009
VERSION_NOT_SUPPORTED = -32015
MIN_CONTEXT_SLOT = -32016

COMMITMENTS = ("processed", "confirmed", "finalized")
# Base58 needs 138 letters for 100 bytes.
_MAX_BASE58 = programs.MAX_TRANSACTION_SIZE * 14 // 10 + 1
_MAX_BASE64 = programs.MAX_TRANSACTION_SIZE * 4 // 3 + 4


class RpcError(Exception):
    """An answer with `error`."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def invalid(message: str) -> RpcError:
    """The parameters are wrong."""
    return RpcError(INVALID_PARAMS, f"Invalid params: {message}")


class Parameters:
    """Positional parameters, the last of which may be an object with options."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._values)

    def at(self, index: int) -> Any:
        """A parameter that must be there."""
        if index >= len(self._values):
            raise invalid(f"`params` should have at least {index + 1} argument(s)")
        return self._values[index]

    def options(self, index: int) -> Mapping[str, Any]:
        """The options at a position; empty if they were left out."""
        value = self._values[index] if index < len(self._values) else None
        if value is None:
            return {}
        if isinstance(value, str):  # some methods take a bare commitment
            return {"commitment": value}
        if not isinstance(value, dict):
            raise invalid(f"expected an object, got {type(value).__name__}")
        return value

    def text(self, index: int) -> str:
        """A text."""
        value = self.at(index)
        if not isinstance(value, str):
            raise invalid(f"invalid type: {type(value).__name__}, expected a string")
        return value

    def integer(self, index: int) -> int:
        """An unsigned 64-bit integer."""
        value = self.at(index)
        if type(value) is not int or not 0 <= value < 1 << 64:
            raise invalid("expected u64")
        return value

    def key(self, index: int) -> Pubkey:
        """An address."""
        return key(self.text(index))

    def listed(self, index: int, limit: int) -> list[str]:
        """A list of texts."""
        value = self.at(index)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise invalid("expected a list of strings")
        if len(value) > limit:
            raise invalid(f"Too many inputs provided; max {limit}")
        return value


def key(text: Any) -> Pubkey:
    """An address."""
    try:
        return Pubkey.from_string(text)
    except (ValueError, TypeError):
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def signature(text: str) -> Signature:
    """A signature."""
    try:
        return Signature.from_string(text)
    except ValueError:
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def blockhash(text: str) -> Hash:
    """A blockhash."""
    try:
        return Hash.from_string(text)
    except (ValueError, ParseHashError):
        raise RpcError(INVALID_PARAMS, "Invalid param: Invalid") from None


def commitment(options: Mapping[str, Any]) -> str:
    """Finalized where none is given, as nodes do."""
    value = options.get("commitment") or "finalized"
    if value not in COMMITMENTS:
        raise invalid(f"unknown commitment {value!r}")
    return str(value)


def transaction(text: str, encoding: str) -> VersionedTransaction:
    """A wire transaction."""
    raw = _bytes(text, encoding, _MAX_BASE58, _MAX_BASE64)
    if len(raw) > programs.MAX_TRANSACTION_SIZE:
        raise RpcError(
            INVALID_PARAMS,
            f"decoded solana_transaction::versioned::VersionedTransaction too large: {len(raw)}"
            f" bytes (max: {programs.MAX_TRANSACTION_SIZE} bytes)",
        )
    try:
        parsed = VersionedTransaction.from_bytes(raw)
        parsed.sanitize()
        message_of(parsed)
    except (ValueError, SanitizeError) as error:
        raise RpcError(
            INVALID_PARAMS,
            f"failed to deserialize solana_transaction::versioned::VersionedTransaction: {error}",
        ) from None
    return parsed


def message_bytes(text: str) -> bytes:
    """A wire message, which this method only takes in base64."""
    return _bytes(text, "base64", 0, _MAX_BASE64)


def _bytes(text: str, encoding: str, max_base58: int, max_base64: int) -> bytes:
    try:
        if encoding == "base58":
            return base58.decode(text, max_base58)
        if encoding == "base64":
            if len(text) > max_base64:
                raise ValueError(f"base64 encoded transaction too large: {len(text)} bytes")
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise RpcError(INVALID_PARAMS, f"invalid {encoding} encoding: {error}") from None
    raise RpcError(INVALID_PARAMS, f"unsupported encoding: {encoding}. Supported: base58, base64")
