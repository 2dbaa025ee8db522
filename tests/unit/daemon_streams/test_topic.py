"""A topic's readers see every change, or a snapshot instead."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cambist.v1 import market_data_pb2 as pb
from core.errors import Reason, Refused
from daemon.streams.topic import KEPT_BYTES, KEPT_CHANGES, Topic, framed

LONG = 60 * 1_000_000_000


def topic() -> Topic:
    def event(kind: int, sequence: int) -> bytes:
        return pb.OrderBook(
            kind=pb.EventKind.ValueType(kind), sequence=sequence, reason="r" * (sequence % 300)
        ).SerializeToString()

    return Topic(lambda sequence, depth: event(1, sequence), lambda sequence: event(3, sequence))


def change(sequence: int) -> bytes:
    return pb.OrderBook(
        kind=pb.EVENT_KIND_CHANGE, sequence=sequence, reason="c" * (sequence % 300)
    ).SerializeToString()


async def take(reader: AsyncIterator[bytes]) -> list[tuple[int, int]]:
    raw = await asyncio.wait_for(anext(reader), 5)
    events = pb.StreamOrderBookResponse.FromString(raw).events
    return [(event.kind, event.sequence) for event in events]


async def test_a_snapshot_then_every_change() -> None:
    made = topic()
    made.change(change)
    reader = made.read(0, LONG)
    assert await take(reader) == [(1, 1)]
    for _ in range(3):
        made.change(change)
    assert await take(reader) == [(2, 2), (2, 3), (2, 4)]


async def test_a_waiting_reader_wakes_up() -> None:
    made = topic()
    reader = made.read(0, LONG)
    assert await take(reader) == [(1, 0)]
    waiting = asyncio.create_task(take(reader))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    made.change(change)
    assert await waiting == [(2, 1)]


async def test_who_falls_behind_gets_a_snapshot() -> None:
    made = topic()
    reader, quick = made.read(0, LONG), made.read(0, LONG)
    await take(reader)
    await take(quick)
    last = 0
    for _ in range(KEPT_CHANGES + 1):
        made.change(change)
        if made._sequence % 1000 == 0:
            events = await take(quick)
            assert [sequence for _, sequence in events] == list(range(last + 1, made._sequence + 1))
            last = made._sequence
    assert await take(reader) == [(1, KEPT_CHANGES + 1)]
    assert (await take(quick))[-1] == (2, KEPT_CHANGES + 1)


async def test_large_changes_are_not_kept_beyond_their_bytes() -> None:
    def large(sequence: int) -> bytes:
        return pb.OrderBook(
            kind=pb.EVENT_KIND_CHANGE, sequence=sequence, reason="x" * 100_000
        ).SerializeToString()

    made = topic()
    reader, quick = made.read(0, LONG), made.read(0, LONG)
    await take(reader)
    await take(quick)
    count = 2 * KEPT_BYTES // 100_000
    for _ in range(count):
        made.change(large)
        assert sum(map(len, made._changes)) <= KEPT_BYTES
        assert len(await take(quick)) == 1
    assert await take(reader) == [(1, count)]
    made.change(lambda sequence: large(sequence) * (KEPT_BYTES // 50_000))  # too large by itself
    assert await take(reader) == [(1, count + 1)]


async def test_a_reset_makes_everybody_read_a_snapshot() -> None:
    made = topic()
    reader = made.read(0, LONG)
    await take(reader)
    made.change(change)
    made.reset()
    made.change(change)
    assert await take(reader) == [(1, 3)]


async def test_heartbeats_repeat_the_last_sequence() -> None:
    made = topic()
    made.change(change)
    reader = made.read(0, 1_000_000)
    await take(reader)
    assert await take(reader) == [(3, 1)]
    assert await take(reader) == [(3, 1)]


async def test_closing_ends_with_a_reason() -> None:
    made = topic()
    reader = made.read(0, LONG)
    await take(reader)
    waiting = asyncio.create_task(take(reader))
    await asyncio.sleep(0)
    made.close(Reason.SHUTTING_DOWN, "bye")
    with pytest.raises(Refused) as caught:
        await waiting
    assert caught.value.reason is Reason.SHUTTING_DOWN


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300, 16_383, 16_384, 70_000])
def test_framing_is_protobuf(size: int) -> None:
    event = pb.OrderBook(reason="x" * size).SerializeToString()
    response = pb.StreamOrderBookResponse.FromString(framed(event) * 2)
    assert [len(one.reason) for one in response.events] == [size, size]
