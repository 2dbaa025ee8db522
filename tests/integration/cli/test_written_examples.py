"""What the READMEs and guides show is run as it stands, against a real sandbox."""

import ast
import asyncio
import inspect
import os
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cambist
from daemon.cli.cambist import build
from tests.support.evm import installed
from tests.support.sandbox import sandbox_daemon

ROOT = Path(__file__).parents[3]
TEXTS = [
    "README.md",
    "clients/python/README.md",
    "examples/README.md",
    "docs/guides/command-line.md",
    "docs/guides/python-client.md",
    "docs/guides/sandbox.md",
    "docs/guides/swaps.md",
    "docs/guides/access.md",
    "docs/guides/operating.md",
    "docs/guides/risk.md",
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Commands that a test leaves alone, and why.
LEFT_OUT = {
    "--install-completion": "changes the shell of who runs the tests",
    "--watch": "never ends; tests/unit/cli runs it",
    "cambist stop": "the other examples need the daemon",
    "wallet unlock": "asks for a passphrase",
    "cambist unlock": "asks for a passphrase",
    "cambist pair": "the sandbox of this test has no TCP",
    "--secret-file": "needs a secret",
    "--credentials-file": "needs a secret",
}

pytestmark = [
    pytest.mark.evm,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("sandbox"),
]


def blocks(name: str, language: str) -> list[str]:
    path = ROOT / name
    if not path.exists():
        return []
    return [text for kind, text in FENCE.findall(path.read_text()) if kind == language]


def commands() -> list[str]:
    """The lines that begin with `cambist`, without their comments, each once."""
    found = []
    for name in TEXTS:
        for kind in ("", "sh", "console"):
            for block in blocks(name, kind):
                for line in block.splitlines():
                    words = line.removeprefix("$ ").split("#")[0].strip()
                    if words.startswith("cambist ") and not any(w in words for w in LEFT_OUT):
                        found.append(words)
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    installed()
    with sandbox_daemon(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def test_every_command_that_is_written_works(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CAMBIST_CONNECT", address)
    monkeypatch.chdir(tmp_path)
    app, failed = build(), []
    for words in commands():
        words, _, target = words.partition(" > ")
        result = CliRunner().invoke(app, shlex.split(words)[1:])
        if target:
            Path(target).write_text(result.stdout)
        if result.exit_code:
            failed.append(f"$ {words}\n{result.output}\n{result.exception!r}")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("name", TEXTS)
def test_every_program_that_is_written_works(name: str, address: str) -> None:
    programs = [text for text in blocks(name, "python") if "asyncio.run(" in text]
    for program in programs:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "CAMBIST_CONNECT": address},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{program}\n{done.stderr}"


@pytest.mark.parametrize("name", TEXTS)
async def test_every_fragment_that_is_written_works(name: str, address: str) -> None:
    """Fragments use `c`, and what the fragments before them left."""
    async with cambist.connect(address) as c:
        names: dict[str, Any] = {"c": c, "client": c, "cambist": cambist}
        for text in blocks(name, "python"):
            if "asyncio.run(" in text:
                continue
            code = compile(text, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            async with asyncio.timeout(60):
                result = types.FunctionType(code, names)()
                if inspect.isawaitable(result):
                    await result
