"""Mints of Token-2022 with extensions, made on a local chain by the real program."""

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction

from chains.solana import instructions, programs
from chains.solana.localnet import genesis
from chains.solana.localnet.chain import Chain
from core.tokens import Token
from tests.support.solana import INFO

PROGRAM = Pubkey.from_string(programs.TOKEN_2022)
FAUCET = genesis.FAUCET
NONE = bytes(32)
ME = bytes(FAUCET.pubkey())

# name: bytes of its entry in the mint, and the instruction that makes it
EXTENSIONS = {
    "fee": (108, bytes([26, 0, 1]) + ME + b"\1" + ME + (250).to_bytes(2, "little")),
    "frozen": (1, bytes([28, 0, 2])),
    "non_transferable": (0, bytes([32])),
    "hook": (64, bytes([36, 0]) + ME + bytes(range(1, 33))),
    "pausable": (33, bytes([44, 0]) + ME),
}
MAX_FEE = 5_000


def run(chain: Chain, steps: list[Instruction], signers: list[Keypair]) -> None:
    """Includes a transaction that must succeed; the first signer pays."""
    blockhash = chain.slots.block().blockhash
    # Two that are equal would have one signature.
    steps = [*instructions.budget(400_000 + chain.store.transaction_count(), 0), *steps]
    message = MessageV0.try_compile(signers[0].pubkey(), steps, [], blockhash)
    transaction = VersionedTransaction(message, signers)
    assert chain.submit(transaction) is None
    document = chain.store.transaction(str(transaction.signatures[0]))
    assert document is not None
    assert '"err": null' in document.meta, document.meta


def mint(chain: Chain, extension: str, decimals: int = 6) -> Token:
    """A new token whose mint has an extension; the faucet may do everything with it."""
    size, first = EXTENSIONS[extension]
    if extension == "fee":
        first += MAX_FEE.to_bytes(8, "little")
    pair, space = Keypair(), 166 + 4 + size
    key = pair.pubkey()
    steps = [
        create_account(
            CreateAccountParams(
                from_pubkey=FAUCET.pubkey(),
                to_pubkey=key,
                lamports=chain.machine.rent(space),
                space=space,
                owner=PROGRAM,
            )
        ),
        Instruction(PROGRAM, first, [AccountMeta(key, False, True)]),
        Instruction(  # with a freeze authority, which some extensions ask for
            PROGRAM,
            bytes([programs.INITIALIZE_MINT_2, decimals]) + ME + b"\1" + ME,
            [AccountMeta(key, False, True)],
        ),
    ]
    run(chain, steps, [FAUCET, pair])
    return Token(INFO.id, str(key), extension.upper(), decimals)


def account(owner: str, token: Token) -> Pubkey:
    mint_key = Pubkey.from_string(token.address)
    return instructions.associated_account(Pubkey.from_string(owner), mint_key, PROGRAM)


def open_account(chain: Chain, owner: str, token: Token) -> Pubkey:
    key, mint_key = Pubkey.from_string(owner), Pubkey.from_string(token.address)
    steps = [instructions.create_associated(FAUCET.pubkey(), key, mint_key, PROGRAM)]
    run(chain, steps, [FAUCET])
    return account(owner, token)


def give(chain: Chain, owner: str, token: Token, units: int) -> Pubkey:
    """Makes an account and mints into it."""
    made = open_account(chain, owner, token)
    steps = [
        instructions.mint_to_checked(
            Pubkey.from_string(token.address), made, FAUCET.pubkey(), PROGRAM, units, token.decimals
        )
    ]
    run(chain, steps, [FAUCET])
    return made


def authority(chain: Chain, data: bytes, *keys: Pubkey) -> None:
    """An instruction of the faucet's as the authority over `keys`, the first of which it writes."""
    metas = [AccountMeta(keys[0], False, True), *(AccountMeta(k, False, False) for k in keys[1:])]
    metas.append(AccountMeta(FAUCET.pubkey(), True, False))
    run(chain, [Instruction(PROGRAM, data, metas)], [FAUCET])


def ask_for_memos(chain: Chain, owner: Keypair, token: Token) -> None:
    """From now on the owner's account takes transfers with a memo only."""
    key = account(str(owner.pubkey()), token)
    signer = AccountMeta(owner.pubkey(), True, False)
    steps = [
        Instruction(
            PROGRAM,
            bytes([29, 8, 0]),
            [
                AccountMeta(key, False, True),
                AccountMeta(FAUCET.pubkey(), True, True),
                AccountMeta(Pubkey.from_string(programs.SYSTEM), False, False),
                signer,
            ],
        ),
        Instruction(PROGRAM, bytes([30, 0]), [AccountMeta(key, False, True), signer]),
    ]
    run(chain, steps, [FAUCET, owner])


def put(chain: Chain, key: Pubkey, owner: str, executable: bool = False) -> None:
    """An account that is simply there."""
    chain.set_account(key, Account(10**9, b"", Pubkey.from_string(owner), executable))
