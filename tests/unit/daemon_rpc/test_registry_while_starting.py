"""Accounts that are known by name before their venues are there."""

import pytest

from core.errors import Reason, Refused
from daemon.registry import Registry


def test_an_account_that_is_still_to_come_is_not_unknown() -> None:
    """Whoever asks for it waits a moment, and does not conclude that there is none."""
    registry = Registry()
    registry.absent["trader"] = Reason.STARTING_UP, "the local EVM chain is starting"
    with pytest.raises(Refused) as refused:
        registry.account_venues("trader")
    assert refused.value.reason is Reason.STARTING_UP
    assert refused.value.retry_after
    with pytest.raises(Refused) as refused:
        registry.account_venues("traitor")
    assert refused.value.reason is Reason.ACCOUNT_NOT_FOUND
    del registry.absent["trader"]
    with pytest.raises(Refused) as refused:
        registry.account_venues("trader")
    assert refused.value.reason is Reason.ACCOUNT_NOT_FOUND
