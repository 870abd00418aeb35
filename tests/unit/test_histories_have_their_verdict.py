"""Histories with the verdict of a person: every rule says the same. They are test files as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

import rules
from rules.testfile import parse_tests
from rules.testrun import run

LIBRARY = Path(rules.__path__[0]) / "library"
FILES = sorted([*(Path(__file__).parent / "histories").glob("*.test.yaml"), *LIBRARY.glob("*.test.yaml")])


def read(path):
    return parse_tests(path.read_bytes(), str(path), lambda name: (path.parent / name).read_bytes())


TESTS = [(file, case) for file in map(read, FILES) for case in file.cases]


@pytest.mark.parametrize(
    ("file", "case"), TESTS, ids=[f"{Path(f.document.file).stem}: {c.name}" for f, c in TESTS]
)
def test_a_history_has_its_verdict(file, case):
    """Whatever the rule says otherwise is told with its reason."""
    assert run(file, case).differences == ()


def test_there_are_histories():
    """Or the test above would say nothing."""
    assert len(TESTS) >= 150
