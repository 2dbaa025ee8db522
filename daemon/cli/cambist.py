"""`cambist`: asks the daemon, for people and (with --json) for scripts."""

import sys
from typing import Annotated

import typer

from daemon.cli.commands import (
    accounts,
    chains,
    events,
    liquidity,
    market,
    orders,
    risk,
    sandbox,
    swaps,
    system,
    tokens,
    top,
    venues,
    wallets,
)
from daemon.cli.session import CONNECT, JSON, PROFILE, Before
from daemon.cli.speech import write_error

# In the order of the help.
AREAS = (
    system, top, venues, market, orders, accounts, swaps, liquidity, chains, wallets, events,
    tokens, risk, sandbox,
)  # fmt: skip


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        name="cambist",
        help="Trade on every venue through the local daemon. All commands take --json, --connect "
        "and --profile, before or after their names.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )

    @app.callback()
    def root(
        ctx: typer.Context,
        as_json: JSON = False,
        connect: CONNECT = "",
        profile: PROFILE = "",
        version: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")
        ] = False,
    ) -> None:
        ctx.obj = Before(as_json, connect, profile)

    for area in AREAS:
        area.register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from daemon.version import VERSION

        print(f"cambist {VERSION}")
        raise typer.Exit


def main() -> None:
    """The entry point. With --json, what cannot be parsed is an error in JSON, too."""
    app = build()
    if "--json" not in sys.argv:
        app()
    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        code = 1
    except typer.TyperException as error:
        words = getattr(error, "format_message", error.__str__)()
        write_error("USAGE", words, {}, as_json=True)
        code = getattr(error, "exit_code", 2)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
