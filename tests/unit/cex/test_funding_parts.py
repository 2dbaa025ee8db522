"""Funding that comes in parts is told when it is whole, and is never mixed up."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cex.engine.funding import joined, whole
from cex.engine.messages import FundingChange
from core.market import Funding

PARTS = [
    FundingChange(rate=Decimal("0.0001"), event_time=3),
    FundingChange(next_time=1000, event_time=1),
    FundingChange(mark_price=Decimal(100), event_time=4),
    FundingChange(index_price=Decimal(101), event_time=2),
    FundingChange(open_interest=Decimal(7), event_time=5),
]


@given(st.permutations(PARTS))
def test_parts_join_in_any_order(parts: list[FundingChange]) -> None:
    known = FundingChange()
    for part in parts[:-1]:
        known = joined(known, part)
        needed = (known.rate, known.next_time, known.mark_price, known.index_price)
        assert (whole("X", known) is None) == (None in needed)
    known = joined(known, parts[-1])
    assert whole("X", known) == Funding(
        "X", Decimal("0.0001"), 1000, Decimal(100), Decimal(101), Decimal(7), 5
    )


def test_a_zero_rate_is_a_rate() -> None:
    known = FundingChange(Decimal("0.0001"), 1, Decimal(1), Decimal(1))
    told = whole("X", joined(known, FundingChange(rate=Decimal(0))))
    assert told is not None
    assert told.rate == 0


def test_a_change_that_tells_nothing_is_no_event() -> None:
    known = FundingChange(rate=Decimal(1), event_time=5)
    assert joined(known, FundingChange(event_time=9)) is known
