"""A command becomes a request: pure, so that a test can hold it byte for byte."""

from typing import Any
from urllib.parse import quote, urlencode

from cex.engine import wire
from cex.engine.commands import Command
from cex.engine.credentials import Credentials
from cex.engine.spec import Draft, Layout, Moment, Operation, Request, VenueSpec


def build(
    spec: VenueSpec,
    operation: Operation[Any, Any],
    command: Command[Any],
    credentials: Credentials | None,
    moment: Moment,
) -> Request:
    """The request of a command; signed when the operation asks for it."""
    path = operation.path if isinstance(operation.path, str) else operation.path(command)
    layout = operation.layout
    if layout is None:
        layout = Layout.QUERY if operation.method in ("GET", "DELETE") else spec.body
    draft = Draft(operation.method, path, layout, operation.params(command), operation.host)
    if not operation.signed:
        return lay_out(draft, {})
    if credentials is None:
        raise ValueError(f"{type(command).__name__} needs credentials")
    return spec.signer.sign(draft, credentials, moment)


def query_string(params: Any) -> str:
    """Percent-encoded pairs in their order; a space is %20."""
    return urlencode(params, quote_via=quote, safe="")


def lay_out(draft: Draft, headers: dict[str, str]) -> Request:
    """A request whose signature, if any, is in the parameters or headers already."""
    query, body = "", b""
    if draft.params:
        if draft.layout is Layout.JSON:
            body = wire.encode(draft.params)
            headers["Content-Type"] = "application/json"
        elif draft.layout is Layout.FORM:
            body = query_string(draft.params).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        else:
            query = query_string(draft.params)
    return Request(draft.method, draft.host, draft.path, query, body, headers)
