"""Hedged questions: a second node is asked when the first takes unusually long, and the first good
answer counts. One slow node then costs a fraction of a second instead of its whole timeout.

https://research.google/pubs/the-tail-at-scale/
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from chains.nodes import Node, NodeTrouble
from core.clock import MILLISECOND, SECOND
from core.errors import CambistError

T = TypeVar("T")

_FLOOR = 150 * MILLISECOND  # sooner would double the requests for nothing
_TIMES = 4  # as long as usual
OFTEN_OUTRUN = 3  # times in a row: then a node is asked later than others
_ABREAST = 2  # nodes that are asked at a time


def patience(node: Node, timeout: float) -> float:  # float: seconds
    """How long a node may take before another one is asked as well."""
    usual = max(node.latency * _TIMES, _FLOOR)
    return min(usual / SECOND, timeout / 2)  # float: seconds


async def race(
    nodes: Sequence[Node],
    ask: Callable[[Node], Awaitable[T]],
    good: Callable[[Node, T], bool],
    wait: Callable[[Node], float | None],  # float: seconds; None: for as long as it takes
    unavailable: Callable[[], CambistError],
) -> T:
    """The first good answer; the last other one where none is good. Raises what `ask` raises but
    NodeTrouble, and `unavailable` when no node answers."""
    waiting = list(nodes)
    running: dict[asyncio.Task[T], Node] = {}
    last: list[T] = []
    try:
        while waiting or running:
            if waiting and len(running) < _ABREAST:
                node = waiting.pop(0)
                running[asyncio.ensure_future(_run(ask, node))] = node
                pause = wait(node)
            if not waiting or len(running) >= _ABREAST:
                pause = None
            done, _ = await asyncio.wait(running, timeout=pause, return_when="FIRST_COMPLETED")
            for task in done:
                node = running.pop(task)
                try:
                    answer = task.result()
                except NodeTrouble:
                    continue
                if good(node, answer):
                    for slower in running.values():
                        slower.lost()
                    return answer
                last.append(answer)
        if not last:
            raise unavailable()
        return last[-1]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _run(ask: Callable[[Node], Awaitable[T]], node: Node) -> T:
    return await ask(node)
