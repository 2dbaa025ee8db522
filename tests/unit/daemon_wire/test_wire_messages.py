"""Messages in their prefixes, plain and compressed."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.wire.messages import GZIP, IDENTITY, TooLarge, framed, message_in
from daemon.wire.status import CallFailed, Status

LARGEST = 1_000


def compressed(raw: bytes) -> bytes:
    return b"\x01" + len(raw).to_bytes(4, "big") + raw


@given(
    st.lists(st.tuples(st.binary(max_size=LARGEST), st.booleans()), max_size=6),
    st.integers(1, 50),
)
def test_messages_come_out_as_they_went_in(messages: list[tuple[bytes, bool]], step: int) -> None:
    wire = b"".join(
        compressed(gzip.compress(raw, mtime=0))
        if squeeze and len(gzip.compress(raw, mtime=0)) <= LARGEST
        else framed(raw)
        for raw, squeeze in messages
    )
    received, found = bytearray(), []
    for at in range(0, len(wire), step):
        received += wire[at : at + step]
        while (message := message_in(received, LARGEST, GZIP)) is not None:
            found.append(message)
    assert found == [raw for raw, _ in messages]
    assert not received


@pytest.mark.parametrize("size", [0, 1, LARGEST - 1, LARGEST])
def test_a_compressed_message_may_have_every_size_that_a_plain_one_may(size: int) -> None:
    raw = bytes(size)
    assert message_in(bytearray(compressed(gzip.compress(raw, mtime=0))), LARGEST, GZIP) == raw


@pytest.mark.parametrize("size", [LARGEST + 1, 100 * LARGEST, 20_000_000])
def test_a_message_that_is_too_large_is_not_unpacked(size: int) -> None:
    packed = gzip.compress(bytes(size), mtime=0)
    with pytest.raises(TooLarge):
        message_in(bytearray(compressed(packed)), max(LARGEST, len(packed)), GZIP)


def test_a_message_that_says_that_it_is_too_large_is_not_waited_for() -> None:
    with pytest.raises(TooLarge) as found:
        message_in(bytearray(b"\x00\xff\xff\xff\xff"), LARGEST, IDENTITY)
    assert found.value.size == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("received", "encoding"),
    [
        (compressed(gzip.compress(b"x", mtime=0)), IDENTITY),  # nothing was said of compression
        (b"\x02\x00\x00\x00\x01x", GZIP),  # no such flag
        (compressed(b"garbage"), GZIP),
        (compressed(gzip.compress(b"x", mtime=0)[:-1]), GZIP),
        (compressed(gzip.compress(b"x", mtime=0) + b"more"), GZIP),
        (compressed(zlib.compress(b"x")), GZIP),  # deflate
        (compressed(b""), GZIP),
    ],
)
def test_what_is_not_what_it_says(received: bytes, encoding: str) -> None:
    with pytest.raises(CallFailed) as failed:
        message_in(bytearray(received), LARGEST, encoding)
    assert failed.value.status == Status.INTERNAL
