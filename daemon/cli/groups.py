"""A group whose first command is meant where none is named.

`tokens NETWORK` is `tokens list NETWORK`.
"""

from typing import Any

from typer.core import TyperGroup


class DefaultGroup(TyperGroup):
    """Puts the name of the first command before arguments that begin with no command's name."""

    @property
    def default_command(self) -> str:
        """The first that was registered."""
        return next(iter(self.commands))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        names = self.list_commands(ctx)
        if args and args[0] not in names and args[0] not in ("--help", "--show-completion"):
            args = [self.default_command, *args]
        elif not args:
            args = ["--help"]
        return super().parse_args(ctx, args)
