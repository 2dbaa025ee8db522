"""A pool's Swap event, whichever kind of pool told it. Pure."""

from collections.abc import Sequence

from dex.families import concentrated_abi, constant_product_abi
from dex.families.curve import SwapLog

SWAP_TOPICS = (constant_product_abi.SWAP_TOPIC, *concentrated_abi.SWAP_TOPICS)


def is_swap(topics: Sequence[bytes]) -> bool:
    """Whether an event is a swap."""
    return bool(topics) and topics[0] in SWAP_TOPICS


def decode(topics: Sequence[bytes], data: bytes) -> SwapLog:
    """What went in and came out; ValueError when malformed."""
    if topics and topics[0] in concentrated_abi.SWAP_TOPICS:
        swap = concentrated_abi.decode_swap(topics, data)
        return SwapLog(
            in0=max(swap.amount0, 0),
            in1=max(swap.amount1, 0),
            out0=max(-swap.amount0, 0),
            out1=max(-swap.amount1, 0),
            recipient=swap.recipient,
        )
    return constant_product_abi.decode_swap(topics, data)
