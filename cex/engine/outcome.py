"""What a reply proves. The one place that decides between refused, rejected and unconfirmed."""

import re
from collections.abc import Mapping, Sequence

from cex.engine.http import Reply
from cex.engine.spec import ErrorRule, Failure, VenueSpec
from core.errors import CambistError, Reason, Refused, Rejected, Unconfirmed

_LIMITED = (418, 429)
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII).fullmatch
_CODE = 100  # characters of a venue's code that are told: what is longer is none
_UNPROVEN = ErrorRule("", Reason.OUTCOME_UNKNOWN, unknown=True)


def rule_for(spec: VenueSpec, failure: Failure) -> ErrorRule:
    """The first rule that fits a failure; an unproven outcome when none does."""
    for rule in spec.errors:
        if rule.text and rule.text.lower() not in failure.text.lower():
            continue
        low, separator, high = rule.code.partition("..")
        if separator:
            if _NUMBER(failure.code) and int(low) <= int(failure.code) <= int(high):
                return rule
        elif rule.code == failure.code:
            return rule
    return _UNPROVEN


def failed(spec: VenueSpec, reply: Reply, failure: Failure | None, mutates: bool) -> CambistError:
    """The error for a reply that is not a success; `failure` is None if it could not be read."""
    metadata = {"venue": spec.id, "http_status": str(reply.status)}
    said = f"HTTP status {reply.status}"
    if failure is not None:
        metadata |= {"venue_code": failure.code[:_CODE], "venue_message": failure.text[:500]}
        said = f"{failure.code[:_CODE]} {failure.text[:300]}".strip()
    rule = rule_for(spec, failure) if failure is not None else _UNPROVEN
    limited = _limited(reply, failure, rule)
    proven = not limited and reply.status < 500 and not rule.unknown
    if mutates:
        if proven:
            return Rejected(rule.reason, f"{spec.name} rejected it: {said}", metadata)
        return unconfirmed(spec, said, metadata, retry_after(spec, reply) if limited else None)
    if limited:
        return CambistError(
            Reason.RATE_LIMITED,
            f"{spec.name} turns us away, for its rate limit or for our address: {said}; wait "
            "before asking again",
            metadata,
            retry_after(spec, reply),
        )
    if proven:
        return CambistError(rule.reason, f"{spec.name} said no: {said}", metadata)
    return CambistError(
        Reason.VENUE_UNAVAILABLE, f"{spec.name} did not answer: {said}; try again", metadata
    )


def unconfirmed(
    spec: VenueSpec, why: str, metadata: Mapping[str, str] | None = None, delay: int | None = None
) -> Unconfirmed:
    """The error for a mutation that may have had its effect."""
    return Unconfirmed(
        Reason.OUTCOME_UNKNOWN,
        f"it is not known whether {spec.name} did it ({why}); do not repeat it: ask for the "
        "order's state, which follows on the stream as well",
        {"venue": spec.id, **(metadata or {})},
        delay,
    )


def not_sent(spec: VenueSpec, why: str, mutates: bool) -> CambistError:
    """The error for a request of which nothing left this machine."""
    kind = Refused if mutates else CambistError
    return kind(
        Reason.VENUE_UNAVAILABLE,
        f"{spec.name} cannot be reached ({why}): nothing was sent; try again later",
        {"venue": spec.id},
    )


def retry_after(spec: VenueSpec, reply: Reply) -> int:
    """How long the venue asks us to wait, in ns; what its table says where it does not say."""
    for name, unit in spec.wait_headers.items():
        text = reply.headers.get(name, "")
        if text.isdecimal() and len(text) < 8:
            return max(int(text), 1) * unit
    return spec.limit_pause


def limited_pools(spec: VenueSpec, reply: Reply, failure: Failure | None) -> Sequence[str] | None:
    """The budgets that the venue says are exhausted; empty means all, None that it says no such
    thing. A ban is always of everything."""
    rule = rule_for(spec, failure) if failure is not None else _UNPROVEN
    if not _limited(reply, failure, rule):
        return None
    return () if reply.status == 418 else rule.pools


def _limited(reply: Reply, failure: Failure | None, rule: ErrorRule) -> bool:
    # A 403 that is not in the venue's format comes from what stands before it: our address asked
    # too much, or is not served. Asking on would make the ban longer.
    banned = reply.status == 403 and failure is None
    return banned or reply.status in _LIMITED or rule.reason is Reason.RATE_LIMITED
