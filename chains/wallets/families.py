"""What the store must know of a chain family: one row of functions for each.

To add a family (another curve, another address format), write its functions and add a row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chains.wallets import evm_keys, hd, keystore_v3, sealed, solana_keys
from chains.wallets.kdf import Cost
from chains.wallets.secret import Secret

_SOLANA_KIND = "cambist-solana-keystore"


@dataclass(frozen=True, slots=True)
class Family:
    """Functions of one family. Those that read input raise ValueError without repeating it."""

    id: str
    generate: Callable[[], Secret]
    parse_key: Callable[[Secret], Secret]
    parse_address: Callable[[str], str]  # canonical spelling
    address: Callable[[Secret], str]
    signer: Callable[[Secret], Callable[[bytes], bytes]]
    digest: Callable[[bytes], bytes]  # what is signed of a serialized transaction
    encrypt: Callable[[Secret, str, Secret, Cost], str]
    decrypt: Callable[[dict[str, Any], Secret], Secret]
    recognises: Callable[[dict[str, Any]], bool]
    stated_address: Callable[[dict[str, Any]], str]
    derive: Callable[[Secret, str], Secret]
    path: str  # with {} for the account's index


FAMILIES = {
    family.id: family
    for family in (
        Family(
            id="evm",
            generate=evm_keys.generate,
            parse_key=evm_keys.parse_key,
            parse_address=evm_keys.parse_address,
            address=evm_keys.address,
            signer=evm_keys.signer,
            digest=evm_keys.digest,
            encrypt=keystore_v3.encrypt,
            decrypt=keystore_v3.decrypt,
            recognises=keystore_v3.is_v3,
            stated_address=evm_keys.stated_address,
            derive=hd.derive_secp256k1,
            path="m/44'/60'/0'/0/{}",
        ),
        Family(
            id="solana",
            generate=solana_keys.generate,
            parse_key=solana_keys.parse_key,
            parse_address=solana_keys.parse_address,
            address=solana_keys.address,
            signer=solana_keys.signer,
            digest=lambda message: message,
            encrypt=lambda secret, address, passphrase, cost: sealed.seal(
                secret, _SOLANA_KIND, address, passphrase, cost
            ),
            decrypt=lambda document, passphrase: sealed.open_sealed(
                document, _SOLANA_KIND, passphrase
            ),
            recognises=lambda document: document.get("type") == _SOLANA_KIND,
            stated_address=solana_keys.stated_address,
            derive=hd.derive_ed25519,
            path="m/44'/501'/{}'/0'",
        ),
    )
}
