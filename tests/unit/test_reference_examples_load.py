"""Every YAML example of the references is a file that loads, and every default they name is the real one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rules.inventory import parse_inventory
from rules.limits import Compare
from rules.rulefile import parse_rules

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {"rules.md": parse_rules, "inventory.md": parse_inventory}
EXAMPLES = [
    (page, text)
    for page in PAGES
    for text in re.findall(
        r"^```yaml\n(.*?)^```", (REFERENCE / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_an_example_loads(page, text):
    """As it stands, without an error."""
    PAGES[page](text, page)


def test_both_pages_have_examples():
    """Or the test above would say nothing."""
    assert {page for page, _ in EXAMPLES} == set(PAGES)


def test_the_full_example_writes_the_defaults():
    """Where the full example writes what a short rule has anyway, it writes the same."""
    short, full = (parse_rules(text, page).rules[0].expanded() for page, text in EXAMPLES[:2])
    for key in ("mode", "waves", "verify", "retry"):
        assert short[key] == full[key]
    assert short["before"]["evidence"] == full["before"]["evidence"]
    caused = {key: full["guards"]["caused-by-release"][key] for key in ("within", "skew")}
    assert short["guards"] == {**full["guards"], "caused-by-release": caused, "freeze": []}
    compare = full["guards"]["caused-by-release"]["compare"]
    assert compare["at-least"] == f"{Compare('', '').at_least:g}x"
