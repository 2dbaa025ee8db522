"""Codes of failures that no venue would send."""

import pytest

from cex.engine import outcome
from cex.engine.http import Reply
from cex.engine.spec import Failure
from cex.venues import catalogue
from core.errors import Reason, Unconfirmed


@pytest.mark.parametrize(
    "code", ["--1100", "-" + "1" * 5000, "1" * 5000, "-١١٠٠", "-", "a" * 20_000]
)
def test_a_code_that_is_none_proves_nothing_and_is_cut(code: str) -> None:
    """Binance has a range of codes, so that each code is held against numbers."""
    spec = catalogue()["binance"]
    assert outcome.rule_for(spec, Failure(code, "")).reason is Reason.OUTCOME_UNKNOWN
    error = outcome.failed(spec, Reply(400, {}, b""), Failure(code, "x" * 20_000), mutates=True)
    assert isinstance(error, Unconfirmed)
    assert len(error.message) < 1000
    assert all(len(value) <= 500 for value in error.metadata.values())


def test_a_code_within_a_range_is_found() -> None:
    assert outcome.rule_for(catalogue()["binance"], Failure("-1102", "")).reason is (
        Reason.VENUE_PROTOCOL_ERROR
    )
