"""The sample is the defaults, and mistakes in a file are named."""

import re
import tomllib
from pathlib import Path

import pytest

from daemon.config import ConfigError, Settings, load
from daemon.config.model import AccountSettings, NetworkSettings, Section
from daemon.config.sample import sample_text
from daemon.profiles import live


def test_the_sample_means_exactly_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "sample.toml"
    path.write_text(sample_text())
    assert load(path) == Settings()


def test_the_sample_shows_and_explains_every_setting() -> None:
    text = sample_text()
    for name in Settings.model_fields:
        value = getattr(Settings(), name)
        sections = value.values() if isinstance(value, dict) else [value]
        for section in sections:
            if isinstance(section, Section):
                for key, field in type(section).model_fields.items():
                    assert field.description, f"{name}.{key}"
                    assert field.description in text
                    assert re.search(rf"^{key} = ", text, re.MULTILINE)


def test_the_account_of_the_sample_is_valid_once_uncommented() -> None:
    text = sample_text().split("[[accounts]]")[1]
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    table = tomllib.loads("\n".join(line for line in lines if not line.startswith("#")))
    assert AccountSettings.model_validate(table).id == "main"


def test_a_table_changes_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[networks.ethereum]\nurls = ["http://127.0.0.1:1"]\n')
    settings = load(path)
    assert settings.networks["ethereum"] == NetworkSettings(urls=["http://127.0.0.1:1"])
    assert settings.networks["avalanche"] == NetworkSettings()
    assert settings.venues == Settings().venues


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('[server]\ntpc = "off"\n', "server.tpc"),
        ("[server]\nheartbeat_seconds = 0\n", "server.heartbeat_seconds"),
        ('[log]\nlevel = "loud"\n', "log.level"),
        ('[[accounts]]\nid = "A B"\nvenue = "binance"\n', "accounts.0.id"),
        ('[[accounts]]\nid = "a"\nvenue = "b"\nbalances = {USDT = "1e5"}\n', "balances"),
        ('[wallets]\nsigners = [{name = "A", url = "http://x"}]\n', "wallets.signers.0.name"),
        ('[wallets]\nsigners = [{name = "a", url = "x"}]\n', "wallets.signers.0.url"),
        ("[server\n", "not TOML"),
        ("venues = 3\n", "venues"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: str, named: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=re.escape(named)):
        load(path)


def test_a_signers_addresses_are_checked_before_anything_starts() -> None:
    mistyped = "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    signer = {"name": "hsm", "url": "https://127.0.0.1:9000", "wallets": {"desk": mistyped}}
    settings = Settings.model_validate({"wallets": {"signers": [signer]}})
    with pytest.raises(ConfigError, match=r"hsm.*EIP-55"):
        live.check(settings)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="config init"):
        load(tmp_path / "none.toml")
