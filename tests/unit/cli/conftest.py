"""A daemon with some of everything, and the command run against it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from daemon.cli.cambist import build
from tests.support.fake_daemon import FakeDaemon
from tests.unit.cli.answers import answers


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture(autouse=True)
def silent_daemon() -> Iterator[None]:
    """Here the daemon and the command share a process, and so standard output."""
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    yield
    structlog.reset_defaults()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    async with FakeDaemon(tmp_path / "cambist.sock", answers()) as running:
        yield running


@pytest.fixture
def run(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("CAMBIST_CONNECT", daemon.address)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    app = build()

    async def invoke(*arguments: str, input: str | None = None) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Result(result.exit_code, result.stdout, result.stderr)

    return invoke
