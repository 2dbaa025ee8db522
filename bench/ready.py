"""Waiting for a daemon from the outside, as a bot would."""

import asyncio

import cambist
from cambist.types import DaemonState

_READY = 20.0  # float: seconds, asyncio's unit


async def until_ready(client: cambist.Client) -> None:
    """Returns when everything that is configured works; TimeoutError tells what does not."""
    missing = ""
    try:
        async with asyncio.timeout(_READY), client.system.status() as statuses:
            async for status in statuses:
                if status.state is DaemonState.READY:
                    return
                missing = "; ".join(
                    f"{part.kind} {part.id}: {part.condition.health.name} {part.condition.reason}"
                    for part in status.components
                    if part.condition.health.name != "READY"
                )
    except TimeoutError:
        raise TimeoutError(f"not ready within {_READY:.0f} s: {missing}") from None
