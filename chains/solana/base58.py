"""Base58 with Bitcoin's alphabet, as Solana writes keys. Ours, because wallets list addresses and
sign without importing the Solana libraries.

https://datatracker.ietf.org/doc/html/draft-msporny-base58-03
"""

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
# Decoding is quadratic, so long texts are refused. A 64-byte key has 88 letters.
KEY_LIMIT = 128


def encode(data: bytes) -> str:
    """The text of some bytes; leading zero bytes become leading ones."""
    number = int.from_bytes(data, "big")
    letters: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + "".join(reversed(letters))


def decode(text: str, limit: int = KEY_LIMIT) -> bytes:
    """The bytes of a text; ValueError, which never repeats the text, for anything else."""
    if len(text) > limit:
        raise ValueError("too long for what this base58 text should be")
    number = 0
    for letter in text:
        value = _VALUES.get(letter)
        if value is None:
            raise ValueError("a character that base58 does not have")
        number = number * 58 + value
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return b"\0" * (len(text) - len(text.lstrip("1"))) + body
