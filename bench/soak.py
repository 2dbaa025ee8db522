"""What the two ends of the soak share: which public calls there are, and an engine that takes
subscriptions for granted, because the other end does not know the venues' confirmations."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from cex.engine import commands
from cex.engine.commands import Command
from cex.engine.spec import Session, StreamSpec, VenueSpec
from core.instruments import Instrument
from tests.support.cex_fixtures import Venue


def public_calls(spec: VenueSpec, instrument: Instrument) -> Iterator[Command[Any]]:
    """What a venue's public side asks by REST to follow a book."""
    tokens = [stream.token for stream in spec.streams.values() if stream.token is not None]
    for command in (
        commands.ServerTime(),
        commands.ListInstruments(),
        commands.GetBook(instrument, 100),
        *tokens,
    ):
        if type(command) in spec.operations:
            yield command


def unconfirmed(venue: Venue) -> VenueSpec:
    """The venue's specification with the fixtures' instruments, and no waiting for confirmations;
    budgets are large, because a book that is lost must be seen, not be waited for."""
    spec = venue.spec
    known = list(venue.instruments.values())
    listing = replace(
        spec.operations[commands.ListInstruments],
        reply=msgspec.Raw,
        parse=lambda raw, command, scope: known,
        more=None,
    )
    return replace(
        spec,
        operations={**spec.operations, commands.ListInstruments: listing},
        streams={name: _unconfirmed(stream) for name, stream in spec.streams.items()},
        pools=[replace(pool, limit=pool.limit * 1000) for pool in spec.pools],
    )


def _unconfirmed(stream: StreamSpec) -> StreamSpec:
    def subscribe(topics: Sequence[str], session: Session) -> Any:
        return [replace(frame, keys=(), id="") for frame in stream.subscribe(topics, session)]

    def unsubscribe(topics: Sequence[str], session: Session) -> Any:
        return [replace(frame, keys=(), id="") for frame in stream.unsubscribe(topics, session)]

    return replace(stream, subscribe=subscribe, unsubscribe=unsubscribe, greeting="")
