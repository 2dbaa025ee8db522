"""Transactions as bytes: what is signed, and what is broadcast.

Type 2 (https://eips.ethereum.org/EIPS/eip-1559) where blocks have a base fee, legacy with the chain
id (https://eips.ethereum.org/EIPS/eip-155) elsewhere.
"""

from dataclasses import dataclass

from chains.evm.codec import checksum, hexadecimal, keccak, unhex
from chains.evm.fees import Fees
from chains.evm.rlp import Item, decode, encode

# Half of secp256k1's order: EIP-2 makes a signature with a larger s invalid.
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@dataclass(frozen=True, slots=True)
class Envelope:
    """An unsigned transaction. Amounts in wei; `to` is "" for the creation of a contract."""

    chain_id: int
    nonce: int
    fees: Fees
    gas_limit: int
    to: str
    value: int
    data: bytes

    def _fields(self) -> list[Item]:
        to = unhex(self.to) if self.to else b""
        if self.fees.priority is None:
            return [self.nonce, self.fees.price, self.gas_limit, to, self.value, self.data]
        prices: list[Item] = [self.fees.priority, self.fees.price]
        no_access_list: list[Item] = []
        return [
            self.chain_id,
            self.nonce,
            *prices,
            self.gas_limit,
            to,
            self.value,
            self.data,
            no_access_list,
        ]

    def unsigned(self) -> bytes:
        """The bytes whose hash is signed."""
        if self.fees.priority is None:
            return encode([*self._fields(), self.chain_id, 0, 0])
        return b"\x02" + encode(self._fields())

    def digest(self) -> bytes:
        """The 32 bytes that the sender signs."""
        return keccak(self.unsigned())

    def signed(self, signature: bytes) -> bytes:
        """The raw transaction; ValueError for a signature that no node would accept."""
        r, s, parity = split(signature)
        if self.fees.priority is None:
            return encode([*self._fields(), self.chain_id * 2 + 35 + parity, r, s])
        return b"\x02" + encode([*self._fields(), parity, r, s])


def opened(raw: bytes) -> Envelope:
    """What a raw transaction of ours was before it was signed; ValueError for any other."""
    dynamic = raw[:1] == b"\x02"
    fields = decode(raw[1:] if dynamic else raw)
    if not isinstance(fields, list) or len(fields) != (12 if dynamic else 9):
        raise ValueError("not a transaction of a kind that is sent from here")
    if dynamic and fields.pop(8) != []:
        raise ValueError("a transaction with an access list is not from here")
    plain = [field for field in fields if isinstance(field, bytes)]
    if len(plain) != len(fields):
        raise ValueError("a list where a transaction has none")
    numbers = [int.from_bytes(field, "big") for field in plain]
    if dynamic:
        chain_id, nonce, priority, price, gas = numbers[:5]
        fees = Fees(price, priority)
    else:
        nonce, price, gas = numbers[:3]
        chain_id, fees = (numbers[6] - 35) // 2, Fees(price, None)
    to, value, data = plain[-6], numbers[-5], plain[-4]
    return Envelope(
        chain_id, nonce, fees, gas, checksum(hexadecimal(to)) if to else "", value, data
    )


def split(signature: bytes) -> tuple[int, int, int]:
    """r, s and the parity of a 65-byte signature whose last byte is 0, 1, 27 or 28."""
    if len(signature) != 65:
        raise ValueError(f"a signature has 65 bytes, this has {len(signature)}")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    parity = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if parity not in (0, 1) or not 0 < s <= _HALF_ORDER or not r:
        raise ValueError("not a canonical signature")
    return r, s, parity


def signer_of(digest: bytes, signature: bytes) -> str:
    """The address whose key made a signature over a digest."""
    from coincurve import PublicKey

    _, _, parity = split(signature)
    key = PublicKey.from_signature_and_message(signature[:64] + bytes([parity]), digest, None)
    return checksum("0x" + keccak(key.format(compressed=False)[1:])[12:].hex())
