"""Tests that the documentation names as proof are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
FOUND = sorted(
    {
        (document.relative_to(ROOT).as_posix(), *names)
        for document in (ROOT / "docs").rglob("*.md")
        for names in NAMED.findall(document.read_text())
    }
)


def test_there_are_some() -> None:
    assert len(FOUND) > 30


@pytest.mark.parametrize(("document", "file", "test"), FOUND)
def test_a_named_test_exists(document: str, file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert test in {one.name for one in ast.walk(tree) if isinstance(one, functions)}, document
