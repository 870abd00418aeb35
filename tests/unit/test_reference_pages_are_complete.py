"""Every setting, every command and every exit code is in the reference, with its default where it has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.cli import failures
from controller.cli.main import cli
from controller.settings import Numbers, Settings
from rules.decisions import Reason
from rules.reading.fieldtypes import kebab
from rules.reading.guardmodels import GuardsModel
from rules.reading.policymodels import PolicyModel
from rules.reading.rulemodels import RuleModel
from rules.reading.selectionmodels import WhenModel
from rules.reading.windowmodels import WindowModel

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
SETTINGS = (REFERENCE / "settings.md").read_text()
COMMANDS = (REFERENCE / "commands.md").read_text()
REASONS = (REFERENCE / "reasons.md").read_text()
RULES = (REFERENCE / "rules.md").read_text()


def _written(name: str) -> str:
    return name.replace("_", "-")


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name != "numbers"])
def test_every_setting_is_described(name: str) -> None:
    """Those of a section under their full name."""
    model = Settings.model_fields[name].annotation
    inner = getattr(model, "model_fields", None)
    for key in [f"{name}.{part}" for part in inner] if inner else [name]:
        assert f"| `{_written(key)}` |" in SETTINGS


@pytest.mark.parametrize(("name", "default"), [(n, f.default) for n, f in Numbers.model_fields.items()])
def test_every_number_is_described_with_its_default(name: str, default: float) -> None:
    """A default that changes without its page is a lie at 3 a.m."""
    assert f"| `{_written(name)}` | {default} |" in SETTINGS


def test_every_reason_is_described_once() -> None:
    """Whoever meets one at night finds what it means and what to do, and nothing that does not exist."""
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", REASONS, re.MULTILINE)) == sorted(map(str, Reason))


@pytest.mark.parametrize("name", [*RuleModel.model_fields, *GuardsModel.model_fields, *WhenModel.model_fields])
def test_every_field_of_a_rule_is_described(name: str) -> None:
    """In a table, by itself or by what stands below it."""
    key = kebab(name)
    assert re.search(rf"^\| .*`(guards\.)?{key}[`.]", RULES, re.MULTILINE)


@pytest.mark.parametrize("name", [*PolicyModel.model_fields, *WindowModel.model_fields])
def test_every_key_of_the_policy_is_described(name: str) -> None:
    """In one of its two tables."""
    assert re.search(rf"^\| .*`{_written(name.rstrip('_'))}[`.]", SETTINGS, re.MULTILINE)


@pytest.mark.parametrize("name", cli.list_commands(None))  # type: ignore[arg-type]
def test_every_command_is_described(name: str) -> None:
    """In the table of the page."""
    assert re.search(rf"^\| `{name}\b", COMMANDS, re.MULTILINE)


@pytest.mark.parametrize("kind", [k for k in vars(failures).values() if hasattr(k, "exit_code")])
def test_every_exit_code_is_described(kind: type[failures.Failed]) -> None:
    """Scripts rely on them."""
    assert f"| {kind.exit_code} |" in COMMANDS
