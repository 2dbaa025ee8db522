"""Numbers that only grow: unique in a burst, and between venues that share a key."""

from hypothesis import given
from hypothesis import strategies as st

from cex.engine.spec import NonceRule

MILLISECOND = 1_000_000


def test_a_number_follows_the_time_and_grows_when_the_time_does_not() -> None:
    rule = NonceRule()
    assert rule.after(0, 1_700_000_000_123_456_789) == 1_700_000_000_123_456
    assert rule.after(1_700_000_000_123_456, 1_700_000_000_123_456_789) == 1_700_000_000_123_457
    assert rule.after(1_700_000_000_123_456, 5) == 1_700_000_000_123_457


times = st.lists(st.integers(0, 50 * MILLISECOND), min_size=1, max_size=60)


@given(times, times)
def test_two_venues_with_one_key_never_use_the_same_number(
    first: list[int], second: list[int]
) -> None:
    used: list[int] = []
    for place, moments in enumerate((first, second)):
        rule, last = NonceRule(MILLISECOND, 2, place), 0
        for now in moments:
            number = rule.after(last, now)
            assert number > last
            assert number % 2 == place
            assert number >= now // MILLISECOND
            used.append(number)
            last = number
    assert len(used) == len(set(used))
