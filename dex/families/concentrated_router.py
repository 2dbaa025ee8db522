"""What is sent to a router of concentrated liquidity.

Two routers are in use, with the same functions but for where the deadline stands: SwapRouter has it
in each swap (https://docs.uniswap.org/contracts/v3/reference/periphery/SwapRouter), SwapRouter02 in
its multicall (https://github.com/Uniswap/swap-router-contracts).
"""

from collections.abc import Sequence

from chains.evm.abi import WORD, address_word, selector, tail, uint_word
from chains.evm.codec import unhex
from dex.families.concentrated_abi import batch
from dex.plans import PlanLeg, RouterCall, Segment, SwapPlan
from dex.spec import RouterKind

# Who receives while the router still has something to do with it: itself.
_ROUTER = {
    RouterKind.SWAP_ROUTER: "0x" + "0" * 40,
    RouterKind.SWAP_ROUTER_02: "0x" + "0" * 39 + "2",
}


def encoded_path(path: tuple[str, ...], fees: tuple[int, ...]) -> bytes:
    """Tokens and the fees between them, packed as the contract reads them."""
    packed = unhex(path[0])
    for token, fee in zip(path[1:], fees, strict=True):
        packed += fee.to_bytes(3, "big") + unhex(token)
    return packed


def router_call(plan: SwapPlan, kind: RouterKind, first: Sequence[bytes] = ()) -> RouterCall:
    """The router's functions for a swap: `first` what comes before it, then each leg, and what
    native coins need besides."""
    native_in, native_out = plan.token_in.is_native, plan.token_out.is_native
    deadline = plan.deadline // 1_000_000_000
    partial = plan.price_limit != 0
    least = plan.limit if plan.exact_in else plan.exact
    recipient = _ROUTER[kind] if native_out else plan.sender
    calls = [*first]
    for leg in plan.legs:
        calls += _leg(plan, leg, kind, recipient, deadline)
    if native_out:
        words = uint_word(0 if partial else least) + address_word(plan.sender)
        calls.append(selector("unwrapWETH9(uint256,address)") + words)
    if native_in:  # also for exact in: where a pool's liquidity ends, something is left
        calls.append(selector("refundETH()"))
    value = plan.most_in if native_in else 0
    if kind is RouterKind.SWAP_ROUTER_02:
        return RouterCall(batch(calls, deadline), value)
    return RouterCall(calls[0] if len(calls) == 1 else batch(calls, None), value)


def _leg(
    plan: SwapPlan, leg: PlanLeg, kind: RouterKind, recipient: str, deadline: int
) -> list[bytes]:
    """A call for each segment. Between two of them the router has the tokens: an exact amount of 0
    is, to SwapRouter02, all that it has of a token, and the last one guards the whole."""
    if len(leg.segments) > 1 and (kind is not RouterKind.SWAP_ROUTER_02 or not plan.exact_in):
        raise ValueError("only SwapRouter02 changes the kind of pool, and only for exact in")
    calls = []
    last = len(leg.segments) - 1
    for place, segment in enumerate(leg.segments):
        exact = 0 if place else leg.exact
        limit = leg.limit if place == last else 0
        to = recipient if place == last else _ROUTER[kind]
        if segment.by_reserves:
            calls.append(_through_pairs(segment, exact, limit, plan.exact_in, to))
            continue
        if plan.price_limit and plan.exact_in:
            limit = 0  # what a part of the swap gives is guarded by the price alone
        until = [uint_word(deadline)] if kind is RouterKind.SWAP_ROUTER else []
        head = [address_word(to), *until, uint_word(exact), uint_word(limit)]
        calls.append(_through_ticks(segment, head, plan.exact_in, plan.price_limit))
    return calls


def _through_ticks(segment: Segment, head: list[bytes], exact_in: bool, price_limit: int) -> bytes:
    """`head`: recipient, deadline where there is one, amount, limit."""
    direction = "Input" if exact_in else "Output"
    deadline_type = ",uint256" if len(head) == 4 else ""
    path, fees = segment.path, segment.fees
    if len(fees) == 1:
        words = [address_word(path[0]), address_word(path[1]), uint_word(fees[0])]
        words += [*head, uint_word(price_limit)]
        types = f"(address,address,uint24,address{deadline_type},uint256,uint256,uint160)"
        return selector(f"exact{direction}Single({types})") + b"".join(words)
    if not exact_in:  # the contract goes from what comes out to what goes in
        path, fees = path[::-1], fees[::-1]
    start = uint_word(WORD) + uint_word(WORD * (len(head) + 1)) + b"".join(head)
    types = f"(bytes,address{deadline_type},uint256,uint256)"
    return selector(f"exact{direction}({types})") + start + tail(encoded_path(path, fees))


def _through_pairs(segment: Segment, exact: int, limit: int, exact_in: bool, to: str) -> bytes:
    """SwapRouter02's way through pools of constant product; its multicall has the deadline."""
    name = "swapExactTokensForTokens" if exact_in else "swapTokensForExactTokens"
    words = [uint_word(exact), uint_word(limit), uint_word(4 * WORD), address_word(to)]
    words += [uint_word(len(segment.path)), *map(address_word, segment.path)]
    return selector(f"{name}(uint256,uint256,address[],address)") + b"".join(words)
