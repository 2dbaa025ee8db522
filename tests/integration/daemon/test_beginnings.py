"""A data directory in which something is wrong: said in words, or mended, never a traceback."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cambist
from tests.support.daemon import running_daemon, sandbox_arguments

NONSENSE = bytes(range(256)) * 40


def nonsense(name: str) -> Callable[[Path], object]:
    return lambda directory: (directory / name).write_bytes(NONSENSE)


def folder(name: str) -> Callable[[Path], object]:
    return lambda directory: (directory / name).mkdir()


HOPELESS: dict[str, tuple[Callable[[Path], object], str]] = {
    "journal": (nonsense("journal.sqlite"), "journal.sqlite"),
    "journal is a folder": (folder("journal.sqlite"), "journal.sqlite"),
    "paper": (nonsense("paper.sqlite"), "move it away to begin with new paper accounts"),
    "tokens": (nonsense("tokens.json"), "only the tokens that were added by hand"),
    "socket is a folder": (folder("cambist.sock"), "cambist.sock cannot be used"),
    "lock is a folder": (folder("lock"), "lock cannot be used"),
}
HARMLESS: dict[str, Callable[[Path], object]] = {
    "lock": nonsense("lock"),
    "socket": nonsense("cambist.sock"),
    "journal is empty": lambda directory: (directory / "journal.sqlite").touch(),
    "wallets": nonsense("wallets"),
    "passphrase": nonsense("wallets.passphrase"),
    "passphrase is a folder": folder("wallets.passphrase"),
    "passphrase is empty": lambda directory: (directory / "wallets.passphrase").touch(),
}


async def begin(directory: Path) -> tuple[int | None, str]:
    """Exit code and words of a daemon that is expected not to begin."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "daemon.cli.cambistd",
        "run",
        "--data-dir",
        str(directory),
        *sandbox_arguments(directory.parent),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"CAMBIST_HOME": str(directory.parent)},
    )
    try:
        async with asyncio.timeout(30):
            _, error = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, error.decode()


@pytest.mark.parametrize("what", HOPELESS)
async def test_what_cannot_be_used_is_named(tmp_path: Path, what: str) -> None:
    spoil, words = HOPELESS[what]
    directory = tmp_path / "d"
    directory.mkdir()
    spoil(directory)
    before = {path: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    code, error = await begin(directory)
    assert code == 1
    assert words in error
    assert "Traceback" not in error
    # What is not understood is left as it is.
    for path, data in before.items():
        assert path.read_bytes() == data


async def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("hello")
    code, error = await begin(tmp_path / "d")
    assert code == 1
    assert f"{tmp_path / 'd'} cannot be used" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("what", HARMLESS)
async def test_what_does_not_matter_keeps_nobody_from_trading(tmp_path: Path, what: str) -> None:
    home = tmp_path / "home"
    (home / "d").mkdir(parents=True)
    HARMLESS[what](home / "d")
    wallets = "wallets" in what or "passphrase" in what
    async with running_daemon(home, *sandbox_arguments(home, evm=wallets)) as daemon:
        async with cambist.connect(daemon.connect) as client:
            order = await client.trading.place_order(
                "paper", "ETH-USDC", cambist.Side.BUY, "0.01", account="paper", price="1500"
            )
            assert order.status is cambist.OrderStatus.OPEN
            parts = {part.id: part for part in (await client.system.get_status()).components}
            if wallets:
                assert "wallets cannot be opened" in parts["ethereum_local"].condition.reason
    assert "Traceback" not in daemon.log.read_text()
