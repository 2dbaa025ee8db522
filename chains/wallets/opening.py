"""From a file to a key, and to a function that signs."""

from collections.abc import Callable
from dataclasses import replace

from chains.wallets import files
from chains.wallets.catalogue import Entry, WalletInfo, family_of
from chains.wallets.families import FAMILIES, Family
from chains.wallets.kdf import KeystoreError, WrongPassphrase
from chains.wallets.secret import Secret


def open_entry(
    entry: Entry, passphrase: Secret
) -> tuple[WalletInfo, Callable[[bytes], bytes] | None]:
    """The wallet and its signer; None, and a problem, if the file does not open. Slow: a thread."""
    family, info = FAMILIES[entry.info.family], entry.info
    try:
        key = family.decrypt(entry.document, passphrase)
        address = family.address(key)
        if info.address and info.address != address:
            raise KeystoreError("states another address than its key has")
        return replace(info, address=address), family.signer(key)
    except WrongPassphrase:
        problem = "damaged, or encrypted with another passphrase than the store's"
    except ValueError as error:
        problem = str(error)
    return replace(info, problem=problem), None


def read_keystore(text: Secret, passphrase: Secret) -> tuple[Family, Secret, str]:
    """Family, key and stated address of a keystore from elsewhere. Slow: a thread.

    WrongPassphrase, or another ValueError that does not repeat the text.
    """
    document = files.parse(text.reveal())
    family = FAMILIES[family_of(document)]
    return family, family.decrypt(document, passphrase), family.stated_address(document)
