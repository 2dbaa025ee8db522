"""Fails where the contract breaks what an earlier version promised (`buf breaking`).

Compared with the latest tag. Before the first tag: with the commit before, and there a commit may
break the contract if its message says why, in a line `Breaking: <reason>`.
"""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUF = Path(sysconfig.get_path("scripts")) / "buf"


def git(*arguments: str) -> str | None:
    """What git prints; None where it fails."""
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip() if run.returncode == 0 else None


def has_proto(ref: str) -> bool:
    return bool(git("ls-tree", "-r", "--name-only", ref, "proto"))


def buf_breaking(query: str) -> subprocess.CompletedProcess[str]:
    # The address of a work tree's git directory may be elsewhere: git knows.
    folder = git("rev-parse", "--path-format=absolute", "--git-common-dir") or ".git"
    # By folder: a commit without buf.yaml is read all the same.
    command = [str(BUF), "breaking", "proto", "--against", f"{folder}#{query},subdir=proto"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def main() -> int:
    tag = git("describe", "--tags", "--abbrev=0")
    if tag and has_proto(tag):
        print(f"compared with {tag}")
        run = buf_breaking(f"tag={tag}")
        print(run.stdout + run.stderr, end="")
        return run.returncode
    # What is being edited is compared with the last commit, what is committed with the one before.
    edited = git("status", "--porcelain", "--", "proto")
    base = git("rev-parse", "--verify", "--quiet", "HEAD" if edited else "HEAD~1")
    if not base or not has_proto(base):
        print("no earlier version of the contract: nothing to break")
        return 0
    run = buf_breaking(f"commit={base}")
    if run.returncode == 0:
        print(f"compared with {base[:10]}; no tag yet")
        return 0
    print(run.stdout + run.stderr, end="")
    reason = re.search(r"^Breaking: *(\S.*)$", git("log", "-1", "--format=%B") or "", re.MULTILINE)
    if reason and not edited:
        print(f"broken on purpose, before the first tag: {reason[1]}")
        return 0
    print("before the first tag a commit may do this with a line `Breaking: <reason>`")
    return 1


if __name__ == "__main__":
    sys.exit(main())
