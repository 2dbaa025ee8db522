"""What a book update costs, venue by venue: decoded, applied and encoded, beside ccxt.pro and
cryptofeed's order book on the same frames. In one process, without sockets, in CPU time."""

import asyncio
import contextlib
import gc
import itertools
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bench import venue_frames
from bench.case import Setting
from bench.results import Result
from bench.venue_frames import BookFrames
from cex.engine.feeds import BookUpstream
from cex.engine.messages import BookMessage
from cex.engine.spec import Verdict
from core.market import BookDelta, BookSnapshot, BookState
from core.ports import Channel
from daemon.codec import market as codec
from daemon.codec.book_changes import book_change
from tests.support.cex_fixtures import is_book

TITLE = "a book update of each exchange"
ORDER = 1.5

_FRAMES = 5000  # of each venue, about
_DEPTH = 20  # of a snapshot that is encoded, where each message is a whole book


async def run(setting: Setting) -> list[Result]:
    """Three figures a venue."""
    results: list[Result] = []
    for frames in await asyncio.to_thread(venue_frames.found):
        # A short recording is played more often.
        rounds = 2 if setting.quick else max(7, min(25, _FRAMES // len(frames.changes)))
        results += await _measured(frames, rounds)
        await asyncio.sleep(0)
    return results


async def _measured(frames: BookFrames, rounds: int) -> list[Result]:
    from bench import peers

    rows, best = _expected(frames)
    book, trouble = await _follower(frames, best)
    figures: dict[str, list[float]] = {name: [] for name in ("ours", "told", "feed", "ccxt", "bot")}
    for _ in range(rounds):
        figures["ours"].append(_timed(_ours(frames, encode=False)))
        figures["told"].append(_timed(_ours(frames, encode=True)))
        figures["feed"].append(_timed(peers.FeedBook(frames).follow(frames.changes, rows)))
        if book is not None:
            handled, watched = await _ccxt(book, frames)
            figures["ccxt"].append(handled)
            figures["bot"].append(watched)
    if book is not None:
        await book.close()
    each = {
        name: statistics.median(found) / len(frames.changes) if found else 0.0
        for name, found in figures.items()
    }
    name = frames.venue.id
    levels = statistics.mean(len(one[0]) + len(one[1]) for _, one in rows)
    note = f"{frames.source}, {len(frames.changes)} frames of {levels:.1f} levels"

    def row(what: str, ours: str, peer: str, theirs: str, note: str, times: float) -> Result:
        figure = each[theirs]
        return Result(
            f"{name}: {what}",
            each[ours],
            "us",
            peer,
            figure,
            more_is_better=False,
            expected=figure / times if figure and times else None,
            note=note,
        )

    told = "; ".join(text for text in (note, trouble) if text)
    feed = row("decode, apply", "ours", "cryptofeed's order book", "feed", "", 0)
    return [
        row("decode, apply, encode", "told", "ccxt.pro until a bot has it", "bot", told, 3),
        row("decode, apply", "ours", "ccxt.pro's handler", "ccxt", "", 3),
        replace(feed, expected=10.0) if name == "binance" else feed,
    ]


async def _follower(frames: BookFrames, best: tuple[Decimal, Decimal]) -> tuple[Any, str]:
    """ccxt.pro's book, if it follows these frames: with its checksum or without it; in words where
    it is not the first."""
    from bench import peers

    trouble = ""
    for checksum in (True, False):
        book = peers.CcxtBook(frames, checksum)
        try:
            with _silent():
                await book.begin()
                book.learn(frames.changes)
            if book.best() == best:
                return book, "" if checksum else "ccxt.pro without its checksum"
            trouble = f"its best prices are {book.best()}, not {best}"
        except Exception as error:  # noqa: BLE001 - a peer that cannot is a note, not a failure
            trouble = f"{type(error).__name__} {str(error)[:80]}"
        await book.close()
    return None, f"ccxt.pro does not follow: {trouble}"


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _timed(work: Callable[[], None]) -> float:
    """Microseconds of this thread: what else the machine does costs neither side."""
    gc.collect()
    began = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began) / 1000


def _ours(frames: BookFrames, encode: bool) -> Callable[[], None]:
    """The engine's way from a websocket's frame to its subscribers, of which one is here; with
    `encode` it makes the bytes that all of them get."""
    channel = frames.spec.channels[Channel.BOOK]
    assert channel.book is not None
    numbers = itertools.count(1)

    def subscriber(event: Any) -> None:
        if encode:
            _encoded(event, next(numbers))

    def loud(*what: Any) -> None:
        raise AssertionError(str(what))

    async def no_snapshot(*what: Any) -> BookMessage:
        raise AssertionError("a snapshot is asked for")

    upstream = BookUpstream(
        "book", channel, channel.book, frames.instrument, loud, no_snapshot, loud, lambda: 1
    )
    upstream.sync = frames.begun()
    upstream.sinks.append(subscriber)
    route, parsers = frames.spec.streams[channel.stream].route, upstream.topics

    def work() -> None:
        for frame in frames.changes:
            for item in route(frame):  # as cex.engine.websocket and topics do
                if type(item) is tuple and (parser := parsers.get(item[0])) is not None:
                    upstream.data(parser, item[1], 1)

    return work


def _encoded(told: BookDelta | BookSnapshot, sequence: int) -> bytes:
    if isinstance(told, BookDelta):
        return book_change(told, sequence)
    return codec.book_snapshot(told, sequence, _DEPTH).SerializeToString()


def _expected(frames: BookFrames) -> tuple[list[Any], tuple[Decimal, Decimal]]:
    """The levels of each frame, and the best prices in the end; the book must stay live."""
    topic, parse = frames.parser()
    channel = frames.spec.channels[Channel.BOOK]
    assert channel.book is not None
    route = frames.spec.streams[channel.stream].route
    sync = frames.begun()
    rows: list[Any] = []
    for frame in frames.changes:
        levels: tuple[bool, Any] = (False, ((), ()))
        for item in route(frame):
            if not isinstance(item, tuple) or item[0] != topic:
                continue
            for message in parse(item[1], frames.instrument, 1):
                assert is_book(message)
                verdict = channel.book.verdict(message, sync.sequence, False)
                sync.message(message, 1)
                if message.whole or verdict is not Verdict.OLD:
                    levels = message.whole, _levels(message)
        rows.append(levels)
    if sync.state is not BookState.LIVE:
        raise ValueError(f"{frames.venue.id}: the book broke: {sync.reason}")
    bid, ask = sync.book.best_bid, sync.book.best_ask
    assert bid is not None
    assert ask is not None
    return rows, (Decimal(bid[0]), Decimal(ask[0]))


def _levels(message: BookMessage) -> Any:
    if message.columns is None:
        return message.bids, message.asks
    return [list(zip(*side, strict=True)) for side in message.columns]


async def _ccxt(book: Any, frames: BookFrames) -> tuple[float, float]:
    """Its handler alone, and until a bot has the book; microseconds of all frames."""
    await book.begin()
    handled = _timed(book.follow(frames.changes))
    await book.begin()
    watch = book.watch(frames.changes)
    gc.collect()
    began = time.thread_time_ns()
    await watch()
    return handled, (time.thread_time_ns() - began) / 1000
