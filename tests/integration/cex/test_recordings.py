"""Every recording beside the repository, through the engine of every venue that it is of."""

import pytest

from core.market import BookState
from core.ports import Channel, Health
from tests.support import corpus, replay

pytestmark = pytest.mark.corpus

# Their venues have no connector yet.
LEFT = {"bitfinex", "gemini"}


@pytest.mark.parametrize("name", corpus.recordings() or ["none"])
async def test_a_recording_is_read_and_its_books_are_continuous(name: str) -> None:
    rows = corpus.recording(name)
    specs = replay.fitting(rows)
    assert bool(specs) is (name not in LEFT)
    for spec in specs:
        async with replay.Replay(spec, rows) as session:
            report = await session.play()
            assert report.unreadable == []
            assert report.unasked == []
            assert report.frames > 100
            books = {n: book for n, book in report.books.items() if book.states}
            assert {ask[1].id for ask in session.session.asks if ask[0] is Channel.BOOK} == {*books}
            for instrument, book in books.items():
                assert book.continuous, f"{instrument}: {book.reasons}"
                assert book.states[-1] is BookState.LIVE
            assert session.market.condition.health is Health.READY


async def test_a_recording_with_a_hole_is_not_taken_for_whole() -> None:
    rows = list(corpus.recording("binance"))
    (spec,) = replay.fitting(rows)
    depth = [n for n, row in enumerate(rows) if '"nknusdt@depth' in str(row.get("data", ""))[:40]]
    del rows[depth[len(depth) // 2]]
    async with replay.Replay(spec, rows, [Channel.BOOK]) as session:
        report = await session.play()
    assert not report.books["NKN-USDT"].continuous
    assert report.books["BLZ-ETH"].continuous
