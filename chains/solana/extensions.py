"""Extensions of Token-2022 that decide whether, and how much of, a transfer arrives. Pure.

Behind the base account: a byte for the kind of account, then entries of type, length and value.
https://www.solana-program.com/docs/token-2022/extensions, layouts from
https://github.com/solana-program/token-2022 (interface, extension).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chains.solana.base58 import encode

TYPE_OFFSET = 165
_BASIS = 10_000
# Numbers of the extensions.
_TRANSFER_FEE, _FROZEN_AT_FIRST, _MEMO_REQUIRED, _NON_TRANSFERABLE = 1, 6, 8, 9
_TRANSFER_HOOK, _METADATA, _PAUSABLE = 14, 19, 26
_FROZEN = 2


@dataclass(frozen=True, slots=True)
class TransferFee:
    """What the token keeps of each transfer from `epoch` on: basis points, at most `maximum`
    units."""

    epoch: int
    maximum: int
    basis_points: int

    def of(self, units: int) -> int:
        """The fee of a transfer of so many units; rounded up, as the program does."""
        return min(-(-units * self.basis_points // _BASIS), self.maximum)


@dataclass(frozen=True, slots=True)
class MintRules:
    """What a mint's extensions say of transfers. `hook` is the program that must agree."""

    fees: tuple[TransferFee, ...] = ()  # by epoch, newest last
    non_transferable: bool = False
    frozen_at_first: bool = False
    paused: bool = False
    hook: str = ""

    def fee(self, units: int, epoch: int) -> int | None:
        """Units that are withheld of a transfer in an epoch; None for a token without fees."""
        if not self.fees:
            return None
        begun = [fee for fee in self.fees if fee.epoch <= epoch]
        return (begun or self.fees)[-1 if begun else 0].of(units)


def entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Types and values; ends where they make no sense."""
    at = TYPE_OFFSET + 1
    while at + 4 <= len(data):
        kind, size = (int.from_bytes(data[at + i : at + i + 2], "little") for i in (0, 2))
        value = data[at + 4 : at + 4 + size]
        if not kind or len(value) != size:
            return
        yield kind, value
        at += 4 + size


def mint_rules(data: bytes) -> MintRules:
    """Of a mint's account."""
    found = dict(entries(data))
    fee, hook = found.get(_TRANSFER_FEE, b""), found.get(_TRANSFER_HOOK, b"")
    program = hook[32:64]
    paused = found.get(_PAUSABLE, b"")
    return MintRules(
        fees=tuple(_fee(fee[at : at + 18]) for at in (72, 90)) if len(fee) >= 108 else (),
        non_transferable=_NON_TRANSFERABLE in found,
        frozen_at_first=found.get(_FROZEN_AT_FIRST, b"") == bytes([_FROZEN]),
        paused=len(paused) >= 33 and paused[32] == 1,
        hook=encode(program) if any(program) else "",
    )


def memo_required(data: bytes) -> bool:
    """Whether a token account only takes transfers with a memo."""
    return dict(entries(data)).get(_MEMO_REQUIRED, b"")[:1] == b"\1"


def metadata(data: bytes) -> bytes | None:
    """The token's name and symbol as its mint has them; None if it does not."""
    return dict(entries(data)).get(_METADATA)


def _fee(raw: bytes) -> TransferFee:
    epoch, maximum = (int.from_bytes(raw[at : at + 8], "little") for at in (0, 8))
    return TransferFee(epoch, maximum, int.from_bytes(raw[16:18], "little"))
