"""Events on their way into the log: serialized once, numbered when they are written."""

from dataclasses import dataclass

from cambist.v1 import events_pb2 as pb
from daemon.codec.scalars import timestamp
from daemon.journal.store import EventRow


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event without its number; `payload` is a serialized Event with no sequence."""

    time: int
    account: str
    subject: str
    payload: bytes


def new_event(message: pb.Event, time: int, account: str, subject: str = "") -> NewEvent:
    """An event of a message that has its payload set; `subject` is the order or transaction."""
    message.time.CopyFrom(timestamp(time))
    return NewEvent(time, account, subject, message.SerializeToString())


def varint(value: int) -> bytes:
    """Protobuf's encoding of an unsigned integer."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def numbered(event: NewEvent, sequence: int) -> EventRow:
    """The event with its number in front: field 1, a varint, as protobuf would write it."""
    data = b"\x08" + varint(sequence) + event.payload
    return EventRow(sequence, event.time, event.account, event.subject, data)
