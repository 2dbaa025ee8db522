"""Accounts that are added while the daemon runs, on a venue that is a local server: their keys go
in, are sealed, survive a restart locked, and never come out."""

import functools
import json
import os
from pathlib import Path

import pytest

import cambist
from tests.support.binance_server import error
from tests.support.daemon import RunningDaemon
from tests.support.live import CREDENTIALS, KEY, ORDER, PASSPHRASE, SECRET, live, ready
from tests.support.local_exchange import Answer


async def placed(bot: cambist.Client) -> cambist.Order:
    """An order, as soon as the market has told its instruments."""
    return await bot.trading.place_order(**ORDER)


async def test_keys_go_in_and_never_come_out(tmp_path: Path) -> None:
    async with live(tmp_path) as (daemon, server):
        async with cambist.connect(daemon.connect) as owner:
            with pytest.raises(cambist.SecretsLocked):
                await owner.accounts.add_account("main", "binance", CREDENTIALS)
            await owner.wallets.unlock_wallets(PASSPHRASE)
            account, warnings = await owner.accounts.add_account("main", "binance", CREDENTIALS)
            assert (account.id, account.venues) == ("main", ("binance",))
            assert any("withdraw" in one for one in warnings)
            with pytest.raises(cambist.AccountExists):
                await owner.accounts.add_account("main", "binance", CREDENTIALS)
            await ready(owner)
            order = await placed(owner)
            assert order.status is cambist.OrderStatus.OPEN
            for bad in ({"api_key": KEY}, {**CREDENTIALS, "nonsense": "x"}):
                with pytest.raises(cambist.FieldInvalid):
                    await owner.accounts.add_account("other", "binance", bad)

            # A restart: market data flows, trading says what is missing.
            await daemon.kill()
            await daemon.start()
            with pytest.raises(cambist.SecretsLocked):
                await placed(owner)
            await owner.market.get_order_book("binance", "BTC-USDT")
            with pytest.raises(cambist.PassphraseWrong):
                await owner.wallets.unlock_wallets("another")
            await owner.wallets.unlock_wallets(PASSPHRASE)
            await ready(owner)
            found = await owner.trading.get_order(order.client_order_id, account="main")
            assert found.status is cambist.OrderStatus.OPEN
            await owner.wallets.lock_wallets()
            with pytest.raises(cambist.SecretsLocked):
                await placed(owner)
            await owner.wallets.unlock_wallets(PASSPHRASE)
            await ready(owner)
            await owner.accounts.remove_account("main")
            with pytest.raises(cambist.AccountNotFound):
                await owner.accounts.get_account("main")
        await daemon.stop()
        sent = [seen.headers.get("X-MBX-APIKEY") for seen in server.exchange.requests]
        assert KEY in sent
        for path in [*daemon.data_dir.rglob("*"), daemon.log]:
            if path.is_file():
                content = path.read_bytes()
                for secret in (KEY, SECRET, PASSPHRASE):
                    assert secret.encode() not in content, path


def _core_limits(pid: int) -> list[str]:
    limits = Path(f"/proc/{pid}/limits")
    if not limits.exists():
        pytest.skip("needs /proc to see the limits of another process")
    line = next(one for one in limits.read_text().splitlines() if "core file" in one)
    return line.split()[4:6]


async def test_a_crash_leaves_no_memory_behind(tmp_path: Path) -> None:
    async with live(tmp_path) as (daemon, _):
        assert _core_limits(daemon.pid) == ["0", "0"]


async def test_keys_that_the_venue_refuses_are_not_kept(tmp_path: Path) -> None:
    async with live(tmp_path) as (daemon, server):
        refuse = error(-2015, f"Invalid API-key {KEY}, IP, or permissions for action.", 401)
        server.exchange.on("GET /api/v3/account", lambda seen: refuse)
        async with cambist.connect(daemon.connect) as owner:
            await owner.wallets.unlock_wallets(PASSPHRASE)
            with pytest.raises(cambist.VenueAuthenticationFailed) as refused:
                await owner.accounts.add_account("main", "binance", CREDENTIALS)
            assert KEY not in str(refused.value)
            assert KEY not in str(refused.value.metadata)
            with pytest.raises(cambist.AccountNotFound):
                await owner.accounts.get_account("main")
        assert not list((daemon.data_dir / "keys").glob("*"))


def told(**other: bool | None) -> Answer:
    """What the venue says of a key that may trade from one address and not withdraw, or of one
    that is other in something."""
    key = {"ipRestrict": True, "enableSpotAndMarginTrading": True, "enableWithdrawals": False}
    return Answer(json.dumps({**key, **other}).encode())


async def test_the_owner_is_told_what_a_key_may_do(tmp_path: Path) -> None:
    """One that may withdraw is warned of, one that may only trade is not."""
    route = "GET /sapi/v1/account/apiRestrictions"
    cases: list[tuple[Answer, tuple[str, ...]]] = [
        (told(), ()),
        (told(enableWithdrawals=True), ("may withdraw",)),
        (told(enableSpotAndMarginTrading=False), ("may not trade",)),
        (told(ipRestrict=False), ("from any address",)),
        (told(enableWithdrawals=None), ("does not tell whether",)),
        (error(-2015, f"Invalid API-key {KEY}, IP, or permissions for action.", 401),
         ("was not told",)),
    ]  # fmt: skip
    async with live(tmp_path) as (daemon, server), cambist.connect(daemon.connect) as owner:
        await owner.wallets.unlock_wallets(PASSPHRASE)
        for number, (answer, expected) in enumerate(cases):
            server.exchange.on(route, functools.partial(lambda said, seen: said, answer))
            _, warnings = await owner.accounts.add_account("main", "binance", CREDENTIALS)
            assert len(warnings) == len(expected), warnings
            assert all(part in one for part, one in zip(expected, warnings, strict=True))
            assert KEY not in str(warnings)
            asked = [seen for seen in server.exchange.requests if seen.path in route]
            assert len(asked) == number + 1
            await owner.accounts.remove_account("main")


async def test_a_paper_account_on_the_live_book_needs_no_keys(tmp_path: Path) -> None:
    async with live(tmp_path) as (daemon, _):
        async with cambist.connect(daemon.connect) as owner:
            account, warnings = await owner.accounts.add_account("main", "binance", paper=True)
            assert (account.paper, warnings) == (True, [])
            await ready(owner)
            await placed(owner)
            await daemon.kill()
            await daemon.start()
            await ready(owner)


async def test_a_passphrase_by_a_credential_of_the_service_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live(tmp_path) as (daemon, _):
        async with cambist.connect(daemon.connect) as owner:
            await owner.wallets.unlock_wallets(PASSPHRASE)
            await owner.accounts.add_account("main", "binance", CREDENTIALS)
            await daemon.stop()
            folder = tmp_path / "credentials"
            folder.mkdir()
            (folder / "cambist-passphrase").write_text(PASSPHRASE + "\n")
            monkeypatch.setitem(os.environ, "CREDENTIALS_DIRECTORY", str(folder))
            await daemon.start()
            await ready(owner)


async def test_a_key_is_one_daemons_and_one_accounts(tmp_path: Path) -> None:
    """Two daemons of a user, each with a data directory of its own."""
    async with live(tmp_path) as (first, _):
        options = ["--profile", "live", "--config", str(tmp_path / "cambist.toml"), "--tcp", "off"]
        second = RunningDaemon(tmp_path / "e", options)
        await second.start()
        try:
            async with (
                cambist.connect(first.connect) as one,
                cambist.connect(second.connect) as two,
            ):
                for owner in (one, two):
                    await owner.wallets.unlock_wallets(PASSPHRASE)
                await one.accounts.add_account("main", "binance", CREDENTIALS)
                with pytest.raises(cambist.AccountExists) as refused:
                    await one.accounts.add_account("again", "binance", CREDENTIALS)
                assert "account 'main'" in refused.value.message
                with pytest.raises(cambist.AccountExists) as refused:
                    await two.accounts.add_account("mine", "binance", CREDENTIALS)
                assert f"process {first.pid}" in refused.value.message
                assert KEY not in refused.value.message
                other = CREDENTIALS | {"api_key": "another-key-0123456789"}
                await two.accounts.add_account("mine", "binance", other)
                await first.kill()
                await two.accounts.remove_account("mine")
                await two.accounts.add_account("mine", "binance", CREDENTIALS)
            with pytest.raises(AssertionError, match="trades on binance with the key"):
                await _configured(tmp_path).start()
        finally:
            await second.stop()
        names = os.listdir(tmp_path / "locks")
        assert len(names) == 2
        assert not any(KEY in name for name in names)


def _configured(directory: Path) -> RunningDaemon:
    """A daemon whose configuration names the account."""
    keys = directory / "keys.toml"
    keys.write_text(f'api_key = "{KEY}"\nsecret = "{SECRET}"\n')
    keys.chmod(0o600)
    config = directory / "configured.toml"
    account = f'[[accounts]]\nid = "main"\nvenue = "binance"\ncredentials_file = "{keys}"\n'
    config.write_text((directory / "cambist.toml").read_text() + account)
    options = ["--profile", "live", "--config", str(config), "--tcp", "off"]
    return RunningDaemon(directory / "f", options)
