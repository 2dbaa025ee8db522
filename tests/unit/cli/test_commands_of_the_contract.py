"""The comment of each RPC names its command: that command is there, and has what is named."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from daemon.cli.cambist import build

PROTO = Path(__file__).parents[3] / "proto" / "cambist" / "v1"
RPC = re.compile(r"((?:  //[^\n]*\n)+)  rpc (\w+)\(")
# Services that this version does not serve: their calls answer NOT_BUILT, and so would commands.
NOT_BUILT = {"access.proto", "risk.proto"}


def named() -> list[tuple[str, str]]:
    """(RPC, command) of every RPC."""
    found = []
    for file in sorted(PROTO.glob("*.proto")):
        for comment, rpc in RPC.findall(file.read_text()):
            text = " ".join(line.strip(" /") for line in comment.splitlines())
            command = re.search(r"Command: ([^.]+)\.", text)
            assert command, f"{rpc} names no command"
            if file.name not in NOT_BUILT:
                found.append((rpc, command[1]))
    return found


@pytest.mark.parametrize(("rpc", "command"), named())
def test_the_command_of_an_rpc(rpc: str, command: str) -> None:
    program, *words = command.split()
    assert program == "cambist"
    current: Any = typer.main.get_command(build())
    while words and hasattr(current, "commands"):
        if words[0] in current.commands:
            current = current.commands[words.pop(0)]
        elif getattr(current, "default_command", ""):
            current = current.commands[current.default_command]
        else:
            pytest.fail(f"{rpc}: no command {command!r}")
    options = {option for parameter in current.params for option in parameter.opts}
    arguments = [p for p in current.params if not p.opts[0].startswith("-")]
    positional = [word for word in words if not word.startswith("-")]
    assert {word for word in words if word.startswith("-")} <= options
    assert len(positional) <= len(arguments)
    assert "--json" in options


def test_every_command_explains_itself() -> None:
    def walk(command: Any, path: str) -> None:
        assert command.help, f"{path} has no help"
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {name}")

    walk(typer.main.get_command(build()), "cambist")
