"""The committed bytecode is what the sources compile to."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONTRACTS = ROOT / "chains" / "localnet" / "contracts"


def test_the_bytecode_is_what_the_sources_compile_to() -> None:
    if shutil.which("node") is None:
        pytest.skip("needs Node")
    if not (ROOT / "node_modules" / "solc").is_dir():
        pytest.skip("needs the compiler: npm install --no-save solc@0.8.26")
    done = subprocess.run(
        ["node", str(CONTRACTS / "compile.mjs"), "--print"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == json.loads((CONTRACTS / "bytecode.json").read_text())


def test_every_source_has_bytecode() -> None:
    compiled = json.loads((CONTRACTS / "bytecode.json").read_text())
    sources = {path.stem for path in CONTRACTS.glob("*.sol")}
    assert sources == set(compiled) - {"compiler"}
    for name in sources:
        assert compiled[name]["bytecode"].startswith("0x60")
        # The creation code carries the code that it leaves on the chain, but for immutables.
        if name not in ("SandboxToken", "SandboxCallbacks", "SandboxPoolDeployer"):
            assert compiled[name]["runtime"][2:] in compiled[name]["bytecode"]
