"""The event loop of our programs: uvloop's where there is one."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs the program; as asyncio.run."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A new one."""
    try:
        import uvloop
    except ImportError:  # not for this platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
