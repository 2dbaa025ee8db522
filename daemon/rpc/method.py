"""The methods of the contract, and what its options say of each."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from cambist.v1 import options_pb2
from daemon.access.scopes import SCOPES, Concern


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the contract and what its options say of it."""

    service: str
    name: str
    permission: str
    mutation: bool
    always: bool
    streams: bool
    request: type[Message]
    response: type[Message]
    sends: bool  # a transaction, which the response has
    concern: Concern

    @classmethod
    def of(cls, descriptor: MethodDescriptor) -> "Method":
        """Reads a method's descriptor."""
        access = descriptor.GetOptions().Extensions[options_pb2.access]
        return cls(
            service=descriptor.containing_service.full_name,
            name=descriptor.name,
            permission=access.permission,
            mutation=access.mutation,
            always=access.always,
            streams=descriptor.server_streaming,
            request=GetMessageClass(descriptor.input_type),
            response=GetMessageClass(descriptor.output_type),
            sends=access.mutation and "transaction" in descriptor.output_type.fields_by_name,
            concern=Concern.of(
                descriptor.input_type,
                tuple(scope for scope in SCOPES if scope in access.scopes),
                names=descriptor.containing_service.name == "WalletService",
            ),
        )

    @property
    def path(self) -> str:
        """The name in errors and logs."""
        return f"{self.service}/{self.name}"


def snake_case(name: str) -> str:
    """`PlaceOrder` -> `place_order`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def permissions(contract: Iterable[FileDescriptor]) -> dict[str, str]:
    """Every method of the contract, as errors and tokens name it, with what it needs."""
    methods = (
        Method.of(one)
        for file in contract
        for service in file.services_by_name.values()
        for one in service.methods
    )
    return {method.path: method.permission for method in methods}
