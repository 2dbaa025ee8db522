"""Canceling orders. A cancel is taken for done only when the venue says that the order is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.orders import OrderStatus
from core.ports import Capability
from core.steps import step
from daemon.trading.checks import final
from daemon.trading.office import Office, Station
from daemon.trading.state import UNANSWERED, OrderState, Tracked

_log = structlog.get_logger("desk")


async def cancel(office: Office, request_id: str, account: str, client_order_id: str) -> OrderState:
    """See Desk.cancel."""
    station, tracked = await office.find(account, client_order_id)
    state = tracked.state
    if state.order.is_final:
        if state.cancel_request_id == request_id:
            return state
        raise Refused(*final(state.order))
    with station.calling(tracked):
        with step("journal.write"):
            await _intend(station, tracked, request_id)
        with step("venue.cancel", venue=station.seat.venue):
            await _send(station, tracked)
    return tracked.state


async def _intend(station: Station, tracked: Tracked, request_id: str) -> None:
    """Journals that an order is to end; but a journal that cannot be written holds up no cancel: it
    lowers exposure, and sent twice it does no more than once."""
    before = tracked.state
    order = replace(before.order, cancel_requested=True, update_time=station.ledger.now)
    try:
        await station.ledger.intend(
            tracked,
            replace(before, order=order, cancel_request_id=request_id),
            lambda now: replace(
                now,
                order=replace(now.order, cancel_requested=before.order.cancel_requested),
                cancel_request_id=before.cancel_request_id,
            ),
        )
    except Refused as error:
        if error.reason is not Reason.JOURNAL_UNAVAILABLE:
            raise
        _log.warning("cancel_not_journaled", order=tracked.id, why=error.message)


async def _send(station: Station, tracked: Tracked) -> None:
    seat = station.seat
    tracked.query_needed = True  # until there is proof of anything
    try:
        report = await station.account.cancel(seat.for_venue(tracked.order))
    except Refused:
        tracked.query_needed = False
        station.resolver.uncancel(tracked)
        raise
    except Rejected as error:
        await _rejected(station, tracked, error)
    except Unconfirmed:
        raise
    except CambistError as error:
        raise Unconfirmed(
            Reason.OUTCOME_UNKNOWN, f"the cancel is not confirmed: {error.message}", error.metadata
        ) from error
    else:
        seat.told(tracked, report)
        # Some venues only take the cancel down at first: the stream tells, or we ask.
        tracked.query_needed = not tracked.order.is_final


async def _rejected(station: Station, tracked: Tracked, error: Rejected) -> None:
    """The venue has nothing to cancel, or will not: what is the order, then?"""
    seat = station.seat
    try:
        report = await station.account.query(seat.for_venue(tracked.order))
    except CambistError as doubt:
        raise Unconfirmed(
            Reason.OUTCOME_UNKNOWN,
            f"{error.message}; and the order itself could not be asked for: {doubt.message}",
            error.metadata,
        ) from doubt
    if report is not None:
        seat.told(tracked, report)
    if tracked.order.status is OrderStatus.CANCELED:
        return
    if tracked.order.is_final:
        raise Rejected(*final(tracked.order)) from error
    if report is None or tracked.order.status in UNANSWERED:
        raise Unconfirmed(
            Reason.OUTCOME_UNKNOWN,
            f"{seat.venue} does not know order {tracked.id} now: watch its events",
            error.metadata,
        ) from error
    tracked.query_needed = False
    station.resolver.uncancel(tracked)
    raise error


async def cancel_all(
    office: Office, request_id: str, account: str, venue: str, instrument: str
) -> Sequence[OrderState]:
    """See Desk.cancel_all."""
    station = office.station(account, venue)
    if instrument:
        office.directory.instrument(venue, instrument)
    ours = [
        tracked
        for tracked in station.ledger.open_orders()
        if not tracked.order.is_final and instrument in ("", tracked.order.request.instrument)
    ]
    with step("journal.write"):
        await asyncio.gather(*(_intend(station, tracked, request_id) for tracked in ours))
    with step("venue.cancel_all", venue=venue):
        if Capability.CANCEL_ALL in station.account.venue.info.capabilities:
            await _together(station, ours, instrument)
        else:
            await _each(station, ours)
    return [tracked.state for tracked in ours]


async def _together(station: Station, ours: Sequence[Tracked], instrument: str) -> None:
    for tracked in ours:
        tracked.query_needed, tracked.sent = True, station.seat.journal.clock.monotonic()
    try:
        reports = await station.account.cancel_all(instrument or None)
    except (Refused, Rejected):
        for tracked in ours:
            tracked.query_needed = False
            station.resolver.uncancel(tracked)
        raise
    except CambistError as error:
        raise Unconfirmed(
            Reason.OUTCOME_UNKNOWN, f"the cancel is not confirmed: {error.message}", error.metadata
        ) from error
    else:
        for report in reports:
            await station.intake.apply(report)
    finally:
        for tracked in ours:
            tracked.sent = station.seat.journal.clock.monotonic()
            station.resolver.watch(tracked)


async def _each(station: Station, ours: Sequence[Tracked]) -> None:
    async def one(tracked: Tracked) -> None:
        async with station.seat.asking:
            with station.calling(tracked):
                if not tracked.order.is_final:
                    await _send(station, tracked)

    outcomes = await asyncio.gather(*map(one, ours), return_exceptions=True)
    failures = [one for one in outcomes if isinstance(one, BaseException)]
    for error in failures:
        if not isinstance(error, CambistError):
            raise error
    left = sum(not tracked.order.is_final for tracked in ours)
    if failures and left:
        raise Unconfirmed(
            Reason.OUTCOME_UNKNOWN,
            f"{left} of {len(ours)} orders are not confirmed as canceled: {failures[0]}",
            {"venue": station.seat.venue},
        )
