"""Spans of questions about what is past, and what perpetuals have in common."""

from decimal import Decimal

import pytest
from msgspec import Raw

from cex.engine import parse, readers, spans
from cex.engine.commands import GetCandles, ListFills
from cex.engine.messages import Failure
from cex.engine.shapes import FundingShape, PositionShape
from cex.engine.spans import Spans
from cex.venues.bybit_perpetual import WORDS
from core.accounts import PositionSide
from core.clock import MILLISECOND, SECOND
from tests.support.cex_fixtures import load

VENUE = load("bybit_perpetual")
BTC = VENUE.instruments["BTC-USDT-PERP"]
HOUR = 3600 * SECOND


def test_fills_are_asked_for_in_one_span_after_the_other() -> None:
    asked = Spans(HOUR, kept=10 * HOUR, names=("from", "to"), unit=SECOND)
    now = 1000 * HOUR
    command: ListFills | None = ListFills(BTC, 0, now)
    found = []
    while command is not None:
        found.append(asked.of(command))
        following = asked.following(command, parse.Page([], "more" if len(found) == 1 else ""))
        if len(found) == 1:  # the span goes on
            assert following == ListFills(BTC, 0, now, "more")
            following = asked.following(following, parse.Page([]))
        command = following
    assert found[0] == {"from": 990 * 3600, "to": 991 * 3600 - 1}
    assert [one["from"] for one in found] == [hour * 3600 for hour in range(990, 1001)]


@pytest.mark.parametrize(
    ("start", "end", "until"),
    [
        (None, None, None),
        (None, 9 * HOUR, 9 * HOUR),
        (HOUR, None, 10 * HOUR),
        (HOUR, 99 * HOUR, 10 * HOUR),
        (HOUR, 2 * HOUR, 2 * HOUR),
    ],
)
def test_a_span_of_candles_is_cut_at_its_end(
    start: int | None, end: int | None, until: int | None
) -> None:
    command = GetCandles(BTC, 3600, start, end, 500, 0)
    assert spans.candles(command, 10) == (10, start, until)


@pytest.mark.parametrize(
    ("side", "direction", "quantity", "meant"),
    [
        ("0", "Sell", "3", -3),
        ("0", "Buy", "3", 3),
        ("0", "", "-3", -3),
        ("1", "", "3", 3),
        (2, "", "3", -3),
        (2, "", "-3", -3),
        ("2", "Sell", "3", -3),
    ],
)
def test_short_is_negative_however_the_venue_says_so(
    side: str | int, direction: str, quantity: str, meant: int
) -> None:
    raw = PositionShape("BTCUSDT", side, direction, Raw(quantity.encode()))
    told = parse.position(raw, WORDS, VENUE.scope)
    assert (told.quantity, told.margin_mode) == (meant, None)
    assert (told.side is PositionSide.NET) == (str(side) == "0")


def test_what_a_position_has_of_its_own_is_its_margin() -> None:
    raw = PositionShape("BTCUSDT", "0", quantity=Raw(b"1"), margin=Raw(b"5"))
    assert parse.position(raw, WORDS, VENUE.scope).margin == 5
    raw.isolated_margin = Raw(b'"7.5"')
    assert parse.position(raw, WORDS, VENUE.scope).margin == Decimal("7.5")


def test_funding_has_the_frames_time_where_it_has_none() -> None:
    raw = FundingShape(rate=Raw(b'"0.0001"'))
    assert parse.funding(raw, WORDS, 7).event_time == 7
    raw.time = Raw(b"5")
    assert parse.funding(raw, WORDS, 7).event_time == 5 * MILLISECOND


def test_a_failure_is_told_by_two_members() -> None:
    tell = readers.failure("retCode", "retMsg")
    assert tell(b'{"retCode": 5, "retMsg": "no", "result": {}}') == Failure("5", "no")
    assert tell(b'{"retCode": "5"}') == Failure("5", "")
    with pytest.raises(ValueError, match="retCode"):
        tell(b'{"code": 5}')
