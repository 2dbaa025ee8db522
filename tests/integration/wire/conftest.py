"""The loop that the daemon runs on."""

import asyncio
from collections.abc import Callable, Mapping

from daemon.rpc.loop import new_event_loop


def pytest_asyncio_loop_factories(
    config: object, item: object
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"daemon": new_event_loop}
