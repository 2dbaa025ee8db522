"""`cambist`: asks the daemon, for people and (with --json) for scripts."""

from typing import Annotated

import typer

from daemon.cli.commands import (
    accounts,
    chains,
    events,
    market,
    orders,
    sandbox,
    swaps,
    system,
    venues,
    wallets,
)


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        name="cambist",
        help="Trade on every venue through the local daemon. All commands take --json.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")
        ] = False,
    ) -> None:
        pass

    for area in (system, venues, market, orders, accounts, swaps, chains, wallets, events, sandbox):
        area.register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from daemon.version import VERSION

        print(f"cambist {VERSION}")
        raise typer.Exit


def main() -> None:
    """The entry point."""
    build()()


if __name__ == "__main__":
    main()
