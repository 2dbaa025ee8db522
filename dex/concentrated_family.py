"""Uniswap V3 and its forks, as dex.family.Family."""

from collections.abc import Sequence

from chains.evm.abi import address_at, uint_at
from core.errors import Reason
from core.liquidity import Liquidity
from dex.allowances import Allowances
from dex.concentrated_reader import ConcentratedReader
from dex.families import concentrated_abi as abi
from dex.families.concentrated_math import MILLION
from dex.families.concentrated_router import router_call
from dex.families.constant_product_abi import sort_tokens
from dex.families.curve import FeeRate
from dex.family import BlockHash, Claim, Place, RevertWords
from dex.network import PoolNetwork
from dex.plans import RouterCall, SwapPlan
from dex.providing import Providing
from dex.spec import PoolVenueSpec

_REVERTS: RevertWords = (
    ("Too little received", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("Too much requested", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("Insufficient WETH9", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("Price slippage check", Reason.SLIPPAGE_EXCEEDED, "the price moved past the limit"),
    ("SPL", Reason.SLIPPAGE_EXCEEDED, "the price is past the limit"),
    ("Transaction too old", Reason.QUOTE_EXPIRED, "the deadline is over"),
    (
        "IIA",
        Reason.SIMULATION_FAILED,
        "the token keeps a part of each transfer, which this kind of pool cannot handle",
    ),
)


def place(address: str, fee: int, spacing: int) -> Place:
    """A pool with its fee in millionths."""
    return Place(address, FeeRate(MILLION - fee, MILLION), spacing, str(fee))


class ConcentratedFamily:
    """A pool for each fee that two tokens are traded at."""

    @property
    def reverts(self) -> RevertWords:
        return _REVERTS

    @property
    def gas_reserve(self) -> int:
        """An observation written for the first time, the recipient's first balance, and two ticks
        more to cross than there were when the estimate was made."""
        return 22_100 + 17_100 + 2 * 40_000

    def reader(self, network: PoolNetwork, block_hash: BlockHash) -> ConcentratedReader:
        return ConcentratedReader(network, block_hash)

    def places(self, spec: PoolVenueSpec, token_a: str, token_b: str) -> Sequence[Place]:
        token0, token1 = sort_tokens(token_a, token_b)
        deployer = spec.deployment.deployer or spec.deployment.factory
        hash = spec.init_code_hash
        return [
            place(abi.pool_address(deployer, hash, token0, token1, fee), fee, spacing)
            for fee, spacing in spec.protocol.tiers
        ]

    def questions(self) -> Sequence[bytes]:
        return abi.pool_questions()

    def claim(self, spec: PoolVenueSpec, address: str, answers: Sequence[bytes]) -> Claim:
        factory, token0, token1 = (address_at(answer) for answer in answers[:3])
        fee, spacing = uint_at(answers[3]), abi.signed_at(answers[4])
        if not (0 <= fee < MILLION and 0 < spacing < 16_384):
            raise ValueError(f"a fee of {fee} and a tick spacing of {spacing} make no sense")
        proof = abi.get_pool(token0, token1, fee)
        return Claim(factory, token0, token1, proof, place(address, fee, spacing))

    def liquidity_spender(self, spec: PoolVenueSpec) -> str:
        return spec.deployment.positions

    def liquidity(self, parts: Providing, allowances: Allowances) -> Liquidity:
        from dex.concentrated_liquidity import ConcentratedLiquidity

        return ConcentratedLiquidity(parts, allowances)

    def router_call(
        self, spec: PoolVenueSpec, plan: SwapPlan, first: Sequence[bytes] = ()
    ) -> RouterCall:
        return router_call(plan, spec.deployment.router_kind, first)
