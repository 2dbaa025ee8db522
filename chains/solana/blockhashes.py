"""The blockhash that a transaction is signed with: fresh, and with an end that can be trusted."""

from dataclasses import dataclass

from chains.nodes import NodeTrouble
from chains.solana import programs
from chains.solana.pool import Asker, RpcPool
from chains.solana.wire import Blockhash, Valued

# Blocks that a blockhash must have left by what other nodes say: less is soon over.
_LEAST_LEFT = 40


@dataclass(frozen=True, slots=True)
class FreshBlockhash:
    """`slot` is where the node was; after `last_valid_height` it can never be included."""

    hash: str
    last_valid_height: int
    slot: int


async def fresh(pool: RpcPool) -> FreshBlockhash:
    """From the first node whose answer fits what the nodes together say of the chain's height.

    A blockhash from a node that lags dies early, and is asked for elsewhere. And as the end of a
    blockhash is the proof of a transaction's death, one node's word for an end that is too near
    would be a second effect: so it is never before what the nodes' common height makes possible.
    """

    async def ask(asker: Asker) -> FreshBlockhash:
        answer: Valued[Blockhash] = await asker.call(
            "getLatestBlockhash", [{"commitment": "confirmed"}], Valued[Blockhash]
        )
        last, height = answer.value.last_valid_block_height, pool.height
        if last < height + _LEAST_LEFT:
            raise NodeTrouble(
                f"its blockhash ends at height {last}, where others are at {height}: it lags"
            )
        end = max(last, height + programs.MAX_PROCESSING_AGE)
        return FreshBlockhash(answer.value.blockhash, end, answer.context.slot)

    return await pool.with_one(ask)
