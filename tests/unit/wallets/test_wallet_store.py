"""The wallet store: states, names, files that are damaged, and what must never be seen."""

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.wallets import files
from chains.wallets.kdf import LIGHT
from chains.wallets.store import StoreState, WalletStore
from core.clock import ManualClock
from core.errors import Reason, Refused

PASSPHRASE = "correct horse battery"
EVM_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
EVM_ADDRESS = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "wallets"


@pytest.fixture
async def store(directory: Path) -> WalletStore:
    made = make(directory)
    await made.initialize(PASSPHRASE)
    return made


def make(directory: Path) -> WalletStore:
    return WalletStore(directory, ManualClock(), LIGHT)


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_nothing_is_decrypted_for_a_signature(
    store: WalletStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deriving a key takes a second and much memory: once at unlock, never for a request."""
    wallets = [await store.create(f"w{n}", family) for n, family in enumerate(("evm", "solana"))]

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a key was derived")

    for name in ("scrypt", "pbkdf2", "argon2id"):
        monkeypatch.setattr(f"chains.wallets.kdf.{name}", never)
    monkeypatch.setattr(asyncio, "to_thread", never)
    for wallet in wallets:
        for _ in range(16):
            assert await store.sign(wallet.family, wallet.address, b"\x01" * 32)
        store.list(), store.get(wallet.name), store.default(wallet.family)


def test_nothing_is_touched_before_there_is_a_store(directory: Path) -> None:
    store = make(directory)
    assert store.state is StoreState.NON_EXISTING
    assert store.list() == []
    assert not directory.exists()


async def test_states_follow_each_other(directory: Path) -> None:
    store = make(directory)
    with pytest.raises(Refused) as refused:
        await store.unlock(PASSPHRASE)
    assert refused.value.reason is Reason.WALLETS_LOCKED
    seen = []
    await store.initialize(PASSPHRASE)
    seen.append(store.state)
    store.lock()
    seen.append(store.state)
    await store.unlock(PASSPHRASE)
    seen.append(store.state)
    assert seen == [StoreState.UNLOCKED, StoreState.LOCKED, StoreState.UNLOCKED]
    with pytest.raises(Refused) as refused:
        await store.initialize("another")
    assert refused.value.reason is Reason.WALLET_EXISTS


async def test_a_wrong_passphrase_changes_nothing(store: WalletStore, directory: Path) -> None:
    await store.create("main", "evm")
    other = make(directory)
    with pytest.raises(Refused) as refused:
        await other.unlock(PASSPHRASE + " ")
    assert refused.value.reason is Reason.PASSPHRASE_WRONG
    assert other.state is StoreState.LOCKED
    assert other.addresses("evm") == []


async def test_a_wallet_survives_a_restart(store: WalletStore, directory: Path) -> None:
    evm = await store.import_key("main", "evm", "0x" + EVM_KEY)
    solana = await store.create("sol", "solana")
    assert evm.address == EVM_ADDRESS
    assert evm.is_default
    assert solana.is_default
    other = make(directory)
    assert [(w.name, w.address) for w in other.list()] == [
        ("main", EVM_ADDRESS),
        ("sol", solana.address),
    ]
    await other.unlock(PASSPHRASE)
    assert other.addresses("evm") == [EVM_ADDRESS]
    assert other.addresses("solana") == [solana.address]
    digest = bytes(range(32))
    assert await other.sign("evm", EVM_ADDRESS, digest) == await store.sign(
        "evm", EVM_ADDRESS.lower(), digest
    )


async def test_nothing_is_signed_or_added_while_locked(store: WalletStore) -> None:
    wallet = await store.create("main", "solana")
    store.lock()
    assert store.addresses("solana") == []
    for attempt in (
        store.sign("solana", wallet.address, b"message"),
        store.create("second", "evm"),
        store.remove("main"),
        store.import_keystore("third", "{}", "x"),
    ):
        with pytest.raises(Refused) as refused:
            await attempt
        assert refused.value.reason is Reason.WALLETS_LOCKED


async def test_files_are_private(store: WalletStore, directory: Path) -> None:
    await store.create("main", "evm")
    await store.create("sol", "solana")
    await store.watch("cold", "evm", "0x" + "11" * 20)
    assert _mode(directory) == 0o700
    assert _names(directory) == ["_store.json", "cold.json", "main.json", "sol.json"]
    assert {_mode(directory / name) for name in _names(directory)} == {0o600}


def _flip(document: dict[str, object], *path: str) -> None:
    node: object = document
    for step in path[:-1]:
        assert isinstance(node, dict)
        node = node[step]
    assert isinstance(node, dict)
    old = node[path[-1]]
    node[path[-1]] = ("0" if old[0] != "0" else "1") + old[1:] if isinstance(old, str) else old * 2


TAMPERED = [
    ("main", ("crypto", "ciphertext")),
    ("main", ("crypto", "mac")),
    ("main", ("crypto", "kdfparams", "salt")),
    ("main", ("address",)),
    ("sol", ("ciphertext",)),
    ("sol", ("cipher", "nonce")),
    ("sol", ("kdf", "salt")),
    ("sol", ("kdf", "memory")),
    ("sol", ("address",)),
]


@pytest.mark.parametrize(("name", "path"), TAMPERED)
async def test_a_changed_file_is_a_problem_and_the_others_load(
    store: WalletStore, directory: Path, name: str, path: tuple[str, ...]
) -> None:
    await store.create("main", "evm")
    await store.create("sol", "solana")
    await store.create("third", "evm")
    file = directory / f"{name}.json"
    document = json.loads(file.read_text())
    _flip(document, *path)
    file.write_text(json.dumps(document))
    other = make(directory)
    await other.unlock(PASSPHRASE)
    listed = {wallet.name: wallet for wallet in other.list()}
    assert listed[name].problem
    assert [w.problem for w in listed.values() if w.name != name] == ["", ""]
    assert listed["third"].address in other.addresses("evm")
    with pytest.raises(Refused):
        await other.sign("evm" if name == "main" else "solana", listed[name].address, bytes(32))


@pytest.mark.parametrize("content", ["", "[]", "nonsense", "{}", '{"version": 3}', "9" * 70_000])
async def test_garbage_is_a_problem(store: WalletStore, directory: Path, content: str) -> None:
    await store.create("main", "evm")
    (directory / "junk.json").write_text(content)
    await store.unlock(PASSPHRASE)
    listed = {wallet.name: wallet for wallet in store.list()}
    assert listed["junk"].problem
    assert not listed["main"].problem


async def test_a_damaged_index_says_what_to_do(store: WalletStore, directory: Path) -> None:
    wallet = await store.create("main", "evm")
    (directory / "_store.json").write_text("{}")
    other = make(directory)
    assert [w.name for w in other.list()] == ["main"]
    with pytest.raises(Refused, match="initialize again"):
        await other.unlock(PASSPHRASE)
    (directory / "_store.json").rename(directory / "aside")
    await other.initialize(PASSPHRASE)
    assert other.addresses("evm") == [wallet.address]


BAD_NAMES = ["", "A", "../x", "a/b", "a.b", "-a", "_store", "a" * 33, "ä", "a\n", "a b", "con:"]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_names_are_safe_file_names(store: WalletStore, name: str) -> None:
    with pytest.raises(Refused) as refused:
        await store.create(name, "evm")
    assert refused.value.metadata == {"field": "name"}


async def test_a_name_and_an_address_exist_once(store: WalletStore) -> None:
    await store.import_key("main", "evm", EVM_KEY)
    for attempt in (
        store.create("main", "solana"),
        store.import_key("again", "evm", EVM_KEY),
        store.watch("look", "evm", EVM_ADDRESS.lower()),
    ):
        with pytest.raises(Refused) as refused:
            await attempt
        assert refused.value.reason is Reason.WALLET_EXISTS


async def test_watch_only_wallets_are_listed_and_never_sign(store: WalletStore) -> None:
    wallet = await store.watch("cold", "evm", EVM_ADDRESS.lower())
    assert wallet.watch_only
    assert wallet.address == EVM_ADDRESS
    assert not wallet.is_default
    assert store.addresses("evm") == []
    with pytest.raises(Refused) as refused:
        await store.sign("evm", EVM_ADDRESS, bytes(32))
    assert refused.value.reason is Reason.WALLET_NOT_FOUND
    await store.remove("cold")
    await store.import_key("cold", "evm", EVM_KEY)
    assert store.addresses("evm") == [EVM_ADDRESS]


async def test_removing_forgets_key_and_default(store: WalletStore, directory: Path) -> None:
    await store.create("one", "evm")
    two = await store.create("two", "evm")
    assert (default := store.default("evm")) is not None
    assert default.name == "one"
    await store.remove("one")
    assert store.default("evm") is None
    assert store.addresses("evm") == [two.address]
    await store.set_default("two")
    assert (default := store.default("evm")) is not None
    assert default.name == "two"
    assert _names(directory) == ["_store.json", "two.json"]
    with pytest.raises(Refused) as refused:
        await store.remove("one")
    assert refused.value.reason is Reason.WALLET_NOT_FOUND


async def test_a_keystore_brings_its_own_passphrase(store: WalletStore, tmp_path: Path) -> None:
    elsewhere = make(tmp_path / "elsewhere")
    await elsewhere.initialize("its own")
    for name, family in (("main", "evm"), ("sol", "solana")):
        made = await elsewhere.create(name, family)
        content = (tmp_path / "elsewhere" / f"{name}.json").read_text()
        with pytest.raises(Refused) as refused:
            await store.import_keystore(name, content, PASSPHRASE)
        assert refused.value.reason is Reason.PASSPHRASE_WRONG
        assert (await store.import_keystore(name, content, "its own")).address == made.address
    await store.unlock(PASSPHRASE)
    assert [wallet.problem for wallet in store.list()] == ["", ""]


def test_a_write_that_fails_leaves_the_old_file(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.prepare(directory)
    files.write(directory / "a.json", "old")

    def fail(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        files.write(directory / "a.json", "new")
    assert _names(directory) == ["a.json"]
    assert (directory / "a.json").read_text() == "old"


@pytest.fixture(autouse=True)
def no_leftovers(directory: Path) -> Iterator[None]:
    """Temporary files never stay behind."""
    yield
    if directory.exists():
        assert [p for p in directory.iterdir() if p.name.startswith(".")] == []
