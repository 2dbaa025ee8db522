"""Funding and reference prices that come in parts: from several topics, or as changes."""

from dataclasses import fields, replace

from cex.engine.messages import FundingChange
from core.market import Funding

_FIELDS = [field.name for field in fields(FundingChange) if field.name != "event_time"]


def joined(old: FundingChange, new: FundingChange) -> FundingChange:
    """What is known after a change. One that tells nothing is no event, and has no time."""
    told = {name: value for name in _FIELDS if (value := getattr(new, name)) is not None}
    if not told:
        return old
    return replace(old, **told, event_time=max(old.event_time, new.event_time))


def whole(instrument: str, known: FundingChange) -> Funding | None:
    """The event, once all that it must have was told."""
    if (
        known.rate is None
        or known.next_time is None
        or known.mark_price is None
        or known.index_price is None
    ):
        return None
    return Funding(
        instrument,
        known.rate,
        known.next_time,
        known.mark_price,
        known.index_price,
        known.open_interest,
        known.event_time,
    )
