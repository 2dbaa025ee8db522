"""The recordings and documented examples beside the repository, where they are."""

import io
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"


def folder() -> Path:
    """The corpus; skips the test where there is none."""
    path = Path(os.environ.get("CAMBIST_CORPUS", _BESIDE))
    if not path.is_dir():
        pytest.skip("no corpus: set CAMBIST_CORPUS to the folder with captures/ and examples/")
    return path


@lru_cache(maxsize=4)
def recording(name: str) -> list[dict[str, Any]]:
    """The entries of one recorded session, in order of arrival."""
    pytest.importorskip("zstandard")
    path = folder() / "captures" / f"{name}.jsonl.zst"
    if not path.is_file():
        pytest.skip(f"no recording of {name}")
    return rows(path)


def rows(path: Path) -> list[dict[str, Any]]:
    """The entries of a recording, compressed or not."""
    if path.suffix != ".zst":
        return [json.loads(line) for line in path.read_text().splitlines()]
    import zstandard

    with path.open("rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file))
        return [json.loads(line) for line in lines]


def recordings() -> list[str]:
    """The names of all recordings; none where there is no corpus."""
    path = Path(os.environ.get("CAMBIST_CORPUS", _BESIDE)) / "captures"
    return sorted(one.name.removesuffix(".jsonl.zst") for one in path.glob("*.jsonl.zst"))


def examples(venue: str, part: str) -> Iterator[tuple[str, str, str, bytes]]:
    """Documented calls under `endpoints/<part>`: file, method, path, reply."""
    for path in sorted((folder() / "examples" / venue / "endpoints" / part).rglob("*.txt")):
        lines = path.read_text(errors="replace").splitlines()
        method, target, _signed, *rest = lines
        start = next((i for i, line in enumerate(rest) if line[:1] in "{["), None)
        if start is not None:
            yield path.stem, method.strip(), target.strip(), "\n".join(rest[start:]).encode()
