"""The book frames of every venue that the benchmarks play, and the peers on them."""

import pytest

from bench import venue_frames
from bench.cases import signing, venue_books
from core.market import BookState
from tests.support.cex_fixtures import load, names


@pytest.mark.parametrize("name", names())
def test_a_venue_takes_part_by_its_fixtures(name: str) -> None:
    frames = venue_frames.made(load(name), 40)
    assert frames.begun().state is BookState.LIVE
    rows, best = venue_books._expected(frames)
    assert len(rows) == 40
    assert best[0] < best[1]
    venue_books._ours(frames, encode=True)()


@pytest.mark.parametrize("name", ["binance", "okx", "okx_perpetual"])
async def test_the_peers_follow(name: str) -> None:
    peers = pytest.importorskip("bench.peers")
    frames = venue_frames.made(load(name), 40)
    rows, best = venue_books._expected(frames)
    peers.FeedBook(frames).follow(frames.changes, rows)()
    book, trouble = await venue_books._follower(frames, best)
    assert book is not None, trouble
    handled, watched = await venue_books._ccxt(book, frames)
    assert min(handled, watched) > 0
    assert book.best() == best
    await book.close()


def test_every_scheme_is_signed_by_both() -> None:
    schemes = signing._schemes()
    assert {one.name.partition(",")[0] for one in schemes} >= {"binance", "kraken", "hyperliquid"}
    for scheme in schemes:
        assert signing._ours(scheme)() != signing._ours(scheme)  # a request, not the function
        assert signing._theirs(scheme)()
