"""Uniswap V2 and its forks, as dex.family.Family."""

from collections.abc import Sequence

from chains.evm.abi import address_at
from chains.evm.model import Call, CallError
from core.errors import Reason
from core.liquidity import Liquidity
from dex.allowances import Allowances
from dex.families.constant_product import ConstantProductPool
from dex.families.constant_product_abi import (
    SwapCall,
    decode_reserves,
    get_pair,
    get_reserves,
    pair_address,
    pair_questions,
)
from dex.family import BlockHash, Claim, Place, RevertWords
from dex.network import PoolNetwork
from dex.plans import RouterCall, SwapPlan
from dex.pools import PoolMarket
from dex.providing import Providing
from dex.spec import PoolVenueSpec

# The router's and the tokens' words, whichever fork's name stands before them.
_REVERTS: RevertWords = (
    ("INSUFFICIENT_OUTPUT_AMOUNT", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("EXCESSIVE_INPUT_AMOUNT", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("INSUFFICIENT_A_AMOUNT", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("INSUFFICIENT_B_AMOUNT", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("INSUFFICIENT_LIQUIDITY", Reason.INSUFFICIENT_LIQUIDITY, "the pool has not enough"),
    ("EXPIRED", Reason.QUOTE_EXPIRED, "the deadline is over"),
    (
        "UniswapV2: K",
        Reason.SIMULATION_FAILED,
        "the token keeps a part of each transfer, which this swap cannot handle",
    ),
)


class ReservesReader:
    """Reads all reserves at each block, in one batched read: what was missed or reorganised mends
    itself with the next one."""

    def __init__(self, network: PoolNetwork) -> None:
        self._network = network

    def rewind(self, block: int) -> None:
        """Nothing is kept from block to block."""

    async def read(
        self, markets: Sequence[PoolMarket], block: int
    ) -> Sequence[ConstantProductPool | str]:
        answers = await self._network.multicall(
            [Call(market.address, get_reserves()) for market in markets], block=block
        )
        return [_pool(market, answer) for market, answer in zip(markets, answers, strict=True)]


def _pool(market: PoolMarket, answer: bytes | CallError) -> ConstantProductPool | str:
    if isinstance(answer, CallError):
        return answer.reason
    try:
        return ConstantProductPool(*decode_reserves(answer), market.fee)
    except ValueError as error:
        return str(error)


class ConstantProductFamily:
    """One pool for two tokens, the fee is the protocol's."""

    @property
    def reverts(self) -> RevertWords:
        return _REVERTS

    @property
    def gas_reserve(self) -> int:
        """Two price accumulators written for the first time (the pair's _update does so once a
        block, which an estimate in that block does not see), and the recipient's first balance of
        a token, where it had some when the estimate was made."""
        return 2 * 22_100 + 17_100

    def reader(self, network: PoolNetwork, block_hash: BlockHash) -> ReservesReader:
        return ReservesReader(network)

    def places(self, spec: PoolVenueSpec, token_a: str, token_b: str) -> Sequence[Place]:
        address = pair_address(spec.deployment.factory, spec.init_code_hash, token_a, token_b)
        return [Place(address, spec.protocol.fee)]

    def questions(self) -> Sequence[bytes]:
        return pair_questions()

    def claim(self, spec: PoolVenueSpec, address: str, answers: Sequence[bytes]) -> Claim:
        factory, token0, token1 = (address_at(answer) for answer in answers)
        # The fee is nowhere in the pair: it is that of the protocol whose factory vouches for it.
        place = Place(address, spec.protocol.fee)
        return Claim(factory, token0, token1, get_pair(token0, token1), place)

    def liquidity_spender(self, spec: PoolVenueSpec) -> str:
        return spec.deployment.router

    def liquidity(self, parts: Providing, allowances: Allowances) -> Liquidity:
        from dex.constant_product_liquidity import ConstantProductLiquidity

        return ConstantProductLiquidity(parts, allowances)

    def router_call(
        self, spec: PoolVenueSpec, plan: SwapPlan, first: Sequence[bytes] = ()
    ) -> RouterCall:
        if first:
            raise ValueError("such a router does one thing at a time")
        call = SwapCall(
            exact_in=plan.exact_in,
            native_in=plan.token_in.is_native,
            native_out=plan.token_out.is_native,
            exact=plan.exact,
            limit=plan.limit,
            path=plan.path,
            recipient=plan.sender,
            deadline=plan.deadline // 1_000_000_000,
            measured=plan.measured,
        )
        return RouterCall(call.calldata(spec.protocol.native_word), call.value)
