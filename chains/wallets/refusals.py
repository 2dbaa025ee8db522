"""How the store says no: ValueErrors of the functions below become refusals with a reason."""

from collections.abc import Callable
from typing import TypeVar

from chains.wallets.families import FAMILIES, Family
from core.errors import Reason, Refused

T = TypeVar("T")


def invalid(field: str, message: str) -> Refused:
    """A field of the request is wrong."""
    return Refused(Reason.FIELD_INVALID, message, {"field": field})


def checked(field: str, function: Callable[[], T]) -> T:
    """What `function` returns; its ValueError as a refusal that names the field."""
    try:
        return function()
    except ValueError as error:
        message = str(error)
    # Outside, so that the first error, whose frames may hold input, is not carried along.
    raise invalid(field, message)


def find_family(text: str) -> Family:
    """The row of a family."""
    if text not in FAMILIES:
        raise invalid("family", f"a family is one of {', '.join(FAMILIES)}")
    return FAMILIES[text]


def damaged_index(error: ValueError) -> Refused:
    """The store's own file cannot be used."""
    return Refused(
        Reason.WALLETS_LOCKED,
        f"the index of the wallet store is damaged ({error}): restore it from a backup, or move it"
        " away and initialize again with the same passphrase; the wallets stay",
    )
