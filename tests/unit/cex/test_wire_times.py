"""Times as venues write them, in nanoseconds and without a float."""

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
