"""Wallets."""

from dataclasses import dataclass

from cambist.types._enum import WireEnum
from cambist.types.chains import ChainFamily, TokenAmount


class WalletState(WireEnum):
    """Whether keys are decrypted."""

    UNKNOWN = 0
    NONE = 1  # No wallet was made yet; the first unlock sets the passphrase.
    LOCKED = 2  # Keys are encrypted; nothing can be signed.
    UNLOCKED = 3  # Keys are in memory.


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet."""

    name: str  # Its name; also the id of its account.
    family: ChainFamily  # The kind of chain.
    address: str  # Its address.
    watch_only: bool  # Whether it has no key here.
    is_default: bool  # Whether it is the default of its family.
    signer: str  # The remote signer that has its key; empty for a key in the keystore.


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a venue may take."""

    venue: str  # The venue.
    spender: str  # The contract that may take it.
    amount: TokenAmount  # How much.
