"""Frames, held against the hyperframe library."""

from typing import Any

import pytest
from hyperframe import frame as hf
from hypothesis import given
from hypothesis import strategies as st

from daemon.wire import frames as f
from daemon.wire.frames import Broken, Code
from daemon.wire.reading import NotHttp2, Reading

STREAMS = st.integers(1, 2**30).map(lambda n: 2 * n - 1)
FIRST = f.PREFACE + f.settings({})
KINDS = (f.DATA, f.PRIORITY, f.RST_STREAM, f.SETTINGS, f.PING, f.GOAWAY, f.WINDOW_UPDATE)


class Taken:
    """What a reading hands on."""

    def __init__(self) -> None:
        self.frames: list[tuple[Any, ...]] = []
        self.reading = Reading(
            {kind: self._of(kind) for kind in KINDS}, self._headers, lambda: None
        )

    def _of(self, kind: int) -> Any:
        return lambda flags, stream, payload: self.frames.append((kind, flags, stream, payload))

    def _headers(self, flags: int, stream: int, payload: bytes) -> None:
        self.frames.append(("headers", stream, bool(flags & f.END_STREAM), payload))

    def feed(self, data: bytes) -> None:
        more = self.reading.feed(data)
        while not more:
            more = self.reading.feed(b"")


def parsed(raw: bytes) -> hf.Frame:
    found, size = hf.Frame.parse_frame_header(memoryview(raw[:9]))
    found.parse_body(memoryview(raw[9 : 9 + size]))
    assert len(raw) == 9 + size
    return found


@given(STREAMS, st.integers(1, f.LARGEST_WINDOW), st.sampled_from(Code), st.text(max_size=20))
def test_what_we_write_is_what_others_read(stream: int, more: int, code: Code, words: str) -> None:
    update: Any = parsed(f.window_update(stream, more))
    assert (update.stream_id, update.window_increment) == (stream, more)
    reset: Any = parsed(f.reset(stream, code))
    assert (reset.stream_id, reset.error_code) == (stream, code)
    goaway: Any = parsed(f.goaway(stream, code, words))
    assert (goaway.last_stream_id, goaway.error_code) == (stream, code)
    assert goaway.additional_data == words.encode()
    settings: Any = parsed(f.settings({f.INITIAL_WINDOW_SIZE: more}))
    assert settings.settings == {f.INITIAL_WINDOW_SIZE: more}
    data: Any = parsed(f.frame(f.DATA, f.END_STREAM, stream, b"x" * 70_000))
    assert (data.data, data.flags) == (b"x" * 70_000, {"END_STREAM"})


@st.composite
def sent(draw: st.DrawFn) -> tuple[bytes, list[tuple[Any, ...]]]:
    """Frames as hyperframe writes them, and what has to be taken of them."""
    kind, stream = draw(st.sampled_from(["data", "headers", "ping", "unknown"])), draw(STREAMS)
    payload, padding = draw(st.binary(max_size=100)), draw(st.none() | st.integers(0, 255))
    flags = set() if padding is None else {"PADDED"}
    if kind == "data":
        one = hf.DataFrame(stream, payload, pad_length=padding or 0, flags=flags)
        raw = one.serialize()
        taken: list[tuple[Any, ...]] = [(f.DATA, raw[4], stream, raw[9:])]
        assert f.unpadded(raw[4], raw[9:]) == payload
        return raw, taken
    if kind == "headers":
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
        parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        flags |= draw(st.sampled_from([set(), {"END_STREAM"}, {"PRIORITY"}]))
        first = hf.HeadersFrame(
            stream, parts[0], pad_length=padding or 0, depends_on=stream + 2, flags=flags
        )
        made = [first, *(hf.ContinuationFrame(stream, part) for part in parts[1:])]
        made[-1].flags.add("END_HEADERS")
        wire = b"".join(one.serialize() for one in made)
        return wire, [("headers", stream, "END_STREAM" in flags, payload)]
    if kind == "ping":
        return hf.PingFrame(0, bytes(8)).serialize(), [(f.PING, 0, 0, bytes(8))]
    return f.frame(200, 255, stream, payload), []


@given(st.lists(sent(), max_size=12), st.integers(1, 40))
def test_frames_are_taken_however_they_are_cut(
    frames: list[tuple[bytes, list[tuple[Any, ...]]]], step: int
) -> None:
    wire = FIRST + b"".join(raw for raw, _ in frames)
    taken = Taken()
    for at in range(0, len(wire), step):
        taken.feed(wire[at : at + step])
    assert taken.frames[1:] == [one for _, expected in frames for one in expected]


def test_much_at_once_is_read_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.wire.reading._TURN", 0.0)
    taken = Taken()
    ping = f.frame(f.PING, 0, 0, bytes(8))
    assert not taken.reading.feed(FIRST + ping * 1_000)
    assert 64 <= len(taken.frames) < 1_000
    turns = 1
    while not taken.reading.feed(b""):
        turns += 1
    assert len(taken.frames) == 1_001
    assert 5 < turns < 20


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (f.PREFACE + f.frame(f.PING, 0, 0, bytes(8)), Code.PROTOCOL_ERROR),
        (f.PREFACE + f.frame(f.SETTINGS, f.ACK, 0), Code.PROTOCOL_ERROR),
        (FIRST + f.frame(f.DATA, 0, 1, bytes(16_385)), Code.FRAME_SIZE_ERROR),
        (FIRST + f.frame(f.HEADERS, 0, 1) + f.frame(f.DATA, 0, 1), Code.PROTOCOL_ERROR),
        (FIRST + f.frame(f.HEADERS, 0, 1) + f.frame(f.CONTINUATION, 4, 3), Code.PROTOCOL_ERROR),
        (FIRST + f.frame(f.CONTINUATION, 4, 1), Code.PROTOCOL_ERROR),
        (FIRST + f.frame(f.HEADERS, 4, 2), Code.PROTOCOL_ERROR),
        (FIRST + f.frame(f.HEADERS, 4, 0), Code.PROTOCOL_ERROR),
        (FIRST + f.frame(f.HEADERS, 4 | f.PADDED, 1), Code.PROTOCOL_ERROR),
        (FIRST + f.frame(f.HEADERS, 4 | f.PADDED, 1, b"\x04xxx"), Code.PROTOCOL_ERROR),
        (FIRST + f.frame(f.HEADERS, 4 | f.PRIORITISED, 1, bytes(4)), Code.FRAME_SIZE_ERROR),
        (FIRST + f.frame(f.HEADERS, 36, 1, b"\x80\0\0\x01\0"), Code.PROTOCOL_ERROR),
        (
            FIRST + f.frame(f.HEADERS, 0, 1) + f.frame(f.CONTINUATION, 0, 1) * 100,
            Code.ENHANCE_YOUR_CALM,
        ),
        (
            FIRST + f.frame(f.HEADERS, 0, 1) + f.frame(f.CONTINUATION, 0, 1, bytes(16_384)) * 3,
            Code.ENHANCE_YOUR_CALM,
        ),
    ],
)
def test_what_ends_the_connection(data: bytes, code: Code) -> None:
    with pytest.raises(Broken) as broken:
        Taken().feed(data)
    assert broken.value.code is code


@pytest.mark.parametrize(
    ("data", "http_1"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"POST /a HTTP/1.0\r\n", True),
        (b"\x16\x03\x01\x02\x00", False),
        (b"PRI * HTTP/2.0\r\n\r\nXX", False),
        (b"nonsense", False),
    ],
)
def test_what_is_not_http_2(data: bytes, http_1: bool) -> None:
    with pytest.raises(NotHttp2) as found:
        Taken().feed(data)
    assert found.value.http_1 is http_1


def test_nothing_is_taken_after_the_end() -> None:
    taken = Taken()
    taken.feed(FIRST)
    taken.reading.stop()
    taken.feed(f.frame(f.PING, 0, 0, bytes(8)))
    assert len(taken.frames) == 1
