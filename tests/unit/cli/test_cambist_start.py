"""What happens before a command runs: start-up, completion, a daemon that is not there."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from daemon.cli import complete
from daemon.cli.cambist import build
from tests.support.fake_daemon import FakeDaemon
from tests.unit.cli.answers import POOL_VENUE


def test_help_loads_neither_the_client_nor_the_daemon() -> None:
    program = (
        "import sys, daemon.cli.cambist as cli; cli.build(); "
        "heavy = {'grpc', 'cambist', 'google.protobuf', 'daemon.app', 'pydantic'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_cambistd_help_loads_no_daemon() -> None:
    program = (
        "import sys, daemon.cli.cambistd; "
        "heavy = {'grpc', 'cambist', 'daemon.app', 'pydantic'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_ids_are_completed_from_the_daemon(
    daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMBIST_CONNECT", daemon.address)
    assert await asyncio.to_thread(complete.venues, "") == ["paper", POOL_VENUE]
    assert await asyncio.to_thread(complete.venues, "uni") == [POOL_VENUE]
    assert await asyncio.to_thread(complete.accounts, "tr") == ["trader"]
    assert await asyncio.to_thread(complete.networks, "") == ["ethereum_local"]
    assert await asyncio.to_thread(complete.wallets, "sec") == ["second"]
    typed = cast(Any, SimpleNamespace(params={"venue": "paper"}))
    assert await asyncio.to_thread(complete.instruments, typed, "ETH") == ["ETH-USDC"]
    assert daemon.of("list_instruments")[0].venue == "paper"


def test_completion_without_a_daemon_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMBIST_CONNECT", f"unix://{tmp_path}/none.sock")
    assert complete.venues("") == []


def test_without_a_daemon_it_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAMBIST_CONNECT", raising=False)
    monkeypatch.setenv("CAMBIST_HOME", str(tmp_path))
    result = CliRunner().invoke(build(), ["status"])
    assert result.exit_code == 1
    assert "cambistd run --profile sandbox" in result.stderr
    result = CliRunner().invoke(build(), ["status", "--connect", "nonsense"])
    assert result.exit_code == 1
    assert "unix:///path" in result.stderr
