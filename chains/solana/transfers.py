"""Whether a transfer arrives, and how much of it: judged from the accounts that it touches. Pure.

What the chain would refuse anyway is refused here in words that help; what it would let through and
nobody could ever take back is refused as well.
"""

import base64
from dataclasses import dataclass

from solders.pubkey import Pubkey

from chains.solana import extensions, instructions, mints
from chains.solana.mints import Holding
from chains.solana.wire import Account
from core.errors import Reason, Refused
from core.money import from_units, text
from core.tokens import Token

MAX_MEMO = 256  # bytes; each costs compute units, and the transaction must fit into a packet
_CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")


@dataclass(frozen=True, slots=True)
class Terms:
    """How a token is to be sent. `fee` is what the token itself withholds, in its units, None for
    one that withholds nothing; `creates` whether the receiver's account is made."""

    program: Pubkey
    fee: int | None
    creates: bool


def touched(sender: Pubkey, to: Pubkey, mint: Pubkey) -> list[Pubkey]:
    """The accounts that `terms` judges, in its order."""
    both = [Pubkey.from_string(program) for program in mints.PROGRAMS]
    sources = [instructions.associated_account(sender, mint, program) for program in both]
    targets = [instructions.associated_account(to, mint, program) for program in both]
    return [mint, to, _CLOCK, *sources, *targets]


def terms(token: Token, to: Pubkey, units: int, memo: str, accounts: list[Account | None]) -> Terms:
    """Refused with the reason why the transfer would fail, or be lost."""
    mint_account, target, clock, *held = accounts
    found = mint_account and mints.parse_mint(mint_account.owner, data(mint_account))
    if mint_account is None or not found:
        raise Refused(
            Reason.TOKEN_NOT_FOUND,
            f"{token.address} is not a token of {token.network}",
            {"token": token.address, "network": token.network},
        )
    if found.decimals != token.decimals:
        raise _invalid(
            "token", f"{token.symbol} has {found.decimals} decimals, not {token.decimals}"
        )
    if target is not None and target.owner in mints.PROGRAMS:
        raise _invalid("to", f"{to} is a token account or a mint; give the wallet's address")
    kind = mints.PROGRAMS.index(found.program)
    source, receiving = held[kind], held[2 + kind]
    if receiving is None and not to.is_on_curve():
        raise _invalid(
            "to",
            f"{to} is off the curve: no key signs for it, it belongs to a program. Tokens could be"
            " stuck there; if it is a vault, let its program make its token account first",
        )
    rules = extensions.mint_rules(data(mint_account))
    _check_rules(token, rules, receiving)
    _check_source(token, source, units)
    into = _holding(receiving)
    if into is not None and into.frozen:
        raise _refused(token, "is frozen in the receiver's account")
    if receiving is not None and extensions.memo_required(data(receiving)) and not memo:
        raise Refused(
            Reason.FIELD_REQUIRED,
            f"{to} takes {token.symbol} with a memo only: give one",
            {"field": "memo"},
        )
    epoch = int.from_bytes(data(clock)[16:24], "little") if clock is not None else 0
    return Terms(Pubkey.from_string(found.program), rules.fee(units, epoch), receiving is None)


def check_native(
    token: Token, to: Pubkey, target: Account | None, source: Account | None, lamports: int
) -> None:
    """Refused where coins would be lost, or are not there."""
    has = source.lamports if source is not None else 0
    if has < lamports:
        raise _short(token, has, lamports)
    if target is None:
        if not to.is_on_curve():
            raise _invalid("to", f"{to} is off the curve and nothing is there: no key signs for it")
        return
    if target.owner in mints.PROGRAMS:
        raise _invalid("to", f"{to} is a token account or a mint; give the wallet's address")
    if target.executable:
        raise _invalid("to", f"{to} is a program: coins sent there are lost")


def check_memo(memo: str) -> str:
    """The memo, if it can be sent."""
    if len(memo.encode()) > MAX_MEMO or not memo.isprintable():
        raise _invalid("memo", f"a memo is printable text of at most {MAX_MEMO} bytes")
    return memo


def data(account: Account) -> bytes:
    """The bytes of an account."""
    return base64.b64decode(account.data[0])


def _check_rules(token: Token, rules: extensions.MintRules, receiving: Account | None) -> None:
    if rules.non_transferable:
        raise _refused(token, "is bound to its owner (non-transferable): nobody can send it")
    if rules.paused:
        raise _refused(token, "is paused by its issuer")
    if rules.hook:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            f"{token.symbol} asks the program {rules.hook} about each transfer (transfer hook):"
            " Cambist does not send such tokens",
            {"venue": token.network, "capability": "transfer_hook", "program": rules.hook},
        )
    if rules.frozen_at_first and receiving is None:
        raise _refused(token, "is frozen in a new account until its issuer admits the receiver")


def _check_source(token: Token, source: Account | None, units: int) -> None:
    held = _holding(source)
    if held is None or held.units < units:
        raise _short(token, held.units if held else 0, units)
    if held.frozen:
        raise _refused(token, "is frozen in the sender's account by its issuer")


def _short(token: Token, has: int, needed: int) -> Refused:
    available = text(from_units(has, token.decimals))
    wanted = text(from_units(needed, token.decimals))
    where = "" if token.is_native else " in its associated account"
    return Refused(
        Reason.INSUFFICIENT_BALANCE,
        f"the wallet has {available} {token.symbol}{where}, {wanted} are needed",
        {"asset": token.symbol, "available": available, "needed": wanted},
    )


def _holding(account: Account | None) -> Holding | None:
    return None if account is None else mints.parse_holding(account.owner, data(account))


def _refused(token: Token, why: str) -> Refused:
    metadata = {"token": token.address, "network": token.network, "error": why}
    return Refused(Reason.SIMULATION_FAILED, f"{token.symbol} {why}; nothing was sent", metadata)


def _invalid(field: str, message: str) -> Refused:
    return Refused(Reason.FIELD_INVALID, message, {"field": field})
