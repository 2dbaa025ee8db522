"""Keys from words: BIP-39 seeds, BIP-32 for secp256k1 and SLIP-10 for ed25519.

https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki and bip-0032.mediawiki,
https://github.com/satoshilabs/slips/blob/master/slip-0010.md
"""

import hashlib
import hmac
import re
import unicodedata

from chains.wallets.secret import Secret

_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_HARDENED = 1 << 31
_PATH = re.compile(r"m(/[0-9]{1,10}'?){1,10}", re.ASCII)


def parse_path(path: str) -> tuple[int, ...]:
    """The indices of a path such as m/44'/60'/0'/0/0; ValueError for anything else."""
    if not _PATH.fullmatch(path):
        raise ValueError("a derivation path looks like m/44'/60'/0'/0/0")
    indices = []
    for step in path.split("/")[1:]:
        index = int(step.removesuffix("'"))
        if index >= _HARDENED:
            raise ValueError("an index of a derivation path is below 2147483648")
        indices.append(index + _HARDENED if step.endswith("'") else index)
    return tuple(indices)


def mnemonic_seed(words: Secret, passphrase: Secret) -> Secret:
    """The 64-byte seed of a BIP-39 mnemonic (UTF-8); ValueError if words or checksum are wrong."""
    # The word lists come with eth_account; half a second to import, needed for an import only.
    from eth_account.hdaccount.mnemonic import Mnemonic
    from eth_utils.exceptions import ValidationError

    text = Secret(" ".join(_normal(words.reveal()).split()).encode())
    try:
        language = Mnemonic.detect_language(text.reveal().decode())
        valid = Mnemonic(language).is_mnemonic_valid(text.reveal().decode())
    except (ValidationError, ValueError, KeyError):
        valid = False  # raised below, outside: these exceptions quote the words
    if not valid:
        raise ValueError("not a BIP-39 mnemonic: a word is not in the list or the checksum fails")
    salt = Secret(b"mnemonic" + _normal(passphrase.reveal()).encode())
    return Secret(hashlib.pbkdf2_hmac("sha512", text.reveal(), salt.reveal(), 2048))


def derive_secp256k1(seed: Secret, path: str) -> Secret:
    """BIP-32: the private key at a path; ValueError for a path that is none."""
    import coincurve

    key, chain = _split(b"Bitcoin seed", seed.reveal())
    for index in parse_path(path):
        if index >= _HARDENED:
            data = b"\0" + key.reveal()
        else:
            data = coincurve.PrivateKey(key.reveal()).public_key.format()
        step, chain = _split(chain.reveal(), data + index.to_bytes(4, "big"))
        key = _add(step, key)
    return key


def derive_ed25519(seed: Secret, path: str) -> Secret:
    """SLIP-10: the 32-byte ed25519 seed at a path, every step of which must be hardened."""
    key, chain = _split(b"ed25519 seed", seed.reveal())
    for index in parse_path(path):
        if index < _HARDENED:
            raise ValueError("every step of an ed25519 path is hardened: m/44'/501'/0'/0'")
        key, chain = _split(chain.reveal(), b"\0" + key.reveal() + index.to_bytes(4, "big"))
    return key


def _split(key: bytes, data: bytes) -> tuple[Secret, Secret]:
    digest = hmac.digest(key, data, "sha512")
    return Secret(digest[:32]), Secret(digest[32:])


def _add(step: Secret, key: Secret) -> Secret:
    addend = int.from_bytes(step.reveal(), "big")
    total = (addend + int.from_bytes(key.reveal(), "big")) % _ORDER
    if addend >= _ORDER or total == 0:  # chance 2**-127; BIP-32 says: take the next index
        raise ValueError("no key at this path; take the next index")
    return Secret(total.to_bytes(32, "big"))


def _normal(text: bytes) -> str:
    return unicodedata.normalize("NFKD", text.decode(errors="replace"))
