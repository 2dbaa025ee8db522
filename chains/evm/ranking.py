"""Which node to ask first, by how each has behaved; and what they are worth together."""

from collections.abc import Mapping, Sequence

from chains.budget import Budget
from chains.nodes import Node, NodeTrouble, strangers
from chains.racing import OFTEN_OUTRUN
from core.clock import Clock
from core.errors import CambistError, Reason

MAX_LAG = 3  # blocks behind the best node before a node is used last
MAX_LEAD = 128  # blocks before most nodes: whoever tells of more is not believed
_CANNOT_SHOW = "it tells of a block whose parents it cannot show"


class Ranking:
    """The nodes of one chain, best first. `budgets` by the identity of a node."""

    def __init__(self, nodes: Sequence[Node], budgets: Mapping[int, Budget], clock: Clock) -> None:
        self._nodes = nodes
        self._budgets = budgets
        self._clock = clock

    def order(self) -> list[Node]:
        """Nodes to try. Throttled ones are left out until their time has come; nodes that merely
        failed are tried last, since there may be no better."""
        now, highest = self._clock.monotonic(), self.highest
        best = max((node.head for node in self._nodes if node.head <= highest), default=0)

        def rank(node: Node) -> tuple[bool, bool, bool, int]:
            slow = node.outrun if node.outrun >= OFTEN_OUTRUN else 0
            odd = not best - MAX_LAG <= node.head <= highest
            spent = self._budgets[id(node)].is_spent
            return node.paused_until > now, odd, spent, node.failures + slow

        return sorted(
            (n for n in self._nodes if not (n.throttled and n.paused_until > now)), key=rank
        )

    def well(self) -> list[Node]:
        """Those that have not failed of late, or all where none is well."""
        nodes, now = self.order(), self._clock.monotonic()
        return [node for node in nodes if node.paused_until <= now] or nodes

    @property
    def highest(self) -> int:
        """The highest head that is believed: not far beyond what most nodes told. Of two the higher
        counts: a node that stands still is more common than one that lies."""
        heads = sorted(node.head for node in self._nodes if node.head)
        return (heads[len(heads) // 2] if heads else 0) + MAX_LEAD

    def doubt(self, number: int) -> None:
        """A block was told of, and could not be shown: whoever tells of so many is asked last."""
        for node in self._nodes:
            if node.head >= number:
                node.head = 0
                node.failed(NodeTrouble(_CANNOT_SHOW), self._clock.monotonic())

    @property
    def strangers(self) -> list[str]:
        """See chains.nodes."""
        return strangers(self._nodes)

    def unavailable(self, network: str) -> CambistError:
        """NODE_UNAVAILABLE, with what is wrong with each node."""
        troubles = "; ".join(f"{one.label}: {one.trouble}" for one in self._nodes if one.trouble)
        now = self._clock.monotonic()
        waits = [node.paused_until - now for node in self._nodes if node.paused_until > now]
        return CambistError(
            Reason.NODE_UNAVAILABLE,
            f"no RPC node of {network} answers ({troubles[:500] or 'none is configured'}); "
            "check the network's urls in the configuration",
            {"network": network, "nodes": troubles[:1000]},
            retry_after=min(waits) if waits else None,
        )
