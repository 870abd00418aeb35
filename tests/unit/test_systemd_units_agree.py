"""The units for our own processes agree with what those processes do, and with each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from testbed.programs import REPOSITORY

from controller.settings.numbers import Numbers
from controller.web import server

UNITS = ("rollback-controller-serve.service", "rollback-controller-worker.service")
HOW_TO = REPOSITORY / "docs/how-to/install-on-a-vm.md"


def said(unit: str) -> Iterator[tuple[str, str]]:
    """Yield what a unit's file says, key by key."""
    for line in (REPOSITORY / "systemd" / unit).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            yield key, value


@pytest.mark.parametrize(
    ("unit", "needs_s"),
    [
        (UNITS[0], Numbers().unready_s + server._FINISH_WITHIN_S),
        (UNITS[1], Numbers().termination_grace_s),
    ],
)
def test_nothing_is_killed_before_it_had_its_time(unit: str, needs_s: float) -> None:
    """After SIGTERM a server drains and a worker finishes its step: systemd grants more than they take."""
    given = dict(said(unit))["TimeoutStopSec"]
    assert float(given.removesuffix("s")) > needs_s


def test_both_live_in_the_same_sandbox() -> None:
    """What was taken away from one was not forgotten with the other."""
    serve, worker = ((REPOSITORY / "systemd" / unit).read_text().partition("# What it may do") for unit in UNITS)
    assert serve[2] == worker[2]


@pytest.mark.parametrize("unit", UNITS)
def test_a_failure_is_started_again_with_an_end(unit: str) -> None:
    """Restart with limits; files that cannot be used (exit code 2) are for a person; children are taken along."""
    values = dict(said(unit))
    wanted = {"Restart": "on-failure", "RestartPreventExitStatus": "2", "KillMode": "mixed", "User": "rollback"}
    assert wanted.items() <= values.items()
    assert {"StartLimitIntervalSec", "StartLimitBurst", "LoadCredential"} <= values.keys()


def test_every_file_is_named_where_it_is_installed_from() -> None:
    """The how-to of each kind names each file that this folder has."""
    guard = (REPOSITORY / "docs/how-to/guard-a-service.md").read_text()
    for path in sorted((REPOSITORY / "systemd").glob("**/*")):
        if path.is_file():
            where = guard if "guard" in path.parts else HOW_TO.read_text()
            assert re.search(rf"systemd/\S*{re.escape(_last(path))}", where), path


def test_the_guards_settings_are_the_same_everywhere() -> None:
    """What the script reads, with its defaults, is what the how-to's table says and the example shows."""
    script = (REPOSITORY / "systemd/guard/rollback-guard").read_text()
    (line,) = re.findall(r"^  (current='' .*)$", script, re.MULTILINE)
    read = dict(word.split("=") for word in line.split())
    told: dict[str, str] = {}
    rows = (REPOSITORY / "docs/how-to/guard-a-service.md").read_text().partition("| setting |")[2].splitlines()[2:]
    for row in takewhile(lambda one: one.startswith("|"), rows):
        names, default = row.split("|")[1:3]
        told |= dict.fromkeys(re.findall("`([a-z_]+)`", names), default.strip())
    example = (REPOSITORY / "systemd/guard/example.conf").read_text()
    shown = dict(re.findall(r"^#?([a-z_]+)=(.+)$", example, re.MULTILINE))
    assert told.keys() == shown.keys() == read.keys()
    for name in ("steady", "hands_off", "lock_wait"):
        assert told[name] == shown[name] == read[name]


def _last(path: Path) -> str:
    """Return a path's name, or for those of one name that of its folder."""
    return path.parent.name if path.suffix == ".conf" and path.parent.name.endswith(".d") else path.name
