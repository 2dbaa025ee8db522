"""Mints, token accounts and token metadata, from the bytes of their accounts. Pure.

Layouts: https://github.com/solana-program/token (state.rs), https://github.com/solana-program/
token-2022 (extension), https://github.com/solana-program/token-metadata, and for the older
metadata accounts https://developers.metaplex.com/token-metadata.
"""

from dataclasses import dataclass

from chains.solana import extensions, programs
from chains.solana.base58 import encode

PROGRAMS = (programs.TOKEN, programs.TOKEN_2022)
_ACCOUNT_SIZE, _MINT_SIZE = 165, 82
_TYPE_OFFSET, _MINT_TYPE, _ACCOUNT_TYPE = 165, 1, 2  # Token-2022, when there are extensions
_LONGEST = 64  # letters of a name or symbol that somebody else chose
_FROZEN = 2
_TABLE, _TABLE_HEADER = (1).to_bytes(4, "little"), 56


@dataclass(frozen=True, slots=True)
class Mint:
    """A token: its program, decimals and supply in units."""

    program: str
    decimals: int
    supply: int


@dataclass(frozen=True, slots=True)
class Holding:
    """A token account."""

    mint: str
    owner: str
    units: int
    frozen: bool


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the token's issuer calls it."""

    name: str
    symbol: str


def parse_mint(owner: str, data: bytes) -> Mint | None:
    """None for an account that is no initialised mint."""
    if owner not in PROGRAMS or not _is(data, _MINT_SIZE, _MINT_TYPE) or data[45] != 1:
        return None
    return Mint(owner, data[44], int.from_bytes(data[36:44], "little"))


def parse_holding(owner: str, data: bytes) -> Holding | None:
    """None for an account that is no initialised token account."""
    if owner not in PROGRAMS or not _is(data, _ACCOUNT_SIZE, _ACCOUNT_TYPE) or not data[108]:
        return None
    units = int.from_bytes(data[64:72], "little")
    return Holding(encode(data[:32]), encode(data[32:64]), units, data[108] == _FROZEN)


def parse_table(owner: str, data: bytes) -> list[bytes] | None:
    """The addresses of a lookup table; None for an account that is none, or that is deactivated: it
    works for a while longer, and then no more."""
    body = data[_TABLE_HEADER:]
    active = data[4:12] == b"\xff" * 8
    if owner != programs.LOOKUP_TABLE or data[:4] != _TABLE or not active or len(body) % 32:
        return None
    return [body[at : at + 32] for at in range(0, len(body), 32)]


def _is(data: bytes, size: int, kind: int) -> bool:
    if len(data) == size:
        return True
    return len(data) > _TYPE_OFFSET and data[_TYPE_OFFSET] == kind


def metadata_extension(data: bytes) -> Metadata | None:
    """From the extensions of a Token-2022 mint; None if it has none of that kind."""
    value = extensions.metadata(data)
    return None if value is None else _named(value, 64)  # after authority and mint


def metaplex_metadata(data: bytes) -> Metadata | None:
    """From a Metaplex metadata account; None if it is none."""
    return _named(data, 65) if data[:1] == b"\x04" else None  # after key, authority and mint


def _named(data: bytes, at: int) -> Metadata | None:
    texts = []
    for _ in range(2):
        size = int.from_bytes(data[at : at + 4], "little")
        raw = data[at + 4 : at + 4 + size]
        if len(data) < at + 4 or len(raw) != size:
            return None
        texts.append(_clean(raw))
        at += 4 + size
    return Metadata(texts[0], texts[1])


def _clean(raw: bytes) -> str:
    """Anybody may issue a token: nothing unprintable, no novel."""
    text = raw.decode(errors="replace").strip("\0 ")
    return "".join(letter for letter in text if letter.isprintable())[:_LONGEST]
