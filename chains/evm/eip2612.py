"""Permits of tokens: an approval that is signed and not sent. Pure.

A token is asked whether it takes permits, and for which domain; nothing is believed that its own
domain separator does not bear out. So a signature that is made here is good for that token, on that
chain, and for nothing else.

Sources: https://eips.ethereum.org/EIPS/eip-2612, https://eips.ethereum.org/EIPS/eip-5267.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chains.evm.abi import (
    WORD,
    address_at,
    address_word,
    bytes_at,
    selector,
    text_at,
    uint_at,
    uint_word,
)
from chains.evm.model import CallError
from chains.evm.typed_data import Domain, TypedData, Types

TYPES: Types = {
    "Permit": [
        ("address", "owner"),
        ("address", "spender"),
        ("uint256", "value"),
        ("uint256", "nonce"),
        ("uint256", "deadline"),
    ]
}
# keccak of Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline), and
# of DAI's Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed); a test
# computes them anew.
TYPE_HASH = bytes.fromhex("6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9")
DAI_TYPE_HASH = bytes.fromhex("ea2aa0a1be11a07ed86d755c93467f4f82362b452371d1ba94d1715123511acb")

_PERMIT = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
_ALL_FIELDS = 0x0F  # name, version, chainId, verifyingContract, in EIP-5267's bits
_LONGEST = 256  # bytes of a name or a version
# Versions that are tried where a token tells none; most say 1, Circle's tokens 2.
_VERSIONS = ("1", "2")


@dataclass(frozen=True, slots=True)
class Permitting:
    """A token that takes permits, and the owner's count of them."""

    domain: Domain
    nonce: int

    def message(self, owner: str, spender: str, units: int, deadline: int) -> TypedData:
        """What the owner signs; `deadline` in seconds."""
        values = {
            "owner": owner,
            "spender": spender,
            "value": units,
            "nonce": self.nonce,
            "deadline": deadline,
        }
        return TypedData(self.domain, "Permit", TYPES, values)


def questions(owner: str) -> tuple[bytes, ...]:
    """Calldata for the token; `read` reads the answers.

    The last is a permit that nobody signed and that has long expired: a token that knows the
    function refuses it with a reason, and one without it has nothing to say or does not mind.
    """
    probe = [address_word(owner), address_word(owner), *map(uint_word, (0, 0, 27, 1, 1))]
    return (
        selector("DOMAIN_SEPARATOR()"),
        selector("nonces(address)") + address_word(owner),
        selector("name()"),
        selector("version()"),
        selector("eip712Domain()"),
        selector("PERMIT_TYPEHASH()"),
        selector(_PERMIT) + b"".join(probe),
    )


def read(chain_id: int, token: str, answers: Sequence[bytes | CallError]) -> Permitting | str:
    """What the answers to `questions` say; why it takes no permits, in words, where it does not."""
    separator, nonce, name, version, described, type_hash, probe = answers
    if not _is_word(separator) or not _is_word(nonce):
        return "the token takes no permits (EIP-2612)"
    if type_hash == DAI_TYPE_HASH:
        return (
            "the token takes permits as DAI does, which have no amount: they would allow the "
            "spender everything"
        )
    known = _is_word(type_hash)
    if known and type_hash != TYPE_HASH:
        return "the token takes permits of a kind of its own"
    if not isinstance(probe, CallError):
        return "the token does not refuse a permit that nobody signed"
    if not known and not probe.data:
        return "the token has a domain to sign for, but no permit that EIP-2612 describes"
    for domain in _domains(chain_id, token, name, version, described):
        if domain.separator() == separator:
            assert isinstance(nonce, bytes)
            return Permitting(domain, uint_at(nonce))
    return (
        "the token's domain separator is not that of its name, version, chain and address: a "
        "signature for it might be good elsewhere"
    )


def self_permit(token: str, units: int, deadline: int, signature: tuple[int, int, int]) -> bytes:
    """The periphery's selfPermitIfNecessary: for the router itself, and only where the allowance is
    not there already, as it is when somebody else has used the permit before us.

    https://docs.uniswap.org/contracts/v3/reference/periphery/base/SelfPermit
    """
    name = "selfPermitIfNecessary(address,uint256,uint256,uint8,bytes32,bytes32)"
    return (
        selector(name)
        + address_word(token)
        + uint_word(units)
        + uint_word(deadline)
        + vrs(signature)
    )


def vrs(signature: tuple[int, int, int]) -> bytes:
    """r, s and parity as contracts take them: v, r, s."""
    r, s, parity = signature
    return uint_word(27 + parity) + uint_word(r) + uint_word(s)


def _domains(
    chain_id: int,
    token: str,
    name: bytes | CallError,
    version: bytes | CallError,
    described: bytes | CallError,
) -> Iterator[Domain]:
    """Those that the token may have meant. Chain and address are never the token's own words."""
    own = _described(described)
    if own is not None:
        yield Domain(chain_id, token, *own)
    told = _text(name)
    if told is not None:
        stated = _text(version)
        for one in dict.fromkeys((stated, *_VERSIONS)):
            if one is not None:
                yield Domain(chain_id, token, told, one)


def _described(answer: bytes | CallError) -> tuple[str, str] | None:
    """Name and version of an answer to eip712Domain; None for a domain of other fields."""
    if isinstance(answer, CallError):
        return None
    try:
        if answer[:1] != bytes([_ALL_FIELDS]):
            return None
        address_at(answer, 4)
        texts = [bytes_at(answer, uint_at(answer, place)) for place in (1, 2)]
        if max(map(len, texts)) > _LONGEST:
            return None
        return texts[0].decode(), texts[1].decode()
    except ValueError:
        return None


def _text(answer: bytes | CallError) -> str | None:
    """Of a string or an early token's bytes32; None for neither."""
    if isinstance(answer, CallError) or len(answer) > _LONGEST + 3 * WORD:
        return None
    try:
        return text_at(answer)
    except ValueError:
        return None


def _is_word(answer: bytes | CallError) -> bool:
    return isinstance(answer, bytes) and len(answer) == WORD
