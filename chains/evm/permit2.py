"""Permit2: one contract that tokens are approved for, and that lets others take them for a while,
by signatures. Pure.

Source: https://docs.uniswap.org/contracts/permit2/reference/allowance-transfer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chains.evm.abi import WORD, address_word, selector, tail, uint_at, uint_word
from chains.evm.model import CallError
from chains.evm.typed_data import Domain, TypedData, Types

# The same on every network: https://docs.uniswap.org/contracts/v4/deployments.
ADDRESS = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
MAX_AMOUNT = 2**160 - 1
NAME = "Permit2"

TYPES: Types = {
    "PermitSingle": [
        ("PermitDetails", "details"),
        ("address", "spender"),
        ("uint256", "sigDeadline"),
    ],
    "PermitDetails": [
        ("address", "token"),
        ("uint160", "amount"),
        ("uint48", "expiration"),
        ("uint48", "nonce"),
    ],
}


@dataclass(frozen=True, slots=True)
class PermitSingle:
    """What is allowed: `units` of a token, to `spender`, until `deadline` (seconds)."""

    token: str
    units: int
    nonce: int
    spender: str
    deadline: int

    def message(self, chain_id: int, contract: str = ADDRESS) -> TypedData:
        """What the owner signs."""
        details = {
            "token": self.token,
            "amount": self.units,
            "expiration": self.deadline,
            "nonce": self.nonce,
        }
        values = {"details": details, "spender": self.spender, "sigDeadline": self.deadline}
        return TypedData(domain(chain_id, contract), "PermitSingle", TYPES, values)

    def words(self) -> bytes:
        """The struct as calldata has it."""
        numbers = map(uint_word, (self.units, self.deadline, self.nonce))
        return b"".join(
            [
                address_word(self.token),
                *numbers,
                address_word(self.spender),
                uint_word(self.deadline),
            ]
        )


def domain(chain_id: int, contract: str = ADDRESS) -> Domain:
    """Without a version."""
    return Domain(chain_id, contract, NAME)


def questions(owner: str, token: str, spender: str) -> tuple[bytes, bytes]:
    """Calldata for Permit2; `read` reads the answers."""
    words = b"".join(map(address_word, (owner, token, spender)))
    return selector("DOMAIN_SEPARATOR()"), selector("allowance(address,address,address)") + words


def read(chain_id: int, answers: Sequence[bytes | CallError], contract: str = ADDRESS) -> int | str:
    """The nonce of the owner's next permit; why there is no Permit2, in words."""
    separator, allowance = answers
    if isinstance(allowance, CallError) or len(allowance) != 3 * WORD:
        return f"no Permit2 is deployed at {contract}"
    if separator != domain(chain_id, contract).separator():
        return f"what is deployed at {contract} is not Permit2"
    return uint_at(allowance, 2)


def permit_input(permit: PermitSingle, signature: tuple[int, int, int]) -> bytes:
    """A permit and its signature, as (PermitSingle, bytes)."""
    r, s, parity = signature
    joined = uint_word(r) + uint_word(s) + bytes([27 + parity])
    words = permit.words()
    return words + uint_word(len(words) + WORD) + tail(joined)
