"""The dashboard's panels, judged by Prometheus' promtool: over several installations each is still right."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from testbed.chart_files import CHART
from testbed.parts import program

DASHBOARD = json.loads((CHART / "files" / "dashboard.json").read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
MINUTES = 120
STAYS = f"x{MINUTES}"

SCRAPED = {  # metric and labels, in which namespace, by which pod → what it says, minute by minute
    ("ledger_up", "a", "1"): f"1+0{STAYS}",
    ("ledger_up", "b", "1"): f"0+0{STAYS}",
    ('rollbacks_unfinished{state="held"}', "a", "1"): f"1+0{STAYS}",
    ('rollbacks_unfinished{state="held"}', "a", "2"): f"1+0{STAYS}",
    ('rollbacks_unfinished{state="held"}', "b", "1"): f"2+0{STAYS}",
    ('loop_breakers_open{service="shop"}', "a", "1"): f"1+0{STAYS}",
    ('loop_breakers_open{service="shop"}', "b", "1"): f"1+0{STAYS}",
    ('rollbacks_ended_total{outcome="succeeded",reason="alert"}', "a", "1"): f"7+0x{MINUTES - 30} 9+0x29",
    ('rollbacks_ended_total{outcome="succeeded",reason="alert"}', "a", "2"): f"7+0x{MINUTES - 30} 9+0x29",
    ('rollbacks_ended_total{outcome="succeeded",reason="alert"}', "b", "1"): f"0+0x{MINUTES - 30} 1+0x29",
    ('rollbacks_ended_total{outcome="failed",reason="first"}', "a", "1"): f"_x{MINUTES - 30} 1+0x30",
    ("queue_length", "a", "1"): f"3+0{STAYS}",
    ("queue_length", "a", "2"): f"3+0{STAYS}",
    ("queue_length", "b", "1"): f"4+0{STAYS}",
    ('messages_waiting{channel="chat"}', "a", "1"): f"1+0{STAYS}",
    ('messages_waiting{channel="chat"}', "b", "1"): f"1+0{STAYS}",
}
SHOWN: dict[tuple[str, int], dict[str, int]] = {
    ("Redis answers", 0): {"": 0},
    ("Wait for a person", 0): {"": 3},
    ("Loop-breakers open", 0): {"": 2},
    ("Rollbacks that ended within an hour, by outcome", 0): {
        'outcome="succeeded",reason="alert"': 3,
        'outcome="failed",reason="first"': 1,
    },
    ("Unfinished rollbacks, by state", 0): {'state="held"': 3},
    ("Due and queued", 1): {"": 7},
    ("Messages that wait, by channel", 0): {'channel="chat"': 2},
}
"""Title and number of the target → what it shows of that, over both installations at once."""


def _series(said: str, namespace: str, pod: str) -> str:
    name, _, labels = said.rstrip("}").partition("{")
    listed = ",".join(part for part in (labels, f'namespace="{namespace}"', f'pod="{pod}"') if part)
    return f"rollback_controller_{name}{{{listed}}}"


def _expression(title: str, target: int) -> str:
    told: str = PANELS[title]["targets"][target]["expr"]
    return told.replace("$namespace", ".*")


def test_each_panel_adds_installations_up_and_counts_no_server_twice(tmp_path: Path) -> None:
    """Servers of one installation say the same of its ledger. One that is down is not hidden by another's."""
    asked = [
        {
            "expr": _expression(title, target),
            "eval_time": f"{MINUTES}m",
            "exp_samples": [{"labels": f"{{{labels}}}", "value": value} for labels, value in shown.items()],
        }
        for (title, target), shown in SHOWN.items()
    ]
    told = [{"series": _series(*of), "values": values} for of, values in SCRAPED.items()]
    tests = [{"interval": "1m", "input_series": told, "promql_expr_test": asked}]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [], "tests": tests}))
    argv = [program("promtool"), "test", "rules", "tests.yml"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("title", ["Redis answers", "Rule files are right"])
def test_what_is_yes_or_no_says_so(title: str) -> None:
    """A stranger does not know what 1 means."""
    ((mapping,), steps) = (
        PANELS[title]["fieldConfig"]["defaults"]["mappings"],
        PANELS[title]["fieldConfig"]["defaults"]["thresholds"]["steps"],
    )
    assert {value: said["text"] for value, said in mapping["options"].items()} == {"0": "no", "1": "yes"}
    assert [step["color"] for step in steps] == ["red", "green"]


def test_panels_are_numbered_and_do_not_overlap() -> None:
    """Grafana shows those that share an id or a place on top of each other."""
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for at in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        own: set[Any] = {
            (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
        }
        assert not own & taken
        assert at["x"] + at["w"] <= 24
        taken |= own
