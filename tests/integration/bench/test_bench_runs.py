"""The benchmarks run: the real daemon, the real peers, a few figures each."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main


@pytest.mark.slow
@pytest.mark.parametrize("case", ["book_updates", "orders"])
def test_a_smoke_run(case: str, tmp_path: Path) -> None:
    code = main(["--quick", "--out", str(tmp_path), case])
    objects = json.loads((tmp_path / "results.json").read_text())
    assert code == 0, objects
    assert len(objects) >= 3
    # An overhead is a difference, and of so few orders it may come out negative.
    measured = [one for one in objects if "overhead" not in one["name"]]
    assert all(one["value"] > 0 and one["peer_value"] > 0 for one in measured)
