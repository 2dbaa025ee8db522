"""Keystore files against what others write and read."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from solders.keypair import Keypair

from chains.wallets import keystore_v3, sealed
from chains.wallets.kdf import LIGHT, STANDARD, KeystoreError, WrongPassphrase
from chains.wallets.secret import Secret
from chains.wallets.store import WalletStore
from core.clock import ManualClock
from core.errors import Reason, Refused

# The two test vectors of the Web3 Secret Storage definition.
VECTOR_KEY = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
PBKDF2_VECTOR: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT_VECTOR: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


@pytest.mark.parametrize("vector", [PBKDF2_VECTOR, SCRYPT_VECTOR], ids=["pbkdf2", "scrypt"])
def test_the_definitions_own_vectors(vector: dict[str, Any]) -> None:
    opened = keystore_v3.decrypt(vector, Secret(b"testpassword"))
    assert opened.reveal().hex() == VECTOR_KEY
    with pytest.raises(WrongPassphrase):
        keystore_v3.decrypt(vector, Secret(b"Testpassword"))


def test_eth_account_reads_what_we_write_and_we_read_what_it_writes() -> None:
    key = bytes.fromhex(VECTOR_KEY)
    address = Account.from_key(key).address
    text = keystore_v3.encrypt(Secret(key), address, Secret(b"pass"), LIGHT)
    assert bytes(Account.decrypt(text, "pass")) == key
    theirs = Account.encrypt(key, "pass", kdf="scrypt", iterations=16)
    assert keystore_v3.decrypt(theirs, Secret(b"pass")).reveal() == key
    theirs = Account.encrypt(key, "pass", kdf="pbkdf2", iterations=10)
    assert keystore_v3.decrypt(theirs, Secret(b"pass")).reveal() == key


async def test_a_standard_store_costs_what_it_says(tmp_path: Path) -> None:
    store = WalletStore(tmp_path, ManualClock(), STANDARD)
    await store.initialize("pass")
    await store.create("main", "evm")
    await store.create("sol", "solana")
    evm = json.loads((tmp_path / "main.json").read_text())
    assert evm["crypto"]["kdfparams"]["n"] == 1 << 17
    solana = json.loads((tmp_path / "sol.json").read_text())
    assert (solana["kdf"]["time"], solana["kdf"]["memory"]) == (3, 65_536)


async def test_a_file_from_geth_dropped_into_the_directory_is_found(tmp_path: Path) -> None:
    store = WalletStore(tmp_path, ManualClock(), LIGHT)
    await store.initialize("pass")
    theirs = Account.encrypt(bytes.fromhex(VECTOR_KEY), "pass", kdf="scrypt", iterations=16)
    (tmp_path / "geth.json").write_text(json.dumps(theirs))
    del theirs["address"]  # some tools leave it out
    theirs["crypto"] = theirs.pop("crypto")
    (tmp_path / "bare.json").write_text(json.dumps(theirs))
    await store.unlock("pass")
    address = Account.from_key(VECTOR_KEY).address
    assert [(w.name, w.address, w.problem) for w in store.list()] == [
        ("bare", address, ""),
        ("geth", address, ""),
    ]


HOSTILE = [
    {"n": 1 << 40},
    {"n": 3},
    {"n": 0},
    {"n": -2},
    {"r": 1 << 30},
    {"p": 1 << 20},
    {"dklen": 1 << 30},
    {"salt": "zz"},
    {"n": None},
    {"n": "x"},
    {"n": float("inf")},
]


@pytest.mark.parametrize("change", HOSTILE, ids=str)
def test_a_hostile_file_cannot_take_the_machine(change: dict[str, Any]) -> None:
    vector = json.loads(json.dumps(SCRYPT_VECTOR))
    vector["crypto"]["kdfparams"] |= change
    with pytest.raises(KeystoreError):
        keystore_v3.decrypt(vector, Secret(b"testpassword"))


@pytest.mark.parametrize(
    "change",
    [{"memory": 1 << 30}, {"time": 10**9}, {"memory": 1}, {"parallelism": 0}, {"time": "3"}],
    ids=str,
)
def test_a_hostile_sealed_file_cannot_either(change: dict[str, Any]) -> None:
    document = json.loads(sealed.seal(Secret(b"x" * 32), "k", "", Secret(b"p"), LIGHT))
    document["kdf"] |= change
    with pytest.raises(KeystoreError):
        sealed.open_sealed(document, "k", Secret(b"p"))


async def test_solana_keys_come_in_both_usual_spellings(tmp_path: Path) -> None:
    store = WalletStore(tmp_path, ManualClock(), LIGHT)
    await store.initialize("pass")
    pair = Keypair()
    base58 = await store.import_key("base58", "solana", str(pair))
    assert base58.address == str(pair.pubkey())
    await store.remove("base58")
    array = await store.import_key("array", "solana", pair.to_json())
    assert array.address == str(pair.pubkey())
    mistyped = list(bytes(pair))
    mistyped[3] ^= 1
    with pytest.raises(Refused, match="mistyped") as refused:
        await store.import_key("broken", "solana", json.dumps(mistyped))
    assert refused.value.reason is Reason.FIELD_INVALID


MNEMONIC = "abandon " * 11 + "about"


async def test_mnemonics_derive_what_other_wallets_derive(tmp_path: Path) -> None:
    store = WalletStore(tmp_path, ManualClock(), LIGHT)
    await store.initialize("pass")
    Account.enable_unaudited_hdwallet_features()
    for account in (0, 7):
        mine = await store.import_mnemonic(f"evm{account}", "evm", MNEMONIC, account=account)
        theirs = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{account}")
        assert mine.address == theirs.address
    # With the words' own passphrase, on a path with hardened and plain steps.
    path = "m/44'/1'/2/3'/2147483647"
    mine = await store.import_mnemonic(
        "odd", "evm", MNEMONIC, path=path, mnemonic_passphrase="TREZOR"
    )
    theirs = Account.from_mnemonic(MNEMONIC, passphrase="TREZOR", account_path=path)
    assert mine.address == theirs.address
    sol = await store.import_mnemonic("sol0", "solana", MNEMONIC)
    assert sol.address == "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk"  # as Phantom shows it


BAD_PATHS = ["m", "44'/60'", "m/44h/60'", "m/x", "m/4294967296", "m/2147483648'", "m/1" + "/1" * 99]


@pytest.mark.parametrize("path", BAD_PATHS)
async def test_bad_paths_are_refused(tmp_path: Path, path: str) -> None:
    store = WalletStore(tmp_path, ManualClock(), LIGHT)
    await store.initialize("pass")
    with pytest.raises(Refused) as refused:
        await store.import_mnemonic("a", "evm", MNEMONIC, path=path)
    assert refused.value.metadata == {"field": "path"}
    with pytest.raises(Refused, match="hardened"):
        await store.import_mnemonic("a", "solana", MNEMONIC, path="m/44'/501'/0'/0")
