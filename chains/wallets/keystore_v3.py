"""Ethereum keystore version 3, as geth, eth_account and every other wallet read and write it.

https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage/
"""

import hmac
import json
import secrets
import uuid
from typing import Any

from chains.wallets.kdf import Cost, KeystoreError, WrongPassphrase, pbkdf2, scrypt
from chains.wallets.secret import Secret

_R, _P, _LENGTH = 8, 1, 32


def encrypt(secret: Secret, address: str, passphrase: Secret, cost: Cost) -> str:
    """The JSON text of a new keystore: scrypt, AES-128-CTR, Keccak MAC."""
    salt, iv = secrets.token_bytes(32), secrets.token_bytes(16)
    key = Secret(scrypt(passphrase.reveal(), salt, cost.scrypt_n, _R, _P, _LENGTH))
    ciphertext = _aes_ctr(key, iv, secret.reveal())
    document = {
        "version": 3,
        "id": str(uuid.uuid4()),
        "address": address.removeprefix("0x").lower(),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": iv.hex()},
            "ciphertext": ciphertext.hex(),
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": _LENGTH,
                "n": cost.scrypt_n,
                "r": _R,
                "p": _P,
                "salt": salt.hex(),
            },
            "mac": _mac(key, ciphertext).hex(),
        },
    }
    return json.dumps(document, indent=2)


def is_v3(document: dict[str, Any]) -> bool:
    """Whether this is such a keystore at all (older tools write `Crypto`)."""
    return document.get("version") == 3 and ("crypto" in document or "Crypto" in document)


def decrypt(document: dict[str, Any], passphrase: Secret) -> Secret:
    """The 32-byte key. WrongPassphrase when the MAC does not fit, KeystoreError otherwise."""
    try:
        crypto = document.get("crypto") or document["Crypto"]
        cipher, kdf = crypto["cipher"], crypto["kdf"]
        iv = bytes.fromhex(crypto["cipherparams"]["iv"])
        ciphertext = bytes.fromhex(crypto["ciphertext"])
        mac = bytes.fromhex(crypto["mac"])
        parameters = crypto["kdfparams"]
        salt = bytes.fromhex(parameters["salt"])
        length = int(parameters["dklen"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise KeystoreError("not a complete version 3 keystore") from None
    if cipher != "aes-128-ctr" or len(iv) != 16 or len(ciphertext) != 32 or length != _LENGTH:
        raise KeystoreError("a cipher or a length that version 3 keystores of keys do not have")
    key = _derive(str(kdf), parameters, passphrase, salt)
    if not hmac.compare_digest(mac, _mac(key, ciphertext)):
        raise WrongPassphrase("the passphrase does not fit, or the file was changed")
    return Secret(_aes_ctr(key, iv, ciphertext))


def _derive(kdf: str, parameters: dict[str, Any], passphrase: Secret, salt: bytes) -> Secret:
    try:
        if kdf == "scrypt":
            n, r, p = int(parameters["n"]), int(parameters["r"]), int(parameters["p"])
            return Secret(scrypt(passphrase.reveal(), salt, n, r, p, _LENGTH))
        if kdf == "pbkdf2" and parameters["prf"] == "hmac-sha256":
            return Secret(pbkdf2(passphrase.reveal(), salt, int(parameters["c"]), _LENGTH))
    except (KeyError, TypeError, OverflowError):
        raise KeystoreError("key derivation parameters are missing or malformed") from None
    except KeystoreError:
        raise
    except ValueError:
        raise KeystoreError("key derivation parameters are malformed") from None
    raise KeystoreError("a key derivation that version 3 keystores do not have")


def _aes_ctr(key: Secret, iv: bytes, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(key.reveal()[:16]), modes.CTR(iv)).encryptor()
    return cipher.update(data) + cipher.finalize()


def _mac(key: Secret, ciphertext: bytes) -> bytes:
    from eth_hash.auto import keccak

    return keccak(key.reveal()[16:32] + ciphertext)
