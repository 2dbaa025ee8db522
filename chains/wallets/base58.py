"""Base58 with Bitcoin's alphabet, as Solana writes keys; here because wallets must not need the
Solana libraries to list addresses.

https://datatracker.ietf.org/doc/html/draft-msporny-base58-03
"""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_MAX_LENGTH = 128  # decoding is quadratic; the longest text here, a 64-byte key, has 88 letters


def encode(data: bytes) -> str:
    """The text of some bytes; leading zero bytes become leading ones."""
    number = int.from_bytes(data, "big")
    letters: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + "".join(reversed(letters))


def decode(text: str) -> bytes:
    """The bytes of a text; ValueError, which never repeats the text, for anything else."""
    if len(text) > _MAX_LENGTH:
        raise ValueError("too long for a base58 key")
    number = 0
    for letter in text:
        value = _VALUES.get(letter)
        if value is None:
            raise ValueError("a character that base58 does not have")
        number = number * 58 + value
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return b"\0" * (len(text) - len(text.lstrip("1"))) + body
