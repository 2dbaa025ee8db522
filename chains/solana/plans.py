"""What a mutation does on the chain, as instructions. Pure."""

import hashlib
from dataclasses import dataclass, field

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountWithSeedParams, create_account_with_seed

from chains.solana import instructions, programs
from chains.solana.transfers import Terms

_NATIVE_MINT = Pubkey.from_string(programs.WRAPPED_SOL)
_TOKEN = Pubkey.from_string(programs.TOKEN)
_TOKEN_ACCOUNT_SIZE = 165
_NATIVE_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Plan:
    """One transaction before it has fees, a blockhash and a signature. Compute budget
    instructions are added later. `tables` are lookup tables that shorten it."""

    sender: Pubkey
    intent: str
    purpose: str
    to: str
    instructions: tuple[Instruction, ...]
    details: dict[str, str]
    tables: tuple[AddressLookupTableAccount, ...] = field(default=())


def transfer_native(
    sender: Pubkey, to: Pubkey, lamports: int, memo: str = ""
) -> tuple[Instruction, ...]:
    """Native coins to any address."""
    return (*_noted(sender, memo), instructions.transfer(sender, to, lamports))


def transfer_token(
    sender: Pubkey,
    to: Pubkey,
    mint: Pubkey,
    terms: Terms,
    units: int,
    decimals: int,
    memo: str = "",
) -> tuple[Instruction, ...]:
    """Tokens to a wallet, whose account for them is made if it is missing (the sender pays its
    rent). The memo stands right before the transfer, where Token-2022 looks for it."""
    program = terms.program
    source = instructions.associated_account(sender, mint, program)
    target = instructions.associated_account(to, mint, program)
    if terms.fee is None:
        move = instructions.transfer_checked(source, mint, target, sender, program, units, decimals)
    else:
        move = instructions.transfer_checked_with_fee(
            source, mint, target, sender, program, units, decimals, terms.fee
        )
    create = instructions.create_associated(sender, to, mint, program)
    return (create, *_noted(sender, memo), move)


def wrap(sender: Pubkey, lamports: int) -> tuple[Instruction, ...]:
    """Native coins into the sender's wrapped account."""
    account = instructions.associated_account(sender, _NATIVE_MINT, _TOKEN)
    return (
        instructions.create_associated(sender, sender, _NATIVE_MINT, _TOKEN),
        instructions.transfer(sender, account, lamports),
        instructions.sync_native(account),
    )


def unwrap(sender: Pubkey, lamports: int, rent: int, intent: str) -> tuple[Instruction, ...]:
    """Exactly `lamports` out of the sender's wrapped account.

    Closing the account would unwrap all that it holds by then. So the amount goes to a passing
    account, and that one is closed; `rent` (lamports) is lent to it and comes back.
    """
    seed = hashlib.sha256(intent.encode()).hexdigest()[:32]
    passing = Pubkey.create_with_seed(sender, seed, _TOKEN)
    source = instructions.associated_account(sender, _NATIVE_MINT, _TOKEN)
    allocate = create_account_with_seed(
        CreateAccountWithSeedParams(
            from_pubkey=sender,
            to_pubkey=passing,
            base=sender,
            seed=seed,
            lamports=rent,
            space=_TOKEN_ACCOUNT_SIZE,
            owner=_TOKEN,
        )
    )
    start = Instruction(
        _TOKEN,
        bytes([programs.INITIALIZE_ACCOUNT_3]) + bytes(sender),
        [AccountMeta(passing, False, True), AccountMeta(_NATIVE_MINT, False, False)],
    )
    move = instructions.transfer_checked(
        source, _NATIVE_MINT, passing, sender, _TOKEN, lamports, _NATIVE_DECIMALS
    )
    return (allocate, start, move, instructions.close_account(passing, sender, sender, _TOKEN))


def _noted(sender: Pubkey, memo: str) -> tuple[Instruction, ...]:
    return (instructions.memo(sender, memo),) if memo else ()
