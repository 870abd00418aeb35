"""`rollbackctl rules test`: what comes out otherwise is told line by line, and a slip of the pen is an error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

import rules
from controller.cli.main import cli
from controller.settings.reading import rule_files

LIBRARY = Path(rules.__path__[0]) / "library"
PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "test-rules.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
INVENTORY = """
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {systemd: shop.service}
    hosts:
      - {name: web1, address: 10.0.0.1, labels: {track: stable}}
      - {name: web2, address: 10.0.0.2, labels: {track: canary}}
"""
WRONG = EXAMPLE.replace("prometheus: {onset: -2h}", "prometheus: {onset: -3m}")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write the files of the page, beside each other."""
    (tmp_path / "canary-only.yaml").write_text((LIBRARY / "canary-only.yaml").read_text())
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "canary-only.test.yaml").write_text(EXAMPLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_tests(*words):
    return CliRunner().invoke(cli, ["rules", "test", *words])


def test_the_example_of_the_page_passes(folder):
    """As it stands, from any folder: names are beside the file."""
    done = run_tests("canary-only.test.yaml")
    assert (done.exit_code, done.output) == (0, "3 tests: all passed.\n")
    assert run_tests(str(folder)).exit_code == 0


def test_what_fails_says_what_came_instead_and_why(folder):
    """In the words of the page."""
    (folder / "canary-only.test.yaml").write_text(WRONG)
    done = run_tests(".")
    assert done.exit_code == 1
    (shown,) = re.findall(r"^```text\n(.*?)…", PAGE, re.MULTILINE | re.DOTALL)
    assert shown in done.output
    assert done.output.endswith("3 tests, 1 failed.\n")


def test_tests_are_no_rules(folder):
    """A folder of rules may hold both."""
    assert [path.name for path in rule_files([folder])] == ["canary-only.yaml", "inventory.yaml"]


def test_tests_are_chosen_by_their_names(folder):
    """And a word that chooses none is no success."""
    assert run_tests(".", "-k", "STABLE").output == "1 test: all passed.\n"
    done = run_tests(".", "-k", "nothing like it")
    assert (done.exit_code, "no test has 'nothing like it' in its name" in done.output) == (1, True)


def test_results_are_data_too(folder):
    """With the place of each test."""
    (folder / "canary-only.test.yaml").write_text(WRONG)
    said = json.loads(run_tests(".", "--json").output)
    assert [(one["name"], one["line"], one["passed"]) for one in said][2] == (
        "the trouble is older than the release",
        17,
        False,
    )


def test_ci_is_told_as_junit(folder):
    """One suite for each file, with failures and errors apart."""
    (folder / "canary-only.test.yaml").write_text(WRONG)
    (folder / "other.test.yaml").write_text("version: rules-test/v1\nrules: nowhere.yaml\ntests: []\n")
    assert run_tests(".", "--junit", "results.xml").exit_code == 1
    suites = ET.parse(folder / "results.xml").getroot()
    counted = [(one.get("tests"), one.get("failures"), one.get("errors")) for one in suites]
    assert counted == [("3", "1", "0"), ("1", "0", "1")]
    assert "expected refuse, got observe" in (suites[0][2][0].text or "")


MISTAKES = {
    "an unknown rule": (
        "canary-errors: no-match",
        "canary-eror: no-match",
        "16:14: error: there is no rule `canary-eror`",
    ),
    "an unknown key": (
        "expect: {canary-errors: refuse",
        "expects: {canary-errors: refuse",
        "19:5: error: `expects`",
    ),
    "an unknown reason": (
        "predates-release",
        "predates-relase",
        "19:29: error: `predates-relase` is not known here",
    ),
    "an unknown fact": (
        "onset: -2h",
        "onsets: -2h",
        "18:26: error: `onsets` is not known here; did you mean `onset`?",
    ),
    "no such rules": ("rules: canary-only.yaml", "rules: canary.yaml", "2:8: error: canary.yaml cannot be read"),
    "no such host": ("web1: {running", "web7: {running", "9:7: error: `web7` is no host in the inventory"),
    "one name twice": (
        "a stable host is left alone",
        "the canary's new release is bad",
        "14:5: error: `the canary's new release is bad` is the name of another test at canary-only.test.yaml:12",
    ),
}


@pytest.mark.parametrize(("before", "after", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_slip_of_the_pen_is_an_error_at_its_place(folder, before, after, said):
    """So that no test passes by it."""
    assert before in EXAMPLE
    (folder / "canary-only.test.yaml").write_text(EXAMPLE.replace(before, after))
    done = run_tests("canary-only.test.yaml")
    assert done.exit_code == 1
    assert f"canary-only.test.yaml:{said}" in done.output


def test_nothing_to_test_is_no_success(folder):
    """A misspelt folder must not pass a pipeline."""
    (folder / "empty").mkdir()
    done = run_tests("empty")
    assert (done.exit_code, "no test file in empty" in done.output) == (1, True)
