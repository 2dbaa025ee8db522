"""Hyperliquid's signatures: equal to its own SDK's and to ccxt's, and much faster than ccxt's."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cex.engine.credentials import Credentials
from cex.engine.phantom import PhantomSigner, connection_id, signature
from cex.engine.spec import Draft, Layout, Moment

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
ORDER = {
    "type": "order",
    "orders": [
        {
            "a": 4,
            "b": True,
            "p": "1670.1",
            "s": "0.0147",
            "r": False,
            "t": {"limit": {"tif": "Ioc"}},
            "c": "0x00000000000000000000000000000001",
        }
    ],
    "grouping": "na",
}

leaves = st.booleans() | st.integers(0, 2**63) | st.text(max_size=40) | st.none()
actions = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)  # the first imports the SDK
@given(
    actions,
    st.integers(0, 2**63),
    st.sampled_from(["", VAULT]),
    st.none() | st.integers(0, 2**63),
    st.sampled_from(["a", "b"]),
)
def test_any_action_is_signed_as_by_the_official_sdk(
    action: Any, nonce: int, vault: str, expires: int | None, source: str
) -> None:
    sdk = pytest.importorskip("hyperliquid.utils.signing")
    from eth_account import Account

    theirs = sdk.sign_l1_action(
        Account.from_key(KEY), action, vault or None, nonce, expires, source == "a"
    )
    hashed = connection_id(action, nonce, vault, expires)
    assert hashed == sdk.action_hash(action, vault or None, nonce, expires)
    assert signature(KEY, source, hashed) == theirs


def test_the_example_that_the_venue_published() -> None:
    """From the tests of its SDK: the hash that its production computed."""
    order = {name: value for name, value in ORDER["orders"][0].items() if name != "c"}  # type: ignore[attr-defined]
    action = {**ORDER, "orders": [order]}
    assert connection_id(action, 1677777606040, "", None).hex() == (
        "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"
    )


def sign_here() -> Any:
    made = PhantomSigner("a", 10_000_000_000).sign(
        Draft("POST", "/exchange", Layout.JSON, ORDER),
        Credentials(VAULT, KEY),
        Moment(1_700_000_000_000_000_000, 1_700_000_000_000),
    )
    return json.loads(made.body)


def test_ccxt_signs_an_action_the_same() -> None:
    ccxt = pytest.importorskip("ccxt")
    exchange = ccxt.hyperliquid({"privateKey": KEY, "walletAddress": VAULT})
    ours = sign_here()
    theirs = exchange.sign_l1_action(ORDER, ours["nonce"], None, ours["expiresAfter"])
    # The same numbers; ccxt fills them up with zeros.
    assert int(theirs["r"], 16) == int(ours["signature"]["r"], 16)
    assert int(theirs["s"], 16) == int(ours["signature"]["s"], 16)
    assert theirs["v"] == ours["signature"]["v"]


def test_what_is_posted() -> None:
    body = sign_here()
    assert list(body) == ["action", "nonce", "signature", "vaultAddress", "expiresAfter"]
    assert body["action"] == ORDER
    assert body["nonce"] == 1_700_000_000_000
    assert body["expiresAfter"] == 1_700_000_010_000
    assert body["vaultAddress"] is None


def test_a_question_names_the_account_and_a_vault_before_it() -> None:
    signer = PhantomSigner("a", 1)
    for credentials, user in (
        (Credentials("0xAB", KEY), "0xab"),
        (Credentials("0xAB", KEY, user="0xCD"), "0xcd"),
    ):
        draft = Draft("POST", "/info", Layout.JSON, {"type": "userFees"})
        body = json.loads(signer.sign(draft, credentials, Moment(0)).body)
        assert body == {"type": "userFees", "user": user}


@pytest.mark.parametrize("secret", ["", "0x12", "not hex", KEY + "00", "0x" + "00" * 32])
def test_what_is_no_private_key_is_a_value_error_without_the_key(secret: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        signature(secret, "a", bytes(32))
    assert len(secret) < 5 or secret not in str(caught.value)


def least(call: Callable[[], object], rounds: int) -> int:
    """Nanoseconds of the fastest of some rounds: what the machine does besides counts little."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - began)
    return min(times)


def test_ten_times_faster_than_ccxt() -> None:
    ccxt = pytest.importorskip("ccxt")
    exchange = ccxt.hyperliquid({"privateKey": KEY, "walletAddress": VAULT})
    sign_here()
    exchange.sign_l1_action(ORDER, 1_700_000_000_000, None)
    ours = least(sign_here, 50)
    theirs = least(lambda: exchange.sign_l1_action(ORDER, 1_700_000_000_000, None), 10)
    assert theirs > 10 * ours, f"ours {ours} ns, ccxt's {theirs} ns"
