"""Addresses and instruction codes of the programs that every Solana cluster has.

https://docs.solanalabs.com/runtime/programs, https://spl.solana.com/token,
https://spl.solana.com/associated-token-account
"""

from typing import Final

SYSTEM: Final = "11111111111111111111111111111111"
TOKEN: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKEN_2022: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
ASSOCIATED: Final = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
COMPUTE_BUDGET: Final = "ComputeBudget111111111111111111111111111111"
LOOKUP_TABLE: Final = "AddressLookupTab1e1111111111111111111111111"
METADATA: Final = "metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s"
MEMO: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
WRAPPED_SOL: Final = "So11111111111111111111111111111111111111112"

# Programs that are part of the validator: 3,000 compute units an instruction unless told otherwise
# (SIMD-0170), where other programs get 200,000.
BUILTIN: Final = frozenset(
    {
        SYSTEM,
        COMPUTE_BUDGET,
        "Vote111111111111111111111111111111111111111",
        "BPFLoader1111111111111111111111111111111111",
        "BPFLoader2111111111111111111111111111111111",
        "BPFLoaderUpgradeab1e11111111111111111111111",
        "LoaderV411111111111111111111111111111111111",
    }
)

LAMPORTS_PER_SIGNATURE: Final = 5_000
MAX_COMPUTE_UNITS: Final = 1_400_000
MAX_TRANSACTION_SIZE: Final = 1_232  # bytes, signatures included
MAX_PROCESSING_AGE: Final = 150  # blocks for which a blockhash can be used
FINALITY_DEPTH: Final = 32  # blocks

# Codes of the token programs' instructions.
INITIALIZE_MINT_2: Final = 20
TRANSFER_CHECKED: Final = 12
MINT_TO_CHECKED: Final = 14
CLOSE_ACCOUNT: Final = 9
TRANSFER_FEE_EXTENSION: Final = 26  # of Token-2022; what follows says which instruction of it
TRANSFER_CHECKED_WITH_FEE: Final = 1
INITIALIZE_ACCOUNT_3: Final = 18
SYNC_NATIVE: Final = 17
CREATE_ASSOCIATED_IDEMPOTENT: Final = 1  # of the associated token account program
