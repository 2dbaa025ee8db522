"""The beat of a chain: slots, blocks and blockhashes that follow from the clock alone.

Nothing here is kept on disk but the moment of genesis and the genesis hash: a node that was away
for an hour comes back with the slots, and the expired blockhashes, that a real one would have.
"""

import hashlib
from dataclasses import dataclass

from solders.hash import Hash

from chains.solana.programs import FINALITY_DEPTH, MAX_PROCESSING_AGE
from core.clock import Clock

SLOT_TIME = 400_000_000  # ns
# Slots without a block before the first: on a real chain heights lag behind slots too, and code
# that mixes them up must fail here as it would there.
SKIPPED_SLOTS = 10_000
# Blocks at genesis, so that there is a finalized one from the beginning.
_FIRST_HEIGHT = 400
_REMEMBERED = 2 * MAX_PROCESSING_AGE
_LAG = {"processed": 0, "confirmed": 1, "finalized": FINALITY_DEPTH}


@dataclass(frozen=True, slots=True)
class Block:
    """One block; its blockhash can be used until the chain is higher than `last_valid_height`."""

    slot: int
    height: int
    blockhash: Hash

    @property
    def last_valid_height(self) -> int:
        """The last height at which a transaction with this blockhash can be included."""
        return self.height + MAX_PROCESSING_AGE


class Slots:
    """Tells the block of a moment. Never goes back, whatever the clock does."""

    def __init__(self, clock: Clock, genesis_time: int, genesis: Hash, slot_time: int) -> None:
        self._clock = clock
        self._genesis_time = genesis_time
        self._genesis = genesis
        self.slot_time = slot_time
        self._height = 0
        self._heights: dict[Hash, int] = {}  # of the blockhashes that are remembered

    def block(self, commitment: str = "processed") -> Block:
        """The newest block with a commitment; KeyError for an unknown one."""
        return self.at(self._now() - _LAG[commitment])

    def valid_until(self, blockhash: Hash) -> int | None:
        """The last valid height of a blockhash; None if it is unknown or expired."""
        self._now()
        height = self._heights.get(blockhash)
        if height is None or self._height - height > MAX_PROCESSING_AGE:
            return None
        return height + MAX_PROCESSING_AGE

    def hashes(self, count: int) -> list[tuple[int, Hash]]:
        """The newest slots with their hashes, newest first, for the SlotHashes sysvar."""
        top = self._now()
        blocks = [self.at(height) for height in range(top - 1, max(top - 1 - count, -1), -1)]
        return [(block.slot, block.blockhash) for block in blocks]

    def unix_time(self, slot: int) -> int:
        """When a slot began, in seconds."""
        height = slot - SKIPPED_SLOTS
        elapsed = (height - _FIRST_HEIGHT) * self.slot_time
        return (self._genesis_time + elapsed) // 1_000_000_000

    def _now(self) -> int:
        elapsed = (self._clock.now() - self._genesis_time) // self.slot_time
        height = max(self._height, _FIRST_HEIGHT + elapsed)
        if height != self._height:
            first = max(self._height + 1, height - _REMEMBERED)
            self._height = height
            for new in range(first, height + 1):
                self._heights[self._hash(new)] = new
            for old in [h for h, n in self._heights.items() if n < height - _REMEMBERED]:
                del self._heights[old]
        return self._height

    def at(self, height: int) -> Block:
        """The block of a height."""
        return Block(height + SKIPPED_SLOTS, height, self._hash(height))

    def _hash(self, height: int) -> Hash:
        return Hash(hashlib.sha256(bytes(self._genesis) + height.to_bytes(8, "big")).digest())
