"""Waiting for a condition, with a bound."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Returns when the condition holds; TimeoutError when it does not within the bound."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0)
