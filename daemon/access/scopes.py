"""What a call concerns: the venues, accounts and instruments that its request names.

Which of the three a method concerns is said in the contract (option `access.scopes`). A request
that leaves one of them open concerns all of it, which is stated as `ALL`: no list of a token has
that name, so that a token limited to some venues does nothing to all venues.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

ALL = "*"
SCOPES = ("venue", "account", "instrument")
# The words of requests for each; a wallet's name is its account's id.
_FIELDS = {
    "venue": "venue", "venues": "venue", "account": "account", "accounts": "account",
    "wallet": "account", "instrument": "instrument", "instruments": "instrument",
}  # fmt: skip
_DEEPEST = 3  # messages within messages

Names = dict[str, set[str]]
# Names what a request concerns where it says so by an id: an order's, a quote's, a lease's.
Resolver = Callable[[Any], Awaitable[Names]]


@dataclass(frozen=True, slots=True)
class Concern:
    """How what a method concerns is found in its requests."""

    scopes: tuple[str, ...]
    fields: tuple[tuple[str, tuple[str, ...]], ...]  # scope and path

    @classmethod
    def of(cls, descriptor: Descriptor, scopes: tuple[str, ...], names: bool) -> "Concern":
        """Reads a request's descriptor; `names`: its field `name` is an account's."""
        words = {**_FIELDS, "name": "account"} if names else _FIELDS
        found = tuple(pair for pair in _paths(descriptor, words) if pair[0] in scopes)
        return cls(scopes, found)

    def names(self, request: Message) -> Names:
        """Every scope of the method with what the request names of it."""
        names: Names = {scope: set() for scope in self.scopes}
        for scope, path in self.fields:
            names[scope].update(value or ALL for value in _values(request, path))
        for found in names.values():
            if not found:
                found.add(ALL)
        return names


def _paths(
    descriptor: Descriptor, words: Mapping[str, str], depth: int = 0
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for field in descriptor.fields:
        if field.message_type is None:
            if field.name in words and field.type == field.TYPE_STRING:
                yield words[field.name], (field.name,)
        elif depth < _DEEPEST and not field.message_type.full_name.startswith("google."):
            for scope, path in _paths(field.message_type, words, depth + 1):
                yield scope, (field.name, *path)


def _values(message: Message, path: tuple[str, ...]) -> Iterator[str]:
    """The values at a path; a message that is not there names nothing."""
    name, *rest = path
    field = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    if not rest:
        yield from value if field.is_repeated else (value,)
    elif field.is_repeated:
        for item in value:
            yield from _values(item, tuple(rest))
    elif message.HasField(name):
        yield from _values(value, tuple(rest))
