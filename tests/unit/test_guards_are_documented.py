"""The page about guards names each of them, in their order, and whether it binds persons."""

from __future__ import annotations

import re
from pathlib import Path

from rules.decisions import Reason
from rules.guards import BIND_PERSONS, GUARDS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "guards.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (✓?) ?\|.*\| ([^|]+) \|$", re.MULTILINE)


def test_the_page_lists_every_guard() -> None:
    rows = ROW.findall(PAGE.read_text("utf-8"))
    assert [(name, bool(binds)) for name, binds, _ in rows] == [(name, name in BIND_PERSONS) for name, _ in GUARDS]
    for name, _, reasons in rows:
        assert {Reason(word) for word in re.findall("`([a-z-]+)`", reasons)}, name
