"""Replacing orders: the command. What follows from it is in `succession.py`."""

from dataclasses import replace
from decimal import Decimal

from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed
from core.ids import client_order_id as derived_id
from core.ports import Capability
from core.steps import step
from daemon.trading import succession
from daemon.trading.checks import check_replacement, final
from daemon.trading.office import Office, Station
from daemon.trading.state import OrderState, Replacement, Tracked


async def replace_order(
    office: Office,
    request_id: str,
    account: str,
    client_order_id: str,
    quantity: Decimal,
    price: Decimal,
    dry_run: bool,
) -> OrderState:
    """See Desk.replace."""
    station, tracked = await office.find(account, client_order_id)
    again = await _resumed(station, tracked, request_id)
    if again is not None:
        return again
    if tracked.order.is_final:
        raise Refused(*final(tracked.order))
    office.require_open(station)
    _check(office, station, tracked, quantity, price)
    now = tracked.order.request
    left = replace(now, quantity=quantity - tracked.order.filled_quantity, price=price)
    with step("risk.prices"):
        admission = await office.risk.prepare(left, replaces=tracked.id)
    with step("risk.admit"):
        office.risk.admit(admission)
    if dry_run or (quantity, price) == (now.quantity, now.price):
        return tracked.state  # nothing to send
    rule = station.account.client_id_rule
    id = derived_id(office.journal.daemon_id, request_id, rule, 1)
    with station.calling(tracked):
        asked = Replacement(request_id, id, quantity, price, now.quantity, now.price)
        return await _send(station, tracked, asked)


def _check(
    office: Office, station: Station, tracked: Tracked, quantity: Decimal, price: Decimal
) -> None:
    venue, order = station.seat.venue, tracked.order
    instrument = office.directory.instrument(venue, order.request.instrument)
    check_replacement(order, instrument, quantity, price)
    if tracked.state.replacement is not None:
        raise Refused(
            Reason.OUTCOME_UNKNOWN,
            f"order {tracked.id} is being replaced already: wait for its event",
            {"order": tracked.id},
        )
    if Capability.REPLACE not in station.account.venue.info.capabilities:
        raise Refused(
            Reason.UNSUPPORTED_BY_VENUE,
            f"{venue} cannot change an order: cancel it and place a new one",
            {"venue": venue, "capability": Capability.REPLACE.value},
        )


async def _send(station: Station, tracked: Tracked, replacement: Replacement) -> OrderState:
    seat, ledger = station.seat, station.ledger
    with step("journal.write"):
        await ledger.intend(
            tracked,
            replace(tracked.state, replacement=replacement),
            lambda now: replace(now, replacement=None),
        )
    try:
        with step("venue.replace", venue=seat.venue):
            report = await station.account.replace(
                seat.for_venue(tracked.order),
                replacement.quantity,
                replacement.price,
                replacement.client_order_id,
            )
    except Refused:
        succession.drop(seat, tracked)
        raise
    except Rejected:
        succession.drop(seat, tracked)
        tracked.query_needed = True  # a venue that cancels and places may have done the first
        raise
    except Unconfirmed:
        raise
    except CambistError as error:
        raise Unconfirmed(
            Reason.OUTCOME_UNKNOWN, f"the change is not confirmed: {error.message}", error.metadata
        ) from error
    if not seat.has_room():
        return tracked.state
    return succession.settle(seat, tracked, report).state


async def _resumed(station: Station, tracked: Tracked, request_id: str) -> OrderState | None:
    """How a replacement that was asked for before went; None when it is still to be done."""
    state = tracked.state
    if state.replacement is not None and state.replacement.request_id == request_id:
        try:
            await succession.find_out(station.seat, tracked)
        except CambistError as error:
            raise _unknown(tracked, error.message) from error
        state = tracked.state
        if state.replacement is not None:
            raise _unknown(tracked, "it may still take effect")
    if state.replace_request_id != request_id:
        return None
    after = await station.ledger.find(state.replaced_by) if state.replaced_by else tracked
    return after.state if after is not None else state


def _unknown(tracked: Tracked, why: str) -> Unconfirmed:
    return Unconfirmed(
        Reason.OUTCOME_UNKNOWN,
        f"whether order {tracked.id} was replaced is not known yet ({why}): retry in 1 s",
        {"order": tracked.id},
        retry_after=1_000_000_000,
    )
