"""How much work a guess at the passphrase costs, and the limits for files that others made."""

import hashlib
from dataclasses import dataclass

# What a file from elsewhere may ask of this machine. Geth's standard needs 256 MiB.
MAX_MEMORY = 1 << 30  # bytes
MAX_ITERATIONS = 10_000_000


class KeystoreError(ValueError):
    """A keystore that cannot be read. The message is fit for users and holds no secret."""


class WrongPassphrase(KeystoreError):
    """The authentication tag does not fit: another passphrase, or the file was changed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Work factors for new files; files on disk carry their own.

    scrypt's memory is 128 * n * 8 bytes; argon2id's is `argon2_memory` KiB.
    """

    scrypt_n: int = 1 << 17
    argon2_time: int = 3
    argon2_memory: int = 65_536
    argon2_parallelism: int = 4


STANDARD = Cost()
# For a sandbox with toy money and for tests: a passphrase under this cost protects nothing.
LIGHT = Cost(scrypt_n=1 << 4, argon2_time=1, argon2_memory=64, argon2_parallelism=1)


def scrypt(passphrase: bytes, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    """RFC 7914. KeystoreError for parameters that are nonsense or beyond the limits."""
    if n < 2 or n & (n - 1) or r < 1 or p < 1 or 128 * r * (n + p) > MAX_MEMORY or p > 16:
        raise KeystoreError(f"scrypt parameters n={n} r={r} p={p} are out of bounds")
    if n >= 1 << 16 * r:
        # RFC 7914 forbids it and OpenSSL refuses, but eth_account writes r=1 with n=2^18.
        from Crypto.Protocol.KDF import scrypt as lenient

        return bytes(lenient(passphrase, salt, length, n, r, p))  # type: ignore[arg-type]
    memory = 128 * r * (n + p + 2) + (1 << 20)
    return hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=length)


def pbkdf2(passphrase: bytes, salt: bytes, iterations: int, length: int) -> bytes:
    """PBKDF2-HMAC-SHA256, only ever for reading files that others made."""
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise KeystoreError(f"{iterations} PBKDF2 iterations are out of bounds")
    return hashlib.pbkdf2_hmac("sha256", passphrase, salt, iterations, length)


def argon2id(passphrase: bytes, salt: bytes, time: int, memory: int, parallelism: int) -> bytes:
    """RFC 9106, 32 bytes; `memory` in KiB. KeystoreError for parameters beyond the limits."""
    from argon2.low_level import Type, hash_secret_raw

    if not (1 <= time <= 64 and 1 <= parallelism <= 16 and len(salt) >= 8):
        raise KeystoreError("argon2id parameters are out of bounds")
    if not 8 * parallelism <= memory <= MAX_MEMORY // 1024:
        raise KeystoreError(f"argon2id memory of {memory} KiB is out of bounds")
    return hash_secret_raw(passphrase, salt, time, memory, parallelism, 32, Type.ID)
