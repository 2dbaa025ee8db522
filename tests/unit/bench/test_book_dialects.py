"""The benchmark's frames: the same book at every exchange, ours and ccxt's."""

import importlib.util

import pytest

from bench.venue import recording
from bench.venue.dialects import DIALECTS, Dialect, encoded, session
from bench.workers.messages import ours, theirs

PLAYED = recording.made(frames=40)
COUNT = 60


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.venue)
def test_every_exchange_ends_with_the_same_book(dialect: Dialect) -> None:
    book, frames = session(dialect, PLAYED, COUNT)
    contenders = {"ours": ours(dialect, book, True)}
    if importlib.util.find_spec("ccxt"):
        contenders["ccxt"] = theirs(dialect, book)
    bids, _ = PLAYED.book_after(COUNT)
    for who, (begin, take, best_bid) in contenders.items():
        begin()
        for frame in frames:
            take(encoded(dialect.peer(frame) if who == "ccxt" else frame))
        assert float(best_bid()) == float(bids[0][0]), who
