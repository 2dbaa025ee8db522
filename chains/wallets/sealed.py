"""Cambist's own keystore: argon2id and ChaCha20-Poly1305, the whole header authenticated.

    {"type": …, "version": 1, "address": …,
     "kdf": {"name": "argon2id", "time", "memory" (KiB), "parallelism", "salt" (hex)},
     "cipher": {"name": "chacha20-poly1305", "nonce" (hex)}, "ciphertext" (hex)}

The associated data is the document without `ciphertext`, as JSON with sorted keys and no blanks,
in UTF-8. For Solana the plaintext is the 32-byte seed of the key pair. RFC 9106, RFC 8439.
"""

import json
import secrets
from typing import Any

from chains.wallets.kdf import Cost, KeystoreError, WrongPassphrase, argon2id
from chains.wallets.secret import Secret

VERSION = 1


def seal(secret: Secret, kind: str, address: str, passphrase: Secret, cost: Cost) -> str:
    """The JSON text that holds a secret; `kind` goes to "type"."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    document: dict[str, Any] = {
        "type": kind,
        "version": VERSION,
        "address": address,
        "kdf": {
            "name": "argon2id",
            "time": cost.argon2_time,
            "memory": cost.argon2_memory,
            "parallelism": cost.argon2_parallelism,
            "salt": salt.hex(),
        },
        "cipher": {"name": "chacha20-poly1305", "nonce": nonce.hex()},
    }
    key = _key(document["kdf"], passphrase)
    sealed = ChaCha20Poly1305(key.reveal()).encrypt(nonce, secret.reveal(), _header(document))
    document["ciphertext"] = sealed.hex()
    return json.dumps(document, indent=2)


def open_sealed(document: dict[str, Any], kind: str, passphrase: Secret) -> Secret:
    """The secret. WrongPassphrase when the tag does not fit, KeystoreError otherwise."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    if document.get("type") != kind or document.get("version") != VERSION:
        raise KeystoreError(f"not a {kind} file of version {VERSION}")
    try:
        if document["cipher"]["name"] != "chacha20-poly1305":
            raise KeystoreError("a cipher that this version does not know")
        nonce = bytes.fromhex(document["cipher"]["nonce"])
        ciphertext = bytes.fromhex(document["ciphertext"])
        parameters = dict(document["kdf"])
    except (KeyError, TypeError, AttributeError):
        raise KeystoreError(f"not a complete {kind} file") from None
    except KeystoreError:
        raise
    except ValueError:
        raise KeystoreError(f"malformed hexadecimal in a {kind} file") from None
    if len(nonce) != 12:
        raise KeystoreError("the nonce has another length than the cipher's")
    key = _key(parameters, passphrase)
    try:
        opened = ChaCha20Poly1305(key.reveal()).decrypt(nonce, ciphertext, _header(document))
    except InvalidTag:
        raise WrongPassphrase("the passphrase does not fit, or the file was changed") from None
    return Secret(opened)


def _header(document: dict[str, Any]) -> bytes:
    header = {key: value for key, value in document.items() if key != "ciphertext"}
    return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _key(parameters: dict[str, Any], passphrase: Secret) -> Secret:
    try:
        if parameters["name"] != "argon2id":
            raise KeystoreError("a key derivation that this version does not know")
        time, memory = parameters["time"], parameters["memory"]
        parallelism, salt = parameters["parallelism"], bytes.fromhex(parameters["salt"])
        if not all(type(number) is int for number in (time, memory, parallelism)):
            raise KeystoreError("key derivation parameters are not integers")
    except (KeyError, TypeError):
        raise KeystoreError("key derivation parameters are missing or malformed") from None
    except KeystoreError:
        raise
    except ValueError:
        raise KeystoreError("key derivation parameters are malformed") from None
    return Secret(argon2id(passphrase.reveal(), salt, time, memory, parallelism))
