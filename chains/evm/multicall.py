"""Many reads of contracts in one, at one block, through the Multicall3 contract.

Deployed at the same address on most chains: https://www.multicall3.com
"""

from collections.abc import Sequence

from chains.evm.abi import WORD, address_word, bytes_at, selector, tail, uint_at, uint_word
from chains.evm.model import Call, CallError
from chains.evm.reverts import decode as decode_revert

ADDRESS = "0xcA11bde05977b3631167028862bE2a173976CA11"


def eth_balance(owner: str) -> Call:
    """A native balance, as Multicall3 reads it."""
    return Call(ADDRESS, selector("getEthBalance(address)") + address_word(owner))


def encode(calls: Sequence[Call]) -> bytes:
    """Calldata of aggregate3((address target, bool allowFailure, bytes callData)[])."""
    heads, bodies, offset = [], [], len(calls) * WORD
    for call in calls:
        body = address_word(call.to) + uint_word(1) + uint_word(3 * WORD) + tail(call.data)
        heads.append(uint_word(offset))
        bodies.append(body)
        offset += len(body)
    array = uint_word(len(calls)) + b"".join(heads) + b"".join(bodies)
    return selector("aggregate3((address,bool,bytes)[])") + uint_word(WORD) + array


def decode(data: bytes, count: int) -> list[bytes | CallError]:
    """The results of aggregate3, (bool success, bytes returnData)[]; ValueError if malformed."""
    start = uint_at(data)
    array = data[start:]
    if uint_at(array) != count:
        raise ValueError(f"{uint_at(array)} results for {count} calls")
    results: list[bytes | CallError] = []
    items = array[WORD:]
    for index in range(count):
        item = items[uint_at(items, index) :]
        content = bytes_at(item, uint_at(item, 1))
        results.append(content if uint_at(item) else CallError(decode_revert(content), content))
    return results
