"""Headers of calls, held against the hpack library's other side."""

import base64
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from daemon.wire import headers as h
from daemon.wire.frames import Code

BASE = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/a.B/C"),
    (":authority", "localhost"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=20).map("x".__add__)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


def encoded(encoder: Encoder, pairs: list[tuple[str, str]], huffman: bool = True) -> bytes:
    return bytes(encoder.encode(pairs, huffman=huffman))


def read(*more: tuple[str, str], base: list[tuple[str, str]] | None = None) -> h.Request:
    return h.Reader().request(encoded(Encoder(), [*(base or BASE), *more]))


@given(
    st.lists(
        st.tuples(PAIRS, st.booleans(), st.sampled_from([None, None, 0, 64, 300, 4096])),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_every_block_means_what_its_sender_meant(steps: Any, data: Any) -> None:
    """Also one that was seen before, and after the table changed its size."""
    encoder, reader = Encoder(), h.Reader()
    before: list[list[tuple[str, str]]] = []
    for pairs, huffman, size in steps:
        if before and data.draw(st.booleans()):
            pairs = data.draw(st.sampled_from(before))
        before.append(pairs)
        if size is not None:
            encoder.header_table_size = size
        request = reader.request(encoded(encoder, [*BASE, *pairs], huffman))
        expected: dict[str, str] = dict(BASE[4:])
        for name, value in pairs:
            expected[name] = f"{expected[name]},{value}" if name in expected else value
        assert dict(request.metadata) == expected
        assert (request.path, request.method) == ("/a.B/C", "POST")


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes_are_read_or_refused(blocks: list[bytes]) -> None:
    reader = h.Reader()
    for block in blocks:
        try:
            reader.request(block)
        except h.Malformed:
            continue
        except h.Unreadable:
            return


def test_what_is_remembered_is_bounded() -> None:
    reader, encoder = h.Reader(), Encoder()
    for number in range(2_000):
        pairs = [*BASE, ("x", "y" * 1_000 + str(number))]
        literal = b"".join(b"\x10" + h._text(name) + h._text(value) for name, value in pairs)
        reader.request(literal)
        assert reader._known_bytes <= 65_536
        assert len(reader._known) <= 60
    assert reader.request(encoded(encoder, BASE)).path == "/a.B/C"


def test_a_list_that_is_too_long_ends_the_connection() -> None:
    pairs = [*BASE, *((f"x-{number}", "y" * 400) for number in range(60))]
    with pytest.raises(h.TooLong) as ended:
        h.Reader().request(encoded(Encoder(), pairs))
    assert ended.value.code is Code.ENHANCE_YOUR_CALM


def test_a_bomb_of_references_ends_the_connection() -> None:
    reader, encoder = h.Reader(), Encoder()
    reader.request(encoded(encoder, [*BASE, ("x", "y" * 3_000)]))
    with pytest.raises(h.TooLong):
        reader.request(b"\xbe" * 16_000)  # the newest entry of the table, again and again


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # index zero
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # a number without end
        b"\x00\x05ab",  # shorter than it says
        b"\x3f\xff\xff\x7f",  # a table larger than allowed
        b"\x82\x20",  # a table that changes in the middle
        b"\x40\x81\xff\x01a",  # Huffman's padding
    ],
)
def test_what_is_no_hpack_ends_the_connection(block: bytes) -> None:
    with pytest.raises(h.Unreadable) as ended:
        h.Reader().request(block)
    assert ended.value.code is Code.COMPRESSION_ERROR


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        BASE[1:],
        [*BASE[:2], *BASE[3:]],
        [(":path", ""), *BASE[:2]],
        [*BASE, (":path", "/late")],
        [BASE[0], *BASE],
        [(":status", "200"), *BASE],
        [*BASE, ("Upper", "x")],
        [*BASE, ("", "x")],
        [*BASE, ("na me", "x")],
        [*BASE, ("x", "line\nbreak")],
        [*BASE, ("x", "nul\0")],
        [*BASE, ("connection", "close")],
        [*BASE, ("transfer-encoding", "chunked")],
        [*BASE[:4], ("te", "gzip")],
        [*BASE, ("content-length", "-1")],
    ],
)
def test_what_is_no_request_ends_its_stream(pairs: list[tuple[str, str]]) -> None:
    literal = b"".join(b"\x00" + h._text(name) + h._text(value) for name, value in pairs)
    with pytest.raises(h.Malformed):
        h.Reader().request(literal)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600), ("2M", 120), ("3S", 3), ("20m", 0.02), ("5u", 5e-6), ("99999999n", 0.099999999)],
)
def test_timeouts(text: str, seconds: float) -> None:
    request = read(("grpc-timeout", text))
    assert request.timeout == pytest.approx(seconds)
    assert not request.fault


@pytest.mark.parametrize("text", ["", "S", "1", "-1S", "1.5S", "123456789S", "1s", "٣S", "1S,2S"])
def test_timeouts_that_are_none(text: str) -> None:
    literal = b"".join(
        b"\x00" + h._text(name) + h._length(len(value)) + value
        for name, value in [
            *((name, value.encode()) for name, value in BASE),
            ("grpc-timeout", text.encode()),
        ]
    )
    request = h.Reader().request(literal)
    assert request.timeout is None
    assert "grpc-timeout" in request.fault


def test_trailers_of_a_request_are_no_request() -> None:
    h.Reader().trailers(encoded(Encoder(), [("x", "y")]))
    with pytest.raises(h.Malformed):
        h.Reader().trailers(encoded(Encoder(), [(":method", "POST")]))


@given(
    st.integers(0, 16),
    st.text(),
    st.lists(st.tuples(st.text(max_size=12), st.text(max_size=40) | st.binary(max_size=40))),
)
def test_every_ending_can_be_read(
    status: int, message: str, trailers: list[tuple[str, str | bytes]]
) -> None:
    block = h.ending(status, message, trailers)
    pairs: list[Any] = list(Decoder().decode(block, raw=True))
    assert pairs[0] == (b"grpc-status", str(status).encode())
    if message:
        told = unquote_to_bytes(pairs[1][1])
        assert message.encode("utf-8", "replace").startswith(told)
        assert len(message) > 400 or told == message.encode("utf-8", "replace")
    for name, value in pairs:
        assert name == name.lower()
        assert not set(value) & {0, 10, 13}


def test_an_ending_is_no_longer_than_clients_take() -> None:
    big, small = ("big-bin", bytes(9_000)), ("small-bin", b"\x00\xff\x80")
    pairs: list[Any] = list(Decoder().decode(h.ending(3, "ü" * 5_000, [small, big]), raw=True))
    assert [name for name, _ in pairs] == [b"grpc-status", b"grpc-message", b"small-bin"]
    assert sum(len(name) + len(value) + 32 for name, value in pairs) <= 8_192
    assert h.binary(pairs[2][1].decode()) == b"\x00\xff\x80"


@given(st.binary(max_size=60), st.booleans())
def test_binary_metadata_with_and_without_padding(raw: bytes, padded: bool) -> None:
    text = base64.b64encode(raw).decode()
    assert h.binary(text if padded else text.rstrip("=")) == raw


@pytest.mark.parametrize("text", ["a", "****", "YQ==YQ"])
def test_binary_metadata_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        h.binary(text)


def test_the_same_bytes_mean_something_else_when_the_table_has_changed() -> None:
    reader = h.Reader()
    base = b"".join(b"\x00" + h._text(name) + h._text(value) for name, value in BASE)
    newest = base + b"\xbe"  # the table's newest entry
    reader.request(base + b"\x40" + h._text("x-a") + h._text("1"))
    assert reader.request(newest).metadata["x-a"] == "1"
    assert reader.request(newest).metadata["x-a"] == "1"
    reader.request(base + b"\x40" + h._text("x-b") + h._text("2"))
    again = reader.request(newest).metadata
    assert (again.get("x-a"), again.get("x-b")) == (None, "2")
    reader.trailers(b"\x40" + h._text("x-c") + h._text("3"))
    assert reader.request(newest).metadata["x-c"] == "3"
    reader.request(b"\x20" + base)  # the table is emptied
    with pytest.raises(h.Unreadable):
        reader.request(newest)
