"""The RPC methods about a cluster of validators, answered for one that has a single node, no stake
and no votes. https://solana.com/docs/rpc/http
"""

from typing import Any

from chains.solana.localnet import genesis
from chains.solana.localnet import parameters as p
from chains.solana.localnet.chain import Chain
from chains.solana.localnet.parameters import Parameters
from chains.solana.localnet.read_methods import SLOTS_PER_EPOCH, VERSION

_MAX_LEADERS = 5_000
_SAMPLE = 60  # seconds
_MAX_SAMPLES = 720
_IDENTITY = str(genesis.FAUCET.pubkey())


def get_cluster_nodes(chain: Chain, params: Parameters) -> Any:
    node: dict[str, Any] = {"pubkey": _IDENTITY, "version": VERSION["solana-core"]}
    node |= {"featureSet": VERSION["feature-set"], "shredVersion": 0}
    names: tuple[str, ...] = (
        "gossip",
        "tpu",
        "tpuQuic",
        "tpuForwards",
        "tpuForwardsQuic",
        "tpuVote",
        "tvu",
    )
    names += ("rpc", "pubsub", "serveRepair")
    return [node | dict.fromkeys(names)]


def get_epoch_schedule(chain: Chain, params: Parameters) -> Any:
    return {
        "slotsPerEpoch": SLOTS_PER_EPOCH,
        "leaderScheduleSlotOffset": SLOTS_PER_EPOCH,
        "warmup": False,
        "firstNormalEpoch": 0,
        "firstNormalSlot": 0,
    }


def get_slot_leaders(chain: Chain, params: Parameters) -> Any:
    limit = params.integer(1)
    if not 0 < limit <= _MAX_LEADERS:
        raise p.invalid(f"Invalid limit; max {_MAX_LEADERS}")
    return [_IDENTITY] * limit


def get_performance(chain: Chain, params: Parameters) -> Any:
    """One sample of the last minute."""
    limit = params.integer(0) if params.count else _MAX_SAMPLES
    if limit > _MAX_SAMPLES:
        raise p.invalid(f"Invalid limit; max {_MAX_SAMPLES}")
    slots = _SAMPLE * 1_000_000_000 // chain.slots.slot_time
    top = chain.slots.block().slot
    count = chain.store.transactions_since(top - slots)
    sample = {"slot": top, "numSlots": slots, "samplePeriodSecs": _SAMPLE}
    sample |= {"numTransactions": count, "numNonVoteTransactions": count}
    return [sample][:limit]


METHODS = {
    "getClusterNodes": get_cluster_nodes,
    "getEpochSchedule": get_epoch_schedule,
    "getIdentity": lambda chain, params: {"identity": _IDENTITY},
    "getRecentPerformanceSamples": get_performance,
    "getSlotLeader": lambda chain, params: _IDENTITY,
    "getSlotLeaders": get_slot_leaders,
    "getVoteAccounts": lambda chain, params: {"current": [], "delinquent": []},
}
