"""A venue that numbers its frames: what is lost shows, what comes twice is read once."""

from collections.abc import Iterable
from typing import Any, cast

import pytest

from cex.engine.messages import Ack, Numbered, Routed
from cex.engine.spec import StreamSpec
from cex.engine.websocket import Connection, Owner
from core.clock import ManualClock


def route(frame: bytes) -> Iterable[Routed]:
    """`5` is data with the number 5, `5a` an acknowledgement with it."""
    text = frame.decode()
    if text.endswith("a"):
        return (Ack("asked"), Numbered(int(text[:-1]), data=False))
    return (Numbered(int(text)), ("topic", int(text)))


class Listening:
    """An owner that notes what it is given."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def data(self, topic: str, payload: Any, received: int) -> None:
        self.numbers.append(payload)


@pytest.mark.parametrize(
    ("frames", "read", "reason"),
    [
        ("0 1 2 3", [0, 1, 2, 3], ""),
        ("17 18", [17, 18], ""),  # from wherever it begins
        ("0 1a 2", [0, 2], ""),
        ("0 1 1 2 0 1 3", [0, 1, 2, 3], ""),  # twice
        ("0 1 3 4", [0, 1], "frame 2 was due, 3 came"),  # lost
        ("0 2 1", [0], "frame 1 was due, 2 came"),  # out of order
        ("0 2a 3", [0], "frame 1 was due, 3 came"),
        ("900 0", [900], "frame 901 was due, 0 came"),  # another count
        ("5a 0 1", [0, 1], ""),  # what has no data does not begin the count
        ("0 1 0a 9a 2", [0, 1, 2], ""),
    ],
)
def test_what_is_read_of_numbered_frames(frames: str, read: list[int], reason: str) -> None:
    owner = Listening()
    stream = StreamSpec(host="stream", route=route)
    connection = Connection("test", stream, "ws://", cast(Owner, owner), ManualClock())
    for frame in frames.split():
        connection.receive(frame.encode(), False, 1)
        if connection.reason:
            break  # it is closed, and another follows
    assert owner.numbers == read
    assert connection.reason == reason
