"""Instructions of the system, token and compute budget programs. Pure.

Account orders and data layouts: https://github.com/solana-program/token (interface),
https://github.com/solana-program/associated-token-account.
"""

from functools import lru_cache

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams
from solders.system_program import transfer as system_transfer

from chains.solana import programs

_key = lru_cache(maxsize=None)(Pubkey.from_string)


def transfer(sender: Pubkey, to: Pubkey, lamports: int) -> Instruction:
    """Moves native coins."""
    return system_transfer(TransferParams(from_pubkey=sender, to_pubkey=to, lamports=lamports))


def budget(units: int, micro_lamports: int) -> list[Instruction]:
    """Compute unit limit and price; nothing for a price of zero."""
    limit = [set_compute_unit_limit(units)]
    return [*limit, set_compute_unit_price(micro_lamports)] if micro_lamports else limit


@lru_cache(maxsize=4096)  # deriving hashes up to 255 times
def associated_account(owner: Pubkey, mint: Pubkey, program: Pubkey) -> Pubkey:
    """Where a wallet keeps a token."""
    seeds = [bytes(owner), bytes(program), bytes(mint)]
    return Pubkey.find_program_address(seeds, _key(programs.ASSOCIATED))[0]


def create_associated(payer: Pubkey, owner: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
    """Makes a wallet's account for a token; does nothing if it exists."""
    accounts = [
        AccountMeta(payer, is_signer=True, is_writable=True),
        _written(associated_account(owner, mint, program)),
        _read(owner),
        _read(mint),
        _read(_key(programs.SYSTEM)),
        _read(program),
    ]
    data = bytes([programs.CREATE_ASSOCIATED_IDEMPOTENT])
    return Instruction(_key(programs.ASSOCIATED), data, accounts)


def transfer_checked(
    source: Pubkey,
    mint: Pubkey,
    destination: Pubkey,
    owner: Pubkey,
    program: Pubkey,
    units: int,
    decimals: int,
) -> Instruction:
    """Moves tokens between token accounts; fails if `decimals` is not the mint's."""
    accounts = [_written(source), _read(mint), _written(destination), _signed(owner)]
    data = bytes([programs.TRANSFER_CHECKED]) + units.to_bytes(8, "little") + bytes([decimals])
    return Instruction(program, data, accounts)


def transfer_checked_with_fee(
    source: Pubkey,
    mint: Pubkey,
    destination: Pubkey,
    owner: Pubkey,
    program: Pubkey,
    units: int,
    decimals: int,
    fee: int,
) -> Instruction:
    """As `transfer_checked`, of a token that withholds a fee; fails if it is not `fee` units."""
    accounts = [_written(source), _read(mint), _written(destination), _signed(owner)]
    data = bytes([programs.TRANSFER_FEE_EXTENSION, programs.TRANSFER_CHECKED_WITH_FEE])
    data += units.to_bytes(8, "little") + bytes([decimals]) + fee.to_bytes(8, "little")
    return Instruction(program, data, accounts)


def memo(signer: Pubkey, text: str) -> Instruction:
    """A note that stands in the transaction; also what token accounts that ask for memos take."""
    return Instruction(_key(programs.MEMO), text.encode(), [_signed(signer)])


def mint_to_checked(
    mint: Pubkey, account: Pubkey, authority: Pubkey, program: Pubkey, units: int, decimals: int
) -> Instruction:
    """Makes new tokens."""
    accounts = [_written(mint), _written(account), _signed(authority)]
    data = bytes([programs.MINT_TO_CHECKED]) + units.to_bytes(8, "little") + bytes([decimals])
    return Instruction(program, data, accounts)


def initialize_mint(mint: Pubkey, authority: Pubkey, program: Pubkey, decimals: int) -> Instruction:
    """Turns an allocated account into a mint without a freeze authority."""
    data = bytes([programs.INITIALIZE_MINT_2, decimals]) + bytes(authority) + b"\0"
    return Instruction(program, data, [_written(mint)])


def sync_native(account: Pubkey) -> Instruction:
    """Makes a wrapped account's token amount equal to its lamports."""
    data = bytes([programs.SYNC_NATIVE])
    return Instruction(_key(programs.TOKEN), data, [_written(account)])


def close_account(account: Pubkey, to: Pubkey, owner: Pubkey, program: Pubkey) -> Instruction:
    """Closes an empty (or wrapped) token account; its lamports go to `to`."""
    accounts = [_written(account), _written(to), _signed(owner)]
    return Instruction(program, bytes([programs.CLOSE_ACCOUNT]), accounts)


def _read(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _written(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _signed(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=False)
