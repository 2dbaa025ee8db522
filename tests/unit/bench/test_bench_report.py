"""What a benchmark says, and what becomes of one that fails."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import __main__ as command
from bench import report
from bench.case import Case, Setting, found
from bench.results import Failure, Result


def result(more_is_better: bool = True, expected: float | None = None) -> Result:
    return Result("speed", 300.0, "1/s", "peer", 100.0, more_is_better, expected)


def test_a_ratio_above_one_is_better_whatever_the_unit() -> None:
    assert result().ratio == 3
    assert result(more_is_better=False).ratio == pytest.approx(1 / 3)
    assert Result("x", 0.0, "s", "peer", 1.0, more_is_better=False).ratio == 0


@pytest.mark.parametrize(
    ("more", "expected", "met"),
    [(True, 300, True), (True, 301, False), (False, 300, True), (False, 299, False)],
)
def test_what_is_expected(more: bool, expected: float, met: bool) -> None:
    assert result(more, expected).met is met
    assert result(more).met is None


def test_the_files(tmp_path: Path) -> None:
    report.write([result(), Failure("broken", "no such thing")], {"cores": "2"}, tmp_path)
    one, two = json.loads((tmp_path / "results.json").read_text())
    assert one == {
        "name": "speed",
        "value": 300.0,
        "unit": "1/s",
        "peer": "peer",
        "peer_value": 100.0,
        "ratio": 3.0,
    }
    assert (two["name"], two["value"], two["error"]) == ("broken", None, "no such thing")
    assert set(one) <= set(two)
    assert json.loads((tmp_path / "machine.json").read_text()) == {"cores": "2"}


def test_the_table_shows_failures_too() -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(report.table([result(expected=500), Failure("broken", "why [not]")]))
    text = console.export_text()
    assert "3.00" in text
    assert "≥ 500" in text
    assert "failed" in text
    assert "why [not]" in text


def test_a_failed_case_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def works(setting: Setting) -> list[Result]:
        assert setting.quick
        assert setting.work_dir.is_dir()
        return [result()]

    async def breaks(setting: Setting) -> list[Result]:
        raise RuntimeError("it broke")

    cases = [Case("breaks", "breaking", 1, breaks), Case("works", "working", 2, works)]
    monkeypatch.setattr(command, "found", lambda: cases)
    assert command.main(["--quick", "--out", str(tmp_path)]) == 1
    objects = json.loads((tmp_path / "results.json").read_text())
    assert [one["name"] for one in objects] == ["breaking", "speed"]
    assert objects[0]["error"] == "RuntimeError: it broke"
    assert command.main(["--quick", "--out", str(tmp_path), "works"]) == 0
    with pytest.raises(SystemExit):
        command.main(["nonsense"])
    assert "breaks, works" in capsys.readouterr().err


def test_the_cases_are_found_in_order() -> None:
    cases = found()
    assert [case.order for case in cases] == sorted(case.order for case in cases)
    assert {"book_updates", "orders", "start_up", "memory"} <= {case.name for case in cases}
