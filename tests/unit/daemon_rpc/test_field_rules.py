"""The rules that the contract states are enforced for every request."""

from typing import Any

import pytest
from google.protobuf.message import Message

from cambist.v1 import (
    accounts_pb2,
    events_pb2,
    market_data_pb2,
    swaps_pb2,
    trading_pb2,
    wallets_pb2,
)
from core.errors import Reason, Refused
from daemon.rpc.rules import check


def order(**changes: Any) -> trading_pb2.OrderSpec:
    fields: dict[str, Any] = {
        "account": "paper",
        "venue": "paper",
        "instrument": "BTC-USDT",
        "side": trading_pb2.SIDE_BUY,
        "type": trading_pb2.ORDER_TYPE_LIMIT,
        "quantity": "0.5",
        "price": "100",
        "time_in_force": trading_pb2.TIME_IN_FORCE_GTC,
    }
    return trading_pb2.OrderSpec(**(fields | changes))


def place(**changes: Any) -> trading_pb2.PlaceOrderRequest:
    return trading_pb2.PlaceOrderRequest(request_id="r1", order=order(**changes))


def refusal(request: Message) -> Refused:
    with pytest.raises(Refused) as caught:
        check(request)
    return caught.value


def test_a_good_order_passes() -> None:
    check(place())


@pytest.mark.parametrize(
    "quantity",
    [
        "1e5",
        "NaN",
        "Infinity",
        "-1",
        "0",
        "0.0",
        "+1",
        " 1",
        "1_000",
        "٣",
        "0x10",
        ".5",
        "5.",
        "1" * 70,
    ],
)
def test_numbers_are_plain_decimals_above_zero(quantity: str) -> None:
    error = refusal(place(quantity=quantity))
    assert error.reason is Reason.FIELD_INVALID
    assert error.metadata["field"] == "order.quantity"


def test_the_smallest_and_the_largest_amounts_pass() -> None:
    check(place(quantity="0.000000000000000001", price="1000000000000"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"side": 0}, "order.side"),
        ({"type": 0}, "order.type"),
        ({"quantity": ""}, "order.quantity"),
        ({"account": ""}, "order.account"),
    ],
)
def test_required_fields(change: dict[str, Any], field: str) -> None:
    error = refusal(place(**change))
    assert error.reason is Reason.FIELD_REQUIRED
    assert error.metadata["field"] == field


def test_unspecified_is_an_error_and_absence_is_not() -> None:
    assert refusal(place(time_in_force=0)).reason is Reason.FIELD_INVALID
    request = place()
    request.order.ClearField("time_in_force")
    check(request)


@pytest.mark.parametrize("side", [3, 99, -1])
def test_unknown_enum_values(side: int) -> None:
    assert refusal(place(side=side)).reason is Reason.FIELD_INVALID


def test_long_strings_and_control_characters() -> None:
    assert refusal(place(instrument="x" * 257)).reason is Reason.FIELD_INVALID
    assert refusal(place(instrument="BTC\x00USDT")).reason is Reason.FIELD_INVALID


def test_nested_messages_and_lists_are_checked() -> None:
    item = trading_pb2.PlaceOrdersItem(request_id="a", order=order(quantity="-1"))
    request = trading_pb2.PlaceOrdersRequest(request_id="r", items=[item])
    assert refusal(request).metadata["field"] == "items[0].order.quantity"
    many = trading_pb2.PlaceOrdersRequest(
        request_id="r", items=[trading_pb2.PlaceOrdersItem(request_id="a", order=order())] * 51
    )
    assert refusal(many).metadata["field"] == "items"


def test_a_fraction_is_at_most_one() -> None:
    spec = swaps_pb2.SwapSpec(
        venue="v",
        token_in="a",
        token_out="b",
        mode=swaps_pb2.SWAP_MODE_EXACT_IN,
        amount="1",
        slippage="1.01",
    )
    assert refusal(swaps_pb2.GetQuoteRequest(swap=spec)).metadata["field"] == "swap.slippage"


def test_times_and_durations() -> None:
    request = market_data_pb2.ListCandlesRequest(venue="v", instrument="i")
    assert refusal(request).metadata["field"] == "interval"
    request.interval.seconds = -5
    assert refusal(request).reason is Reason.FIELD_INVALID
    request.interval.seconds = 60
    check(request)
    request.start_time.seconds = -(1 << 62)
    assert refusal(request).metadata["field"] == "start_time"


def test_secrets_are_never_named_in_an_error() -> None:
    secret = "hunter2\x00" + "s" * 300
    key = wallets_pb2.UnlockWalletsRequest(passphrase=secret)
    assert "hunter2" not in str(refusal(key).metadata) + refusal(key).message
    account = accounts_pb2.AddAccountRequest(
        request_id="r", account="a", venue="v", credentials={"api_key": "hunter2" * 5000}
    )
    assert "hunter2" not in str(refusal(account).metadata) + refusal(account).message


def test_requests_without_rules_pass() -> None:
    check(events_pb2.StreamEventsRequest())
