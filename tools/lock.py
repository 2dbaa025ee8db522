"""Writes the three lock files from pyproject.toml, clients/python/pyproject.toml and package.json.

Versions that still fit stay; --upgrade takes the newest of all. No lock names an address: each
machine uses the registries that it is set up for.
"""

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tools.check_locks import ROOT, requirements

UV = Path(sysconfig.get_path("scripts")) / "uv"
COMPILE = [
    str(UV), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11",
    "--generate-hashes", "--no-header", "--no-annotate",
]  # fmt: skip


def lock_python(name: str, wanted: list[str], options: list[str]) -> None:
    # By way of a file: the distribution `cambist` is in this repository, not in a registry.
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "requirements.in"
        source.write_text("\n".join(wanted) + "\n")
        command = [*COMPILE, str(source), "-o", name, *options]
        subprocess.run(command, cwd=ROOT, check=True)
    print(f"wrote {name}")


def lock_node() -> None:
    command = [
        "npm",
        "install",
        "--package-lock-only",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    print("wrote package-lock.json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="the newest versions of everything")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    lock_python("requirements.lock", requirements(development=False), upgrade)
    # Constrained: the tests run with the versions that users run with.
    dev = ["-c", "requirements.lock", *upgrade]
    lock_python("requirements-dev.lock", requirements(development=True), dev)
    lock_node()
    return 0


if __name__ == "__main__":
    sys.exit(main())
