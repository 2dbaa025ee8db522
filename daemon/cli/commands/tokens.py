"""Tokens: who may do what. A token is a secret: it is printed where it is asked for, and nowhere
else, and is read from standard input or a file.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.arguments import RequestId, Yes
from daemon.cli.secrets import secret
from daemon.cli.session import JSON, Session, command
from daemon.cli.speech import UsageError, confirm

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
    list[str] | None, _many("--call", "NAME", "Only these calls, by their full names.")
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
    session.one(await session.client.access.inspect_token(secret("Token", file).strip()))


def attenuate(
    file: TokenFile = None,
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
    expires_in: ExpiresIn = "",
    as_json: JSON = False,
) -> None:
    """Narrow a token. Needs no daemon: whoever holds a token may hand on a narrower one."""
    import json

    from daemon.access import tokens
    from daemon.cli.speech import fail
    from daemon.codec.access import grant as read_grant

    given = {**locals(), "role": "", "no_withdrawal": False}
    try:
        narrower = _grant(known=(), **_given(given))
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
    known = [one.permission for one in await session.client.access.list_permissions()]
    return await session.client.access.bake_token(
        root, _grant(known, **given), request_id=request_id or None
    )


def _grant(known: Any, **given: Any) -> "Grant":
    from cambist import Grant
    from cambist.convert import exact

    allowed = tuple(given["permission"] or ())
    if given["role"]:
        allowed = (*allowed, *_of_role(given["role"], known))
    if given["no_withdrawal"]:
        allowed = tuple(one for one in allowed or known if one != "transfers:write")
    ceilings = {name: given[name] for name in ("max_order", "max_day", "max_slippage")}
    bounds = {name: exact(value) if value else None for name, value in ceilings.items()}
    return Grant(
        permissions=tuple(sorted(set(allowed))),
        methods=tuple(given["call"] or ()),
        venues=tuple(given["venue"] or ()),
        accounts=tuple(given["account"] or ()),
        instruments=tuple(given["instrument"] or ()),
        source_addresses=tuple(given["source"] or ()),
        max_order_notional=bounds["max_order"],
        max_day_notional=bounds["max_day"],
        max_slippage=bounds["max_slippage"],
        reduce_only=given["reduce_only"],
        paper_only=given["paper_only"],
        expire_time=_expiry(given["expires_in"]) if given["expires_in"] else None,
    )


def _of_role(role: str, known: Any) -> tuple[str, ...]:
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
