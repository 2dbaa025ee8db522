"""What went wrong, in words that tell what to do. Pure.

Errors are the JSON of Solana's TransactionError, as simulations, statuses and receipts carry it.
"""

from collections.abc import Sequence
from typing import Any

from core.errors import Reason, Refused

# As the validator's TransactionError displays itself, for the errors that a sender meets.
_WORDS = {
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
}
_NO_MONEY = {"AccountNotFound", "InsufficientFundsForFee", "InvalidAccountForFee"}
_SHORT = ("insufficient lamports", "insufficient funds")
_SHOWN_LOGS = 6


def words(error: Any) -> str:
    """An error as a node says it in a sentence."""
    if isinstance(error, str):
        return _WORDS.get(error, error)
    if not isinstance(error, dict) or len(error) != 1:
        return str(error)[:200]
    name, body = next(iter(error.items()))
    if name == "InsufficientFundsForRent" and isinstance(body, dict):
        index = body.get("account_index")
        return f"Transaction results in an account ({index}) with insufficient funds for rent"
    if name != "InstructionError" or not isinstance(body, list) or len(body) != 2:
        return str(name)
    index, inner = body
    custom = inner.get("Custom") if isinstance(inner, dict) else None
    text = f"custom program error: {custom:#x}" if type(custom) is int else str(inner)
    return f"Error processing Instruction {index}: {text}"


def explain(error: Any, logs: Sequence[str] | None) -> str:
    """An error with the program's own last words, where it had any."""
    said = [line for line in logs or () if not _is_noise(line)]
    return "; ".join([words(error), *said[-1:]])


def preflight(data: object) -> tuple[Any, Sequence[str] | None] | None:
    """Error and logs from the `data` of a node's error, where it says that it has simulated the
    transaction (code -32002); None for any other."""
    if not isinstance(data, dict) or data.get("err") is None:
        return None
    logs = data.get("logs")
    said = [line for line in logs if isinstance(line, str)] if isinstance(logs, list) else None
    return data["err"], said


def simulation_refusal(error: Any, logs: Sequence[str] | None) -> Refused:
    """Why a transaction is not sent: its simulation failed."""
    lines = list(logs or ())
    short = error in _NO_MONEY if isinstance(error, str) else False
    if short or any(sign in line for line in lines for sign in _SHORT):
        reason, hint = Reason.INSUFFICIENT_BALANCE, "the balance does not cover it"
    elif isinstance(error, dict) and "InsufficientFundsForRent" in error:
        reason = Reason.SIMULATION_FAILED
        hint = "an account would hold less than the rent-exempt minimum; send more, or all"
    else:
        reason, hint = Reason.SIMULATION_FAILED, "it would fail; nothing was sent"
    metadata = {
        "revert": explain(error, logs)[:300],
        "error": str(error)[:300],
        "logs": "\n".join(lines[-_SHOWN_LOGS:])[:1500],
    }
    return Refused(reason, f"{explain(error, logs)} ({hint})", metadata)


def _is_noise(line: str) -> bool:
    return line.startswith("Program ") and not line.startswith("Program log: Error")
