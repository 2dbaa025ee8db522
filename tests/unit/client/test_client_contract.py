"""The client's hand-written values, classes and methods, held against the contract."""

import dataclasses
import importlib
import re
import typing
from decimal import Decimal
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import cambist
from cambist import errors, reasons
from cambist.convert import decode
from cambist.types._enum import WireEnum
from cambist.types.events import PAYLOADS
from cambist.v1 import (
    access_pb2,
    accounts_pb2,
    chains_pb2,
    error_reason_pb2,
    events_pb2,
    liquidity_pb2,
    market_data_pb2,
    options_pb2,
    risk_pb2,
    sandbox_pb2,
    swaps_pb2,
    system_pb2,
    trading_pb2,
    venues_pb2,
    wallets_pb2,
)

MODULES: dict[str, Any] = {
    "access": access_pb2,
    "accounts": accounts_pb2,
    "chains": chains_pb2,
    "events": events_pb2,
    "liquidity": liquidity_pb2,
    "market": market_data_pb2,
    "risk": risk_pb2,
    "sandbox": sandbox_pb2,
    "swaps": swaps_pb2,
    "system": system_pb2,
    "trading": trading_pb2,
    "venues": venues_pb2,
    "wallets": wallets_pb2,
}
MESSAGES: dict[str, Descriptor] = {
    name: message
    for module in MODULES.values()
    for name, message in module.DESCRIPTOR.message_types_by_name.items()
}
PUBLIC = {name: getattr(cambist, name) for name in cambist.types.__all__}
ENUMS = {name: cls for name, cls in PUBLIC.items() if issubclass(cls, WireEnum)}
VALUES: dict[str, Any] = {
    name: cls for name, cls in PUBLIC.items() if dataclasses.is_dataclass(cls)
}
# What a value is called in the contract, where that differs.
NAMES = {
    "Info": "GetInfoResponse",
    "BakedToken": "BakeTokenResponse",
    "InspectedToken": "InspectTokenResponse",
    "Lease": "OpenLeaseResponse",
}
# Messages without a value of their own, and why.
WITHOUT = {
    "OrderBook": "cambist.OrderBook keeps it",
    "TradeEvent": "streams give what it holds",
    "TickerEvent": "streams give what it holds",
    "CandleEvent": "streams give what it holds",
    "FundingEvent": "streams give what it holds",
    "PlaceOrdersItem": "made of OrderSpec",
    "Mnemonic": "goes in as arguments",
    "Keystore": "goes in as arguments",
    "FeeOptions": "goes in as arguments",
    "SwapSpec": "goes in as arguments",
    "LiquiditySpec": "goes in as arguments",
}
REASONS = [value for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values if value.number]


def test_every_message_that_comes_out_has_a_value() -> None:
    expected = {name for name in MESSAGES if not name.endswith(("Request", "Response"))}
    assert {name for name in VALUES if name not in NAMES} == expected - set(WITHOUT)


@pytest.mark.parametrize("name", VALUES)
def test_a_value_has_the_fields_of_its_message(name: str) -> None:
    fields = [field.name for field in dataclasses.fields(VALUES[name])]
    assert fields == [field.name for field in MESSAGES[NAMES.get(name, name)].fields]


@pytest.mark.parametrize("name", ENUMS)
def test_an_enum_has_the_members_of_the_contract(name: str) -> None:
    (descriptor,) = (
        module.DESCRIPTOR.enum_types_by_name[name]
        for module in MODULES.values()
        if name in module.DESCRIPTOR.enum_types_by_name
    )
    prefix = re.sub(r"(?<!^)([A-Z])", r"_\1", name).upper() + "_"
    wire = {value.name.removeprefix(prefix): value.number for value in descriptor.values}
    wire["UNKNOWN"] = wire.pop("UNSPECIFIED")
    assert {member.name: member.value for member in ENUMS[name]} == wire
    assert ENUMS[name](999_999) is ENUMS[name]["UNKNOWN"]


def fill(descriptor: Descriptor, depth: int = 0) -> Message:
    """A message with every field set (of a oneof, the last)."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["key"] = "value"
        elif field.message_type is not None:
            if depth < 6:
                part = fill(field.message_type, depth + 1)
                target = getattr(message, field.name)
                (target.add() if field.is_repeated else target).CopyFrom(part)
        else:
            value: Any = "7" if field.type == FieldDescriptor.TYPE_STRING else 1
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, bool(value) if is_bool(field) else value)
    return message


def is_bool(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_BOOL


@pytest.mark.parametrize("name", VALUES)
def test_full_and_empty_messages_can_be_read(name: str) -> None:
    descriptor = MESSAGES[NAMES.get(name, name)]
    cls = VALUES[name]
    value = decode(cls, fill(descriptor))
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        # of a oneof only the last field is set
        in_oneof = descriptor.fields_by_name[field.name].containing_oneof is not None
        if not in_oneof:
            assert getattr(value, field.name) is not None, field.name
        if hints[field.name] is Decimal:
            assert getattr(value, field.name) == Decimal(7)
    decode(cls, GetMessageClass(descriptor)())  # an older daemon leaves everything out


def test_every_reason_has_a_class_under_the_family_of_its_code() -> None:
    for value in REASONS:
        reason = value.name.removeprefix("ERROR_REASON_")
        info = value.GetOptions().Extensions[options_pb2.reason]
        found = errors.by_reason(reason)
        family = "".join(word.capitalize() for word in info.code.split("_"))
        assert found.__name__ == "".join(word.capitalize() for word in reason.split("_"))
        assert issubclass(found, getattr(reasons, family)), reason
        assert errors.is_retryable(reason) == info.retryable
        assert getattr(cambist, found.__name__) is found


def test_a_reason_of_a_newer_daemon_is_a_plain_error() -> None:
    assert errors.by_reason("SOMETHING_NEW") is cambist.Error
    assert not errors.is_retryable("SOMETHING_NEW")


def test_an_event_knows_every_kind_of_payload() -> None:
    oneof = events_pb2.Event.DESCRIPTOR.oneofs_by_name["payload"]
    assert tuple(field.name for field in oneof.fields) == PAYLOADS


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def test_every_rpc_has_a_method_of_its_name() -> None:
    # The log's stream is so common that it has the short name.
    renamed = {"stream_events": "stream", "stream_order_book": "order_book"}
    missing = []
    for area, module in MODULES.items():
        file = importlib.import_module(f"cambist.services.{area}")
        cls = getattr(file, area.capitalize())
        for descriptor in module.DESCRIPTOR.services_by_name.values():
            for method in descriptor.methods:
                name = snake(method.name)
                name = renamed.get(name, name.removeprefix("stream_"))
                if not callable(getattr(cls, name, None)):
                    missing.append(f"{area}.{name}")
    assert missing == []


def test_details_that_nobody_can_read_are_a_plain_error() -> None:
    failure = grpc.aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff")),
        details="no page here",
    )
    error = errors.decode(failure)
    assert (error.reason, error.message) == ("NOT_FOUND", "no page here")
