"""Book updates from the venue's websocket through the daemon to subscribers, beside ccxt.pro.

All contenders are set up first and take turns at full speed, so that a machine that is busy with
something else is so for all of them.
"""

from contextlib import AsyncExitStack

from bench.books import Contender
from bench.case import Setting
from bench.child import worker
from bench.local import address, live_config, running_daemon, running_venue
from bench.results import Result

TITLE = "book updates"
ORDER = 1

_SIXTEEN = (4, 4)  # processes, streams in each
_PEER = "ccxt.pro, in process"


async def run(setting: Setting) -> list[Result]:
    """One subscriber, one that keeps a book, sixteen, and ccxt.pro on the same frames."""
    rounds, seconds = (1, "0.3") if setting.quick else (5, "1")
    async with AsyncExitStack() as stack:
        one, book, many, peer = await _contenders(setting, seconds, stack)
        for _ in range(rounds):
            for contender in (one, peer, book, many):
                await contender.window()
    return [
        Result(
            "book updates to one subscriber",
            one.rate,
            "1/s",
            _PEER,
            peer.rate,
            more_is_better=True,
            expected=max(50_000.0, 2 * peer.rate),
            note=f"{one.venue.source}, {one.left_out:.1%} conflated",
        ),
        Result(
            "the same, kept as a live book",
            book.rate,
            "1/s",
            _PEER,
            peer.rate,
            more_is_better=True,
            note=f"{book.left_out:.1%} conflated",
        ),
        Result(
            "CPU of the daemon for one update",
            one.cost,
            "us",
            _PEER,
            peer.cost,
            more_is_better=False,
        ),
        Result(
            "book updates to 16 subscribers in total",
            many.rate,
            "1/s",
            "ccxt.pro, one process",
            peer.rate,
            more_is_better=True,
            expected=200_000,
            note="{} processes with {} streams each, ".format(*_SIXTEEN)
            + f"{many.left_out:.1%} conflated",
        ),
    ]


async def _contenders(
    setting: Setting, seconds: str, stack: AsyncExitStack
) -> tuple[Contender, Contender, Contender, Contender]:
    folder = setting.work_dir
    enter = stack.enter_async_context
    venue = await enter(running_venue(folder))
    config = str(live_config(venue, folder))
    daemon = await enter(running_daemon("live", "--config", config, folder=folder))

    async def subscribed(processes: int, streams: int, keep: str) -> Contender:
        arguments = (address("live", folder), str(streams), seconds, keep)
        children = [
            await enter(worker("workers.books", *arguments, folder=folder))
            for _ in range(processes)
        ]
        for child in children:
            await child.answer()
        return Contender(venue, daemon, children)

    # ccxt gets a venue of its own: a socket that is full must not slow the other's frames.
    peers_venue = await enter(running_venue(folder))
    arguments = (peers_venue.rest, peers_venue.stream, seconds)
    child = await enter(worker("workers.ccxt_books", *arguments, folder=folder))
    await child.answer()
    return (
        await subscribed(1, 1, "batches"),
        await subscribed(1, 1, "book"),
        await subscribed(*_SIXTEEN, "batches"),
        Contender(peers_venue, child, [child]),
    )
