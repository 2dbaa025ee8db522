"""Secrets of every kind are planted, much goes wrong around them, and then everything that the
daemon wrote or said is searched for them."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import cambist
from tests.integration.daemon.test_observing import free_port
from tests.support.binance_server import error
from tests.support.daemon import RunningDaemon
from tests.support.daemon_failing import FAIL
from tests.support.live import CREDENTIALS, KEY, ORDER, PASSPHRASE, SECRET, live, ready

PRIVATE = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
MNEMONIC = "legal winner thank year wave sausage worth useful legal winner thank yellow"
WRONG = "planted passphrase that is wrong"
KEYSTORE = "planted passphrase of a keystore"
SECRETS = (KEY, SECRET, PASSPHRASE, PRIVATE, MNEMONIC, WRONG, KEYSTORE)


class Said:
    """Every reply and error, as text."""

    def __init__(self) -> None:
        self.words: list[str] = []

    async def by(self, call: Awaitable[Any]) -> Any:
        """The answer, or the error; both are remembered."""
        try:
            answer = await call
        except cambist.Error as refused:
            self.words.append(f"{refused!r} {refused} {refused.metadata}")
            return refused
        self.words.append(repr(answer))
        return answer


def secret_calls(client: cambist.Client) -> Iterator[Callable[[], Awaitable[Any]]]:
    """Every call that takes a secret."""
    evm, wallets = cambist.ChainFamily.EVM, client.wallets
    yield lambda: wallets.import_wallet("k", evm, private_key=f"0x{PRIVATE}")
    yield lambda: wallets.import_wallet("m", evm, mnemonic=MNEMONIC)
    yield lambda: wallets.import_wallet("s", evm, keystore="{}", keystore_passphrase=KEYSTORE)
    yield lambda: wallets.unlock_wallets(WRONG)
    yield lambda: client.accounts.add_account("other", "binance", CREDENTIALS | {"api_key": KEY})


async def test_no_secret_is_in_anything_that_was_written_or_said(tmp_path: Path) -> None:
    port, said = free_port(), Said()
    metrics = f'metrics = "127.0.0.1:{port}"'
    async with live(tmp_path, metrics, module="tests.support.daemon_failing") as (daemon, server):
        async with cambist.connect(daemon.connect) as owner:
            await owner.wallets.unlock_wallets(PASSPHRASE)
            token = (await owner.access.bake_token("bot", cambist.Grant())).token

            # Bugs that quote what they were given.
            fail = tmp_path / FAIL
            fail.touch()
            bugs = 0
            for call in secret_calls(owner):
                bugs += isinstance(await said.by(call()), cambist.Internal)
            bugs += isinstance(await said.by(owner.access.inspect_token(token)), cambist.Internal)
            fail.unlink()
            assert bugs == 6, said.words

            # A venue that repeats the key, in errors and in what makes no sense.
            await said.by(owner.accounts.add_account("main", "binance", CREDENTIALS))
            await ready(owner)
            rude = error(-1000, f"Who is {KEY}, and what is {SECRET}?", 400)
            server.login_error = -2015, f"Invalid API-key {KEY}."
            server.place_mode = lambda placed: rude
            async with cambist.connect(f"{daemon.connect}?token={token}") as bot:
                await said.by(bot.trading.place_order(**ORDER))  # nobody knows what became of it
                server.place_mode = lambda placed: None
                order = await said.by(bot.trading.place_order(**ORDER))
                for route in ("DELETE /api/v3/order", "GET /api/v3/account", "GET /api/v3/order"):
                    server.exchange.on(route, lambda seen: rude)
                await said.by(bot.trading.cancel_order(order.client_order_id, account="main"))
                await said.by(bot.trading.explain_order(order.client_order_id, account="main"))
                await said.by(bot.trading.place_order(**ORDER | {"account": "nobody"}))
            for socket in server.account_sockets:
                socket.drop()
            for call in secret_calls(owner):
                await said.by(call())
            await said.by(owner.system.get_status())
            async for event in owner.events.list_events():
                said.words.append(repr(event))
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                    said.words.append(await answer.text())
            await daemon.kill()
            await daemon.start()
            await owner.wallets.unlock_wallets(PASSPHRASE)
        assert await daemon.stop() == 0
        log = daemon.log.read_text()
        assert log.count("Traceback") >= bugs
        assert "a bug that quotes" in log
        assert KEY in str([seen.headers for seen in server.exchange.requests])
        for secret in (*SECRETS, token, token[:40], token[-40:]):
            assert not [words for words in said.words if secret in words]
            for path in written(daemon):
                assert secret.encode() not in path.read_bytes(), (secret, path)


def written(daemon: RunningDaemon) -> list[Path]:
    """Every file of the daemon's: log, journal, keys, access, locks."""
    return [path for path in daemon.data_dir.parent.rglob("*") if path.is_file()]


def test_what_a_request_hides_is_found_in_any_depth() -> None:
    from cambist.v1 import accounts_pb2, wallets_pb2
    from daemon.rpc.secrets import scrubbed, secrets_of

    added = accounts_pb2.AddAccountRequest(account="a", credentials={"api_key": KEY, "secret": "s"})
    assert sorted(secrets_of(added)) == [KEY, "s"]
    imported = wallets_pb2.ImportWalletRequest(name="w")
    imported.mnemonic.phrase = MNEMONIC
    assert list(secrets_of(imported)) == [MNEMONIC]
    assert scrubbed(f"<{KEY}> {MNEMONIC!r} short s", [KEY, "s", MNEMONIC]) == "<…> '…' short s"
    lines = "one\nof\ttwo lines"
    assert lines.encode("unicode_escape").decode() not in scrubbed(repr(lines), [lines])


@pytest.mark.parametrize("word", ["secret", "api_key", "passphrase", "signature"])
def test_the_log_itself_hides_by_name(word: str) -> None:
    from daemon.logging import redact

    assert redact(None, "", {f"its_{word}": KEY, "other": 1}) == {
        f"its_{word}": "[redacted]", "other": 1,
    }  # fmt: skip
