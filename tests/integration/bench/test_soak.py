"""The soak, twenty seconds of it: all exchanges at once."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from tests.support.cex_fixtures import names


@pytest.mark.slow
def test_books_of_all_exchanges_at_once(tmp_path: Path) -> None:
    code = main(["--minutes", str(20 / 60), "--out", str(tmp_path), "soak"])
    objects = json.loads((tmp_path / "results.json").read_text())
    assert code == 0, objects
    found = {one["name"]: one for one in objects}
    frames = found["frames handled"]
    # A busy machine sends fewer; what is sent is handled.
    assert frames["value"] >= 0.9 * frames["peer_value"] > len(names())
    assert found["frames on their way, at most"]["value"] <= 400 * len(names())
    assert found["memory after the first quarter, at most"]["value"] < 1.5  # caches fill at first
    assert found["frame to subscriber, p99"]["value"] > 0
