"""Tokens: who may do what. A token is a secret: it is printed where it is asked for, and nowhere
else, and is read from standard input or a file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.arguments import RequestId, Yes
from daemon.cli.secrets import secret
from daemon.cli.session import JSON, Session, before, command
from daemon.cli.speech import UsageError, confirm
from daemon.cli.tables import details

if TYPE_CHECKING:
    from cambist import Grant

PANEL = "The daemon"

Root = Annotated[
    str, typer.Argument(metavar="ROOT", help="One name a bot: what is revoked together.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--file", metavar="FILE", help="The token; - is standard input.", show_default="asks"
    ),
]


def _many(flag: str, metavar: str, help: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=f"{help} May be given several times.")


Permissions = Annotated[
    list[str] | None, _many("--permission", "NAME", "Only these; see 'cambist token permissions'.")
]
Venues = Annotated[list[str] | None, _many("--venue", "VENUE", "Only these venues.")]
Accounts = Annotated[list[str] | None, _many("--account", "ACCOUNT", "Only these accounts.")]
Instruments = Annotated[
    list[str] | None, _many("--instrument", "INSTRUMENT", "Only these instruments.")
]
Methods = Annotated[
    list[str] | None, _many("--call", "NAME", "Only these calls, such as PlaceOrder.")
]
Sources = Annotated[
    list[str] | None, _many("--from", "ADDRESS", "Only from these addresses or networks.")
]
MaxOrder = Annotated[
    str, typer.Option("--max-order", metavar="AMOUNT", help="Largest order, in its quote.")
]
MaxDay = Annotated[
    str, typer.Option("--max-day", metavar="AMOUNT", help="Largest sum of orders a UTC day.")
]
MaxSlippage = Annotated[
    str, typer.Option("--max-slippage", metavar="FRACTION", help="Such as 0.005.")
]
ReduceOnly = Annotated[bool, typer.Option("--reduce-only", help="Only what reduces a position.")]
PaperOnly = Annotated[bool, typer.Option("--paper-only", help="Only paper accounts.")]
NoTransfer = Annotated[
    bool, typer.Option("--no-withdrawal", help="No transfers out of any wallet.")
]
Role = Annotated[
    str,
    typer.Option("--role", metavar="ROLE", help="Permissions of: admin, read-only, trader, "
    "market-data."),
]  # fmt: skip
ExpiresIn = Annotated[
    str, typer.Option("--expires-in", metavar="TIME", help="Such as 30m, 12h or 90d.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Who may do what.", no_args_is_help=True)
    command(group, "bake")(bake)
    command(group, "inspect")(inspect)
    group.command("attenuate")(attenuate)
    command(group, "list")(listed)
    command(group, "revoke")(revoke)
    command(group, "permissions")(permissions)
    app.add_typer(group, name="token", rich_help_panel=PANEL)
    command(app, "pair", rich_help_panel=PANEL)(pair)


async def bake(
    session: Session,
    root: Root,
    role: Role = "",
    permission: Permissions = None,
    venue: Venues = None,
    account: Accounts = None,
    instrument: Instruments = None,
    call: Methods = None,
    source: Sources = None,
    max_order: MaxOrder = "",
    max_day: MaxDay = "",
    max_slippage: MaxSlippage = "",
    reduce_only: ReduceOnly = False,
    paper_only: PaperOnly = False,
    no_withdrawal: NoTransfer = False,
    expires_in: ExpiresIn = "",
    request_id: RequestId = "",
) -> None:
    """Make a token. Without options it may do all that you may."""
    made = await _bake(session, root, request_id, **_given(locals()))
    if session.json:
        session.document({"token": made.token})
    else:
        print(made.token)


async def pair(
    session: Session,
    root: Root = "pair",
    role: Role = "trader",
    permission: Permissions = None,
    venue: Venues = None,
    account: Accounts = None,
    instrument: Instruments = None,
    call: Methods = None,
    source: Sources = None,
    max_order: MaxOrder = "",
    max_day: MaxDay = "",
    max_slippage: MaxSlippage = "",
    reduce_only: ReduceOnly = False,
    paper_only: PaperOnly = False,
    no_withdrawal: NoTransfer = False,
    expires_in: ExpiresIn = "",
    request_id: RequestId = "",
) -> None:
    """Print a connect string: address, fingerprint of the daemon's key and a new token."""
    made = await _bake(session, root, request_id, **_given(locals()))
    if not made.connect_string:
        raise UsageError("the daemon listens on no TCP address: set server.tcp")
    if session.json:
        session.document({"connect_string": made.connect_string})
    else:
        print(made.connect_string)


async def inspect(session: Session, file: TokenFile = None) -> None:
    """What a token allows; its signatures are verified by the daemon that made it."""
    found = await session.client.access.inspect_token(secret("Token", file).strip())
    if session.json:
        session.document(found)
        return
    limits = [(field.name, getattr(found.grant, field.name)) for field in fields(found.grant)]
    said = [(name, value) for name, value in limits if value not in ((), None, False)]
    rows = [("root", found.root), ("revoked", found.revoked)]
    rows += said or [("allows", "everything")]
    rows += [("check of a holder's own", one) for one in found.other_checks]
    session.print(details(rows))


def attenuate(
    ctx: typer.Context,
    file: TokenFile = None,
    role: Role = "",
    permission: Permissions = None,
    venue: Venues = None,
    account: Accounts = None,
    instrument: Instruments = None,
    call: Methods = None,
    source: Sources = None,
    max_order: MaxOrder = "",
    max_day: MaxDay = "",
    max_slippage: MaxSlippage = "",
    reduce_only: ReduceOnly = False,
    paper_only: PaperOnly = False,
    no_withdrawal: NoTransfer = False,
    expires_in: ExpiresIn = "",
    as_json: JSON = False,
) -> None:
    """Narrow a token. Needs no daemon: whoever holds a token may hand on a narrower one."""
    import json

    from daemon.access import tokens
    from daemon.cli.speech import fail
    from daemon.codec.access import grant as read_grant

    as_json = as_json or before(ctx).json
    given = _given(locals())
    try:
        if not any(given.values()):
            raise UsageError("say what to take away: --venue, --max-order, --expires-in, ...")
        narrower = _grant(_contract(), **given)
        made = tokens.attenuate(secret("Token", file).strip(), read_grant(_wire(narrower)))
    except (UsageError, ValueError) as error:
        fail("USAGE", str(error), {}, as_json, code=2)
    print(json.dumps({"token": made}, indent=2) if as_json else made)


async def listed(session: Session) -> None:
    """The roots that tokens were made from."""
    roots = await session.client.access.list_token_roots()
    session.rows("TokenRoot", roots, "no token was made yet")


async def revoke(
    session: Session, root: Root, yes: Yes = False, request_id: RequestId = ""
) -> None:
    """Make every token of a root worthless."""
    confirm(f"revoke every token of {root!r}?", yes)
    await session.client.access.revoke_token_root(root, request_id=request_id or None)
    session.done(f"the tokens of {root} are revoked")


async def permissions(session: Session) -> None:
    """Every call with the permission that it needs."""
    session.rows("MethodPermission", await session.client.access.list_permissions(), "no call")


_OPTIONS = (
    "role", "permission", "venue", "account", "instrument", "call", "source", "max_order",
    "max_day", "max_slippage", "reduce_only", "paper_only", "no_withdrawal", "expires_in",
)  # fmt: skip


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _OPTIONS}


async def _bake(session: Session, root: str, request_id: str, **given: Any) -> Any:
    listed = await session.client.access.list_permissions()
    known = {one.method: one.permission for one in listed}
    return await session.client.access.bake_token(
        root, _grant(known, **given), request_id=request_id or None
    )


def _grant(known: Mapping[str, str], **given: Any) -> "Grant":
    """`known` has each call with the permission that it needs."""
    from cambist import Grant

    allowed = tuple(given["permission"] or ())
    if unknown := sorted(set(allowed) - set(known.values())):
        raise UsageError(f"no permission {unknown[0]!r}: {', '.join(sorted(set(known.values())))}")
    if given["role"]:
        allowed = (*allowed, *_of_role(given["role"], known.values()))
    ceilings = ("max_order", "max_day", "max_slippage")
    bounds = {name: _amount(name, given[name]) for name in ceilings}
    return Grant(
        permissions=tuple(sorted(set(allowed))),
        methods=tuple(_call(name, known) for name in given["call"] or ()),
        venues=tuple(given["venue"] or ()),
        accounts=tuple(given["account"] or ()),
        instruments=tuple(given["instrument"] or ()),
        source_addresses=tuple(given["source"] or ()),
        max_order_notional=bounds["max_order"],
        max_day_notional=bounds["max_day"],
        max_slippage=bounds["max_slippage"],
        reduce_only=given["reduce_only"],
        paper_only=given["paper_only"],
        no_withdrawal=given["no_withdrawal"],
        expire_time=_expiry(given["expires_in"]) if given["expires_in"] else None,
    )


def _amount(name: str, given: str) -> Decimal | None:
    from cambist.convert import exact

    if not given:
        return None
    try:
        found = exact(given)
    except (ValueError, TypeError):
        found = Decimal(0)
    if found <= 0:
        option = f"--{name.replace('_', '-')}"
        raise UsageError(f"{option} {given!r} must be a plain number above zero such as 0.05")
    return found


def _call(name: str, known: Mapping[str, str]) -> str:
    """A call's full name, from that or from its last word."""
    found = [path for path in known if name in (path, path.rpartition("/")[2])]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"--call {name!r} may be {' or '.join(found)}: say which")
    raise UsageError(f"no call {name!r}: 'cambist token permissions' lists them")


def _contract() -> dict[str, str]:
    """The calls of this version's contract, as a daemon tells them, for what needs no daemon."""
    import pkgutil
    from importlib import import_module

    from cambist import v1
    from daemon.rpc.method import permissions as of_contract

    names = [one.name for one in pkgutil.iter_modules(v1.__path__) if one.name.endswith("_pb2")]
    return of_contract(import_module(f"cambist.v1.{name}").DESCRIPTOR for name in names)


def _of_role(role: str, known: Iterable[str]) -> tuple[str, ...]:
    from daemon.access.roles import roles

    found = roles(known).get(role)
    if found is None:
        raise UsageError(f"no role {role!r}: {', '.join(roles(known))}")
    return tuple(found.permissions)


def _wire(grant: "Grant") -> Any:
    from cambist.services.access import grant_message

    return grant_message(grant)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _expiry(text: str) -> datetime:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise UsageError(f"--expires-in {text!r} must be a time such as 30m, 12h or 90d")
    return datetime.now(UTC) + timedelta(seconds=int(number) * _UNITS[unit])
