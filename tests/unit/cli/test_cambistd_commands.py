"""`cambistd` without a running daemon: configuration and what run hands on."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import daemon.app
from daemon.cli.cambistd import app
from daemon.config import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAMBIST_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_init_writes_a_sample_that_check_accepts(home: Path) -> None:
    result = run("config", "init")
    assert result.exit_code == 0, result.stderr
    written = home / "cambist.toml"
    assert tomllib.loads(written.read_text())
    assert run("config", "check").exit_code == 0
    assert run("config", "init").exit_code == 1  # nothing is overwritten
    assert run("config", "init", "--force").exit_code == 0
    assert run("config", "init", "-").stdout == written.read_text()


def test_check_names_mistakes(home: Path) -> None:
    (home / "cambist.toml").write_text("[server]\ntpc = 1\n")
    result = run("config", "check")
    assert result.exit_code == 1
    assert "server.tpc" in result.stderr
    assert "cambistd config init" in run("config", "check", str(home / "none.toml")).stderr


WITH_KEYS = '[[accounts]]\nid = "a"\nvenue = "binance"\ncredentials_file = "keys.toml"\n'
MISTAKES = {
    '[server]\ntcp = "0.0.0.0:7177"\nsecurity = "none"\n': "must be a loopback address",
    '[server]\ntcp = "7177"\n': "must be an address and a port",
    '[[accounts]]\nid = "a"\nvenue = "binnance"\npaper = true\n': "did you mean 'binance'",
    '[[accounts]]\nid = "a"\nvenue = "binance"\n': "accounts.a.credentials_file",
    "[venues.nowhere]\nenabled = true\n": "no such exchange",
    "[networks.nowhere]\nenabled = true\n": "no such network",
    '[wallets]\npassphrase_file = "none.txt"\n': "none.txt cannot be read",
    WITH_KEYS: "keys.toml cannot be read",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_check_finds_what_run_would_not_start_with(home: Path, text: str) -> None:
    (home / "cambist.toml").write_text(text)
    result = run("config", "check")
    assert result.exit_code == 1
    assert MISTAKES[text] in result.stderr


def test_keys_are_found_beside_the_configuration_and_must_be_private(home: Path) -> None:
    (home / "cambist.toml").write_text(WITH_KEYS)
    keys = home / "keys.toml"
    keys.write_text('api_key = "K"\nsecret = "PLANTED"\n')
    keys.chmod(0o644)
    refused = run("config", "check")
    assert refused.exit_code == 1
    assert "chmod 600" in refused.stderr
    assert "PLANTED" not in refused.stderr
    keys.chmod(0o600)
    assert run("config", "check").exit_code == 0


def test_show_without_a_file_shows_the_defaults(home: Path) -> None:
    assert "server.tcp = '127.0.0.1:7177'" in run("config", "show").stdout
    shown = json.loads(run("config", "show", "--json").stdout)
    assert shown["server"]["tcp"] == "127.0.0.1:7177"
    (home / "cambist.toml").write_text('[server]\ntcp = "off"\n')
    assert json.loads(run("config", "show", "--json").stdout)["server"]["tcp"] == "off"


def test_run_hands_its_options_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[daemon.app.RunOptions] = []
    monkeypatch.setattr(daemon.app, "run", seen.append)
    assert run("run").exit_code == 0
    arguments = ["--profile", "sandbox", "--seed", "7", "--tcp", "off", "--log-level", "debug"]
    assert run("run", *arguments, "--data-dir", str(home), "--config", "a.toml").exit_code == 0
    default, full = seen
    assert default == daemon.app.RunOptions(profile="live")
    assert full == daemon.app.RunOptions(
        profile="sandbox",
        config_path=Path("a.toml"),
        data_dir=home,
        tcp="off",
        seed=7,
        log_level="debug",
    )
    assert run("run", "--seed", "-1").exit_code == 2


def test_a_daemon_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise ConfigError("another cambistd uses it")

    monkeypatch.setattr(daemon.app, "run", refuse)
    result = run("run")
    assert result.exit_code == 1
    assert "another cambistd uses it" in result.stderr


def test_version() -> None:
    assert "cambist.v1" in run("version").stdout
