"""Accounts and token amounts as JSON of Solana's RPC. Pure.

https://solana.com/docs/rpc/json-structures
"""

import base64
from typing import Any

from solders.account import Account
from solders.token.state import Mint, TokenAccount, TokenAccountState

from chains.solana import base58, programs

TOKEN_PROGRAMS = {programs.TOKEN: "spl-token", programs.TOKEN_2022: "spl-token-2022"}
_RENT_EPOCH = (1 << 64) - 1
_ACCOUNT_SIZE, _MINT_SIZE = 165, 82
_TYPE_OFFSET = 165  # of Token-2022's account type byte: 1 is a mint, 2 an account
_STATES = ("uninitialized", "initialized", "frozen")


def token_account(account: Account) -> TokenAccount | None:
    """An account of either token program that holds tokens; None for any other account."""
    data = bytes(account.data)
    if str(account.owner) not in TOKEN_PROGRAMS or len(data) < _ACCOUNT_SIZE:
        return None
    if len(data) > _ACCOUNT_SIZE and data[_TYPE_OFFSET] != 2:
        return None
    parsed = TokenAccount.from_bytes(data[:_ACCOUNT_SIZE])
    return None if parsed.state == TokenAccountState.Uninitialized else parsed


def mint(account: Account) -> Mint | None:
    """A mint of either token program; None for any other account."""
    data = bytes(account.data)
    if str(account.owner) not in TOKEN_PROGRAMS or len(data) < _MINT_SIZE:
        return None
    if len(data) != _MINT_SIZE and (len(data) <= _TYPE_OFFSET or data[_TYPE_OFFSET] != 1):
        return None
    parsed = Mint.from_bytes(data[:_MINT_SIZE])
    return parsed if parsed.is_initialized else None


def amount(units: int, decimals: int) -> dict[str, Any]:
    """A token amount. `uiAmount` is a float by the RPC's definition; nothing of ours reads it."""
    whole, part = divmod(units, 10**decimals)
    text = f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".") if decimals else str(whole)
    ui = float(text)  # float: the RPC's own field
    return {"amount": str(units), "decimals": decimals, "uiAmount": ui, "uiAmountString": text}


def account_data(data: bytes, encoding: str) -> Any:
    """Bytes in one of the RPC's encodings; KeyError for an encoding that is not supported."""
    if encoding == "binary":  # the oldest: a bare text
        return base58.encode(data)
    if encoding == "base58":
        return [base58.encode(data), encoding]
    if encoding == "base64":
        return [base64.b64encode(data).decode(), encoding]
    raise KeyError(encoding)


def account(
    value: Account, encoding: str, decimals: int | None, window: tuple[int, int] | None = None
) -> dict[str, Any]:
    """An account. `decimals` are those of a token account's mint; `window` is offset, length."""
    data = bytes(value.data)
    encoded: Any
    if encoding == "jsonParsed":
        encoded = _parsed(value, decimals) or account_data(data, "base64")
    else:
        cut = data if window is None else data[window[0] : window[0] + window[1]]
        encoded = account_data(cut, encoding)
    return {
        "data": encoded,
        "executable": value.executable,
        "lamports": value.lamports,
        "owner": str(value.owner),
        "rentEpoch": _RENT_EPOCH,
        "space": len(data),
    }


def _parsed(value: Account, decimals: int | None) -> dict[str, Any] | None:
    info: dict[str, Any]
    if (found := mint(value)) is not None:
        kind, info = "mint", _mint_info(found)
    elif (held := token_account(value)) is not None and decimals is not None:
        kind, info = "account", _token_info(held, decimals)
    else:
        return None
    program = TOKEN_PROGRAMS[str(value.owner)]
    parsed = {"info": info, "type": kind}
    return {"parsed": parsed, "program": program, "space": len(bytes(value.data))}


def _mint_info(found: Mint) -> dict[str, Any]:
    return {
        "decimals": found.decimals,
        "freezeAuthority": found.freeze_authority and str(found.freeze_authority),
        "isInitialized": found.is_initialized,
        "mintAuthority": found.mint_authority and str(found.mint_authority),
        "supply": str(found.supply),
    }


def _token_info(held: TokenAccount, decimals: int) -> dict[str, Any]:
    info: dict[str, Any] = {
        "isNative": held.is_native is not None,
        "mint": str(held.mint),
        "owner": str(held.owner),
        "state": _STATES[int(held.state)],
        "tokenAmount": amount(held.amount, decimals),
    }
    if held.is_native is not None:
        info["rentExemptReserve"] = amount(held.is_native, 9)
    if held.delegate is not None:
        info["delegate"] = str(held.delegate)
        info["delegatedAmount"] = amount(held.delegated_amount, decimals)
    if held.close_authority is not None:
        info["closeAuthority"] = str(held.close_authority)
    return info
