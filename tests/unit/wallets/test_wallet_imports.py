"""The wallets are light: an idle daemon must not pay for what it does not use."""

import subprocess
import sys

PROGRAM = """
import asyncio, sys, tempfile
from pathlib import Path
from chains.wallets.kdf import LIGHT
from chains.wallets.store import WalletStore
from core.clock import SystemClock

assert not {"cryptography", "argon2", "coincurve", "eth_hash"} & set(sys.modules)

async def main():
    with tempfile.TemporaryDirectory() as directory:
        store = WalletStore(Path(directory), SystemClock(), LIGHT)
        await store.initialize("pass")
        evm = await store.create("main", "evm")
        solana = await store.create("sol", "solana")
        await store.unlock("pass")
        await store.sign("evm", evm.address, bytes(32))
        await store.sign("solana", solana.address, b"message")

asyncio.run(main())
print(sorted({"solders", "eth_account", "eth_keyfile", "aiohttp"} & set(sys.modules)))
"""


def test_no_chain_library_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "[]"
