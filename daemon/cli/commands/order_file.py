"""Orders from a file of JSON lines."""

import json
from dataclasses import replace as changed
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from daemon.cli.resolve import trading_account
from daemon.cli.session import Session
from daemon.cli.speech import UsageError

if TYPE_CHECKING:
    from cambist import OrderSpec


async def place_file(
    session: Session, file: Path, account: str, request_id: str, dry_run: bool
) -> None:
    """Places the orders of a file; ends with 1 where any had no effect."""
    if dry_run:
        raise UsageError("--dry-run works for one order at a time, not with --file")
    lines = _lines(file)
    if not lines:
        raise UsageError(f"{file} has no orders")
    specs = [_spec(line, f"{file}, line {n}") for n, line in enumerate(lines, 1)]
    found = await trading_account(session, account or specs[0].account, specs[0].venue)
    outcomes = await session.client.trading.place_orders(
        [changed(spec, account=found) for spec in specs], request_id=request_id or None
    )
    session.rows("PlaceOrdersOutcome", outcomes, "nothing was placed")
    if any(outcome.error_reason for outcome in outcomes):
        raise typer.Exit(1)


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{file} cannot be read") from None


def _spec(line: str, where: str) -> "OrderSpec":
    from cambist import OrderSpec, OrderType, Side, TimeInForce

    try:
        data = json.loads(line, parse_float=Decimal, parse_int=Decimal)
        price = Decimal(data["price"]) if data.get("price") is not None else None
        tif = data.get("time_in_force")
        life = TimeInForce[tif.replace("-", "_").upper()] if tif else None
        return OrderSpec(
            account=data.get("account", ""),
            venue=data["venue"],
            instrument=data["instrument"],
            side=Side[data["side"].upper()],
            type=OrderType.LIMIT if price is not None else OrderType.MARKET,
            quantity=Decimal(data["quantity"]),
            price=price,
            time_in_force=life or (TimeInForce.GTC if price is not None else None),
            reduce_only=bool(data.get("reduce_only", False)),
        )
    except KeyError as error:
        raise UsageError(f"{where}: {error} is missing or not known") from None
    except (ValueError, InvalidOperation, AttributeError, TypeError) as error:
        raise UsageError(f"{where}: {error}") from None
