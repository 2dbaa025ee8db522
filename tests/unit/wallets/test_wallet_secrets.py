"""Secrets stay out of reprs, errors, tracebacks with local variables, and the files."""

import asyncio
import copy
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chains.wallets.kdf import LIGHT
from chains.wallets.secret import Secret
from chains.wallets.store import WalletStore
from core.clock import ManualClock
from core.errors import Refused

PASSPHRASE = "opensesame-passphrase"
# Each is wrong in a way that some parser stumbles over, and holds a text to look for.
NEEDLE = "5ec2e7c0ffee"


def test_a_secret_shows_nothing() -> None:
    secret = Secret(NEEDLE.encode())
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert NEEDLE not in shown
    for leak in (pickle.dumps, copy.copy, hash):
        with pytest.raises(TypeError):
            leak(secret)
    with pytest.raises(TypeError):
        _ = secret == secret
    assert not hasattr(secret, "__dict__")


Attempt = Callable[[WalletStore], Awaitable[object]]

ATTEMPTS: dict[str, Attempt] = {
    "evm key": lambda s: s.import_key("a", "evm", NEEDLE + "zz"),
    "evm key, short": lambda s: s.import_key("a", "evm", NEEDLE),
    "evm key, not ASCII": lambda s: s.import_key("a", "evm", NEEDLE + "\udcffé"),
    "evm key, as bytes": lambda s: s.import_key("a", "evm", NEEDLE.encode() + b"\xff"),
    "solana key, base58": lambda s: s.import_key("a", "solana", NEEDLE + "0OIl"),
    "solana key, JSON": lambda s: s.import_key("a", "solana", f'["{NEEDLE}"]'),
    "solana key, broken JSON": lambda s: s.import_key("a", "solana", f"[1, {NEEDLE}"),
    "solana key, bytes": lambda s: s.import_key("a", "solana", NEEDLE.encode() + b"\xff"),
    "mnemonic": lambda s: s.import_mnemonic("a", "evm", f"{NEEDLE} abandon about"),
    "mnemonic, no language": lambda s: s.import_mnemonic("a", "evm", NEEDLE),
    "unlock": lambda s: s.unlock(NEEDLE),
    "keystore": lambda s: s.import_keystore("a", f'{{"version": 3, "x": "{NEEDLE}"}}', NEEDLE),
    "keystore, not JSON": lambda s: s.import_keystore("a", NEEDLE, NEEDLE),
    "name taken": lambda s: s.import_key("taken", "evm", NEEDLE.zfill(64)),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
async def test_errors_do_not_repeat_what_they_were_given(
    attempt: Attempt, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = WalletStore(tmp_path, ManualClock(), LIGHT)
    await store.initialize(PASSPHRASE)
    await store.create("taken", "evm")
    with pytest.raises(Refused) as refused:
        await attempt(store)
    assert NEEDLE not in str(refused.value) + repr(refused.value) + str(refused.value.metadata)
    shown = _traceback_with_locals(refused.value)
    assert "refusals.py" in shown or "store.py" in shown  # ours is really in there
    assert NEEDLE not in shown
    assert PASSPHRASE not in shown
    assert NEEDLE not in caplog.text


def _traceback_with_locals(error: BaseException) -> str:
    """All frames of an error and of everything chained to it, this module's own left out: its
    variables hold the needle by design."""
    lines: list[str] = []
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is None:
            continue
        rendered = traceback.TracebackException.from_exception(current, capture_locals=True)
        for frame in rendered.stack:
            if frame.filename != __file__:
                lines += [frame.filename, str(frame.locals)]
        lines += rendered.format_exception_only()
        todo += [current.__cause__, current.__context__]
    return "\n".join(lines)


def _contents(directory: Path) -> list[str]:
    return [path.read_text() for path in directory.iterdir()]


async def test_neither_files_nor_objects_hold_a_plain_secret(tmp_path: Path) -> None:
    key = NEEDLE.zfill(64)
    store = WalletStore(tmp_path, ManualClock(), LIGHT)
    await store.initialize(PASSPHRASE)
    await store.import_key("main", "evm", key)
    seed = bytes(range(32))
    wallet = await store.create("sol", "solana")
    assert await store.sign("solana", wallet.address, seed)
    shown = [repr(store), str(store.list()), str(vars(store)), repr(asyncio.current_task())]
    shown += _contents(tmp_path)
    for text in shown:
        assert NEEDLE not in text.lower()
        assert PASSPHRASE not in text
    store.lock()
    assert store._signers == {}
    assert store._passphrase is None
