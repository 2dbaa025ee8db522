"""The Python client of cambistd: every exchange and every DEX behind one API.

import asyncio
import cambist

async def main() -> None:
    async with cambist.connect() as c:
        async for book in c.market.order_book("paper", "ETH-USDC"):
            print(book.state, book.best_bid, book.best_ask)

asyncio.run(main())
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cambist.api import *  # noqa: F403
    from cambist.api import __all__ as __all__
else:
    # Only when a name is asked for: the daemon needs the messages of the contract (cambist.v1) and
    # not the client, whose gRPC takes a fifth of a second and some 27 MB.
    def __getattr__(name):
        api = import_module("cambist.api")
        if name in globals():  # a module that came with it
            return globals()[name]
        try:
            return getattr(api, name)
        except AttributeError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None

    def __dir__():
        return [*globals(), *import_module("cambist.api").__all__]
