"""What a new local chain holds: the wrapped coin's mint, two test tokens, and a faucet.

The keys below are public, on purpose: whoever reads this may mint. They are worth nothing.
"""

import hashlib
from dataclasses import dataclass

from solders.account import Account
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.token.state import Mint
from solders.transaction import VersionedTransaction

from chains.solana import instructions, programs
from chains.solana.localnet.chain import Chain

_SYSTEM = Pubkey.from_string(programs.SYSTEM)
_TOKEN = Pubkey.from_string(programs.TOKEN)
_FAUCET_LAMPORTS = 500_000_000 * 10**9
_MINT_SIZE = 82
FUND_LAMPORTS = 100 * 10**9
FUND_TOKENS = 10_000


def _pair(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"cambist localnet {name}".encode()).digest())


FAUCET = _pair("faucet")


@dataclass(frozen=True, slots=True)
class TestToken:
    """A token that every local chain has; its mint authority is the faucet."""

    symbol: str
    mint: Keypair
    program: Pubkey
    decimals: int

    @property
    def address(self) -> Pubkey:
        """The mint."""
        return self.mint.pubkey()


USDC = TestToken("USDC", _pair("USDC"), _TOKEN, 6)
# The same program that PYUSD and other newer tokens use, with 9 decimals to be different.
NEW = TestToken("T22", _pair("T22"), Pubkey.from_string(programs.TOKEN_2022), 9)
TOKENS = (USDC, NEW)


def create(chain: Chain) -> None:
    """Puts in place what is missing; does nothing the second time."""
    if chain.store.fact("created") is not None:
        return
    with chain.store.atomic():
        wrapped = Mint(None, 0, 9, is_initialized=True)
        rent = chain.machine.rent(_MINT_SIZE)
        native = Pubkey.from_string(programs.WRAPPED_SOL)
        chain.set_account(native, Account(rent, bytes(wrapped), _TOKEN))
        chain.set_account(FAUCET.pubkey(), Account(_FAUCET_LAMPORTS, b"", _SYSTEM))
        for token in TOKENS:
            _run(chain, _create_mint(token, rent), [FAUCET, token.mint])
        chain.store.set_fact("created", "1")


def fund(chain: Chain, address: Pubkey) -> bool:
    """Gives an address 100 SOL and 10,000 of each test token, once; whether it did so now."""
    marker = f"funded {address}"
    if chain.store.fact(marker) is not None:
        return False
    with chain.store.atomic():
        steps = [instructions.transfer(FAUCET.pubkey(), address, FUND_LAMPORTS)]
        for token in TOKENS:
            account = instructions.associated_account(address, token.address, token.program)
            steps += [
                instructions.create_associated(
                    FAUCET.pubkey(), address, token.address, token.program
                ),
                instructions.mint_to_checked(
                    token.address,
                    account,
                    FAUCET.pubkey(),
                    token.program,
                    FUND_TOKENS * 10**token.decimals,
                    token.decimals,
                ),
            ]
        _run(chain, steps, [FAUCET])
        chain.store.set_fact(marker, "1")
    return True


def airdrop(chain: Chain, address: Pubkey, lamports: int, blockhash: Hash) -> VersionedTransaction:
    """The faucet's transaction that grants an airdrop; not yet submitted."""
    # A priority price that nobody pays makes the signatures of equal requests differ.
    count = chain.store.transaction_count()
    steps = [
        *instructions.budget(1_000, count % 1_000),
        instructions.transfer(FAUCET.pubkey(), address, lamports),
    ]
    message = MessageV0.try_compile(FAUCET.pubkey(), steps, [], blockhash)
    return VersionedTransaction(message, [FAUCET])


def _create_mint(token: TestToken, rent: int) -> list[Instruction]:
    allocate = create_account(
        CreateAccountParams(
            from_pubkey=FAUCET.pubkey(),
            to_pubkey=token.address,
            lamports=rent,
            space=_MINT_SIZE,
            owner=token.program,
        )
    )
    start = instructions.initialize_mint(
        token.address, FAUCET.pubkey(), token.program, token.decimals
    )
    return [allocate, start]


def _run(chain: Chain, steps: list[Instruction], signers: list[Keypair]) -> None:
    blockhash = chain.slots.block().blockhash
    message = MessageV0.try_compile(FAUCET.pubkey(), steps, [], blockhash)
    transaction = VersionedTransaction(message, signers)
    if chain.simulate(transaction).error is None and chain.submit(transaction) is None:
        return
    raise RuntimeError(f"a genesis transaction failed: {chain.simulate(transaction)}")
