"""Fails where a lock file names an address, lacks a hash, or does not fit what it locks."""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
# A lock that names where it was made works only there.
ADDRESS = re.compile(r"[a-z+]+://|\bfile:|--(extra-)?index-url|--find-links|--trusted-host")
OURS = {"cambist", "cambistd"}


def requirements(development: bool) -> list[str]:
    """Everything third-party that the two distributions here ask for, with the build's tools."""
    daemon = tomllib.loads((ROOT / "pyproject.toml").read_text())
    client = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())
    wanted = [
        *daemon["project"]["dependencies"],
        *client["project"]["dependencies"],
        # Built without isolation, so that a set-up needs nothing but the lock.
        *daemon["build-system"]["requires"],
    ]
    if development:
        wanted += daemon["dependency-groups"]["dev"]
    return [line for line in wanted if canonicalize_name(Requirement(line).name) not in OURS]


def locked(text: str) -> dict[str, str]:
    """Name -> version of the entries of a requirements file."""
    entries = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in entries}


def check_python(name: str, development: bool) -> list[str]:
    text = (ROOT / name).read_text()
    wrong = [f"{name}: an address: {line}" for line in text.splitlines() if ADDRESS.search(line)]
    have = locked(text)
    if text.count("==") > text.count("--hash=") or not have:
        wrong.append(f"{name}: an entry without a hash")
    for line in requirements(development):
        wanted = Requirement(line)
        version = have.get(canonicalize_name(wanted.name))
        if version is None:
            wrong.append(f"{name}: {wanted.name} is missing")
        elif not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{name}: {wanted.name} {version} is not {wanted.specifier}")
    return wrong


def check_same() -> list[str]:
    """What the tests run with must be what users run with."""
    run = locked((ROOT / "requirements.lock").read_text())
    dev = locked((ROOT / "requirements-dev.lock").read_text())
    return [
        f"requirements-dev.lock: {name} {dev.get(name)}, but {version} in requirements.lock"
        for name, version in run.items()
        if dev.get(name) != version
    ]


def check_node() -> list[str]:
    text = (ROOT / "package-lock.json").read_text()
    lock: dict[str, Any] = json.loads(text)
    asked = json.loads((ROOT / "package.json").read_text())["dependencies"]
    wrong = [
        f"package-lock.json: an address: {line.strip()}"
        for line in text.splitlines()
        if ADDRESS.search(line)
    ]
    for path, entry in lock["packages"].items():
        if path and "integrity" not in entry:
            wrong.append(f"package-lock.json: {path} without a hash")
    for name, version in asked.items():
        found = lock["packages"].get(f"node_modules/{name}", {}).get("version")
        if found != version:
            wrong.append(f"package-lock.json: {name} {found}, but package.json says {version}")
    return wrong


def main() -> int:
    wrong = [
        *check_python("requirements.lock", development=False),
        *check_python("requirements-dev.lock", development=True),
        *check_same(),
        *check_node(),
    ]
    for line in wrong:
        print(line)
    print("run `make lock`" if wrong else "no address, every entry hashed, nothing missing")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
