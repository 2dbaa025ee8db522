"""Why a call was refused, in words.

https://docs.soliditylang.org/en/latest/control-structures.html#panic-via-assert-and-error-via-require
"""

import re
from collections.abc import Mapping

from chains.evm.abi import bytes_at, selector, uint_at

_ERROR = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
_PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "invalid enum value",
    0x22: "corrupt storage array",
    0x31: "pop of an empty array",
    0x32: "array index out of bounds",
    0x41: "out of memory",
    0x51: "call of an uninitialised function",
}

# How clients say that the execution failed, with or without data.
_FAILED = re.compile(r"revert|opcode|out of gas|evm error|stack (over|under)flow|bad jump", re.I)

# Errors with names that many contracts share: https://eips.ethereum.org/EIPS/eip-6093, permits
# (OpenZeppelin's tokens, Permit2), and Uniswap's Universal Router.
_NAMED = (
    "ERC20InsufficientBalance(address,uint256,uint256)",
    "ERC20InsufficientAllowance(address,uint256,uint256)",
    "ERC20InvalidSender(address)",
    "ERC20InvalidReceiver(address)",
    "ERC20InvalidApprover(address)",
    "ERC20InvalidSpender(address)",
    "ERC2612ExpiredSignature(uint256)",
    "ERC2612InvalidSigner(address,address)",
    "SignatureExpired(uint256)",
    "InvalidNonce()",
    "InvalidSigner()",
    "InvalidSignatureLength()",
    "AllowanceExpired(uint256)",
    "InsufficientAllowance(uint256)",
    "TransactionDeadlinePassed()",
    "V2TooLittleReceived()",
    "V2TooMuchRequested()",
    "V3TooLittleReceived()",
    "V3TooMuchRequested()",
)


def decode(data: bytes) -> str:
    """The reason in revert data; the selector's hex for an error that is not known here."""
    if not data:
        return "reverted without a reason"
    head, body = data[:4], data[4:]
    try:
        if head == _ERROR:
            return bytes_at(body, uint_at(body)).decode("utf-8", "replace")
        if head == _PANIC:
            code = uint_at(body)
            return f"panic 0x{code:02x}: {_PANICS.get(code, 'unknown')}"
    except ValueError:
        return f"malformed revert data 0x{data[:68].hex()}"
    for signature in _NAMED:
        if selector(signature) == head:
            return signature
    return f"custom error 0x{head.hex()}"


def failure(text: str, data: object) -> tuple[str, bytes] | None:
    """Reason and revert data, if a node's error says that the call itself failed; else None."""
    found = data_of(data)
    if found:
        return decode(found), found
    if not _FAILED.search(text):
        return None
    _, _, reason = text.partition("execution reverted: ")
    if reason:
        return reason[:300], b""
    return ("reverted without a reason" if "revert" in text.lower() else text[:300]), b""


def data_of(error: object) -> bytes | None:
    """Revert data in a JSON-RPC error, where each client puts it; None if there is none.

    geth, reth and anvil: `data: "0x…"`; Nethermind: `data: "Reverted 0x…"`; some proxies nest it.
    """
    if isinstance(error, Mapping):
        return data_of(error.get("data"))
    if isinstance(error, str) and "0x" in error:
        try:
            return bytes.fromhex(error[error.index("0x") + 2 :])
        except ValueError:
            return None
    return None
