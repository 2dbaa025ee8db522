"""What needs no daemon of `cambist token`, and options that stand before a command."""

from pathlib import Path

import pytest

from cambist.v1 import risk_pb2
from core.clock import ManualClock
from core.errors import Reason, Refused
from daemon.access.grant import Grant
from daemon.access.roots import Roots
from daemon.access.tokens import bake, unverified
from tests.support.fake_daemon import FakeDaemon
from tests.unit.cli.conftest import Run


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    root = Roots(tmp_path / "roots.json", ManualClock()).take("bot")
    path = tmp_path / "bot.token"
    path.write_text(bake(root, Grant(venues=frozenset({"paper"}))) + "\n")
    return path


async def test_a_token_is_narrowed_by_every_option(run: Run, token_file: Path) -> None:
    words = (
        "--role market-data --call GetTicker --account a --instrument X-Y --max-order 5 "
        "--max-day 6 --max-slippage 0.1 --reduce-only --paper-only --no-withdrawal "
        "--from 10.0.0.0/8"
    )
    result = await run("token", "attenuate", "--file", str(token_file), *words.split())
    grant, others = unverified(result.out.strip())
    assert others == ()
    assert grant.venues == {"paper"}
    assert grant.permissions == {"market:read", "chains:read", "system:read"}
    assert grant.methods == {"cambist.v1.MarketDataService/GetTicker"}
    assert grant.reduce_only
    assert grant.paper_only
    assert grant.no_withdrawal


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "say what to take away"),
        ("--call Foo", "no call 'Foo': 'cambist token permissions' lists them"),
        ("--permission foo", "no permission 'foo': access:read"),
        ("--role foo", "no role 'foo': admin"),
        ("--max-day abc", "--max-day 'abc' must be a plain number above zero"),
        ("--max-slippage -1", "--max-slippage '-1' must be a plain number above zero"),
        ("--expires-in 5", "--expires-in '5' must be a time such as"),
    ],
)
async def test_what_cannot_be_meant(run: Run, token_file: Path, words: str, said: str) -> None:
    result = await run("token", "attenuate", "--file", str(token_file), *words.split())
    assert result.code == 2
    assert said in result.err


async def test_top_shows_what_a_token_lets_it_see(run: Run, daemon: FakeDaemon) -> None:
    daemon.answers["list_halts"] = risk_pb2.ListHaltsResponse()
    daemon.answers["list_risk_limits"] = risk_pb2.ListRiskLimitsResponse()
    assert (await run("top", "--once", "--json")).json["hidden"] == []
    denied = Refused(Reason.PERMISSION_DENIED, "not all venues")
    daemon.answers["list_rate_limits"] = denied
    result = await run("top", "--once")
    assert result.code == 0, result.err
    assert "this token does not show all budgets" in result.out


async def test_options_stand_before_a_command_or_after_it(run: Run, daemon: FakeDaemon) -> None:
    assert (await run("--json", "venues")).json == (await run("venues", "--json")).json
    elsewhere = "unix:///nonexistent/cambist.sock"
    result = await run("--connect", elsewhere, "venues")
    assert "/nonexistent/cambist.sock" in result.err
    # What is said last counts.
    assert (await run("--connect", elsewhere, "venues", "--connect", daemon.address)).code == 0
    result = await run("--profile", "nope", "venues")
    assert "there is no profile 'nope': live or sandbox" in result.err
