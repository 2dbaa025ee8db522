"""What is sent to Uniswap's Universal Router, which takes tokens by Permit2. Pure.

Sources: https://docs.uniswap.org/contracts/universal-router/technical-reference, and Commands.sol
and Dispatcher.sol of https://github.com/Uniswap/universal-router.
"""

from chains.evm.abi import WORD, address_word, bytes_array, selector, tail, uint_word
from dex.families.concentrated_router import encoded_path
from dex.plans import RouterCall, Segment, SwapPlan

_V3 = {True: 0x00, False: 0x01}  # exact in, exact out
_V2 = {True: 0x08, False: 0x09}
_PERMIT2_PERMIT = 0x0A
_UNWRAP = 0x0C
# A command that fails with this bit leaves the others to go on. A permit that somebody else has
# used before us fails, and what it allows is there; what is not there, the swap finds out.
_MAY_FAIL = 0x80

_CALLER = "0x" + "0" * 39 + "1"
_ROUTER = "0x" + "0" * 39 + "2"
_ALL = 1 << 255  # as an amount: all that the router has


def router_call(plan: SwapPlan, by_pairs: bool, permit: bytes) -> RouterCall:
    """A swap of an ERC-20 token; `permit` is Permit2's (PermitSingle, bytes). `by_pairs`: the legs
    go through pools of constant product where they do not say otherwise. ValueError for a plan with
    a price limit: this router knows none."""
    if plan.price_limit or plan.token_in.is_native:
        raise ValueError("a swap by Permit2 is of a token, and has no price limit")
    recipient = _ROUTER if plan.token_out.is_native else _CALLER
    commands, inputs = [_PERMIT2_PERMIT | _MAY_FAIL], [permit]
    for leg in plan.legs:
        if len(leg.segments) > 1 and not plan.exact_in:
            raise ValueError("the kind of pool changes for exact in only")
        last = len(leg.segments) - 1
        for place, segment in enumerate(leg.segments):
            pairs = by_pairs or segment.by_reserves
            commands.append((_V2 if pairs else _V3)[plan.exact_in])
            # Between two segments the router has the tokens; the last one guards the whole.
            amounts = _ALL if place else leg.exact, leg.limit if place == last else 0
            to = recipient if place == last else _ROUTER
            inputs.append(_swap(segment, amounts, plan.exact_in, pairs, to, place == 0))
    if plan.token_out.is_native:
        least = plan.limit if plan.exact_in else plan.exact
        commands.append(_UNWRAP)
        inputs.append(address_word(_CALLER) + uint_word(least))
    first = tail(bytes(commands))
    deadline = plan.deadline // 1_000_000_000
    head = uint_word(3 * WORD) + uint_word(3 * WORD + len(first)) + uint_word(deadline)
    data = selector("execute(bytes,bytes[],uint256)") + head + first + bytes_array(inputs)
    return RouterCall(data, 0)


def _swap(
    segment: Segment, amounts: tuple[int, int], exact_in: bool, pairs: bool, to: str, paid: bool
) -> bytes:
    """(recipient, exact amount, limit, path, whether the caller pays)."""
    if pairs:
        path = uint_word(len(segment.path)) + b"".join(map(address_word, segment.path))
    else:
        # For exact out the contract goes from what comes out to what goes in.
        turn = slice(None, None, 1 if exact_in else -1)
        path = tail(encoded_path(segment.path[turn], segment.fees[turn]))
    words = [address_word(to), *map(uint_word, amounts)]
    return b"".join([*words, uint_word(5 * WORD), uint_word(paid), path])
