"""Times as venues write them, in nanoseconds and without a float."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from cex.engine import wire


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ('"2023-09-25T07:49:37.708706Z"', 1695628177_708706000),
        ('"2023-10-04T16:26:01.806315597Z"', 1696436761_806315597),
        ('"2023-10-04T16:26:01Z"', 1696436761_000000000),
        ('"2023-10-04T18:26:01.5+02:00"', 1696436761_500000000),
        ("null", 0),
        ("", 0),
    ],
)
def test_rfc3339(spelled: str, expected: int) -> None:
    assert wire.rfc3339(Raw(spelled.encode())) == expected


@pytest.mark.parametrize(
    "spelled", ['"2023-13-04T16:26:01Z"', '"2023-10-04"', '"2023-10-04T16:26:01"', "1", "{}", '"x"']
)
def test_what_is_no_rfc3339_time(spelled: str) -> None:
    with pytest.raises(ValueError):
        wire.rfc3339(Raw(spelled.encode()))


@given(st.integers(0, 10**10), st.integers(0, 999_999_999))
def test_seconds_keep_every_digit(whole: int, fraction: int) -> None:
    assert wire.seconds(Raw(f"{whole}.{fraction:09}".encode())) == whole * 10**9 + fraction
    assert wire.seconds(Raw(f'"{whole}"'.encode())) == whole * 10**9


@given(
    st.integers(0, 7 * 10**9),
    st.lists(st.text("0123456789", min_size=1, max_size=9), min_size=1, max_size=4),
)
def test_times_of_one_second_are_read_alike(since: int, fractions: list[str]) -> None:
    """The second is remembered after the first of them."""
    second = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%S}"
    for fraction in [*fractions, *fractions]:
        told = Raw(f'"{second}.{fraction}Z"'.encode())
        assert wire.rfc3339(told) == since * 10**9 + int(fraction.ljust(9, "0"))
    for wrong in ("1Z1", "", "1234567890", "１", "1 ", "-1"):
        with pytest.raises(ValueError):
            wire.rfc3339(Raw(f'"{second}.{wrong}Z"'.encode()))


@given(st.integers(0, 10**15), st.booleans())
def test_milliseconds_keep_every_digit(whole: int, quoted: bool) -> None:
    spelled = f'"{whole}"' if quoted else str(whole)
    assert wire.milliseconds(Raw(spelled.encode())) == whole * 10**6
    assert wire.milliseconds(Raw(f"{whole}.25".encode())) == whole * 10**6 + 250_000


@pytest.mark.parametrize(("spelled", "expected"), [("null", 0), ("", 0), ('""', 0), ("0", 0)])
def test_milliseconds_that_are_missing(spelled: str, expected: int) -> None:
    assert wire.milliseconds(Raw(spelled.encode())) == expected


@pytest.mark.parametrize("spelled", ['"x"', "{}", '"1_0"', '"١"'])
def test_what_is_no_time_in_milliseconds(spelled: str) -> None:
    with pytest.raises(ValueError):
        wire.milliseconds(Raw(spelled.encode()))
