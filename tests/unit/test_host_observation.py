"""What a host runs and could run, from what was seen of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.decisions import Reason
from rules.errors import Permanent, Transient
from rules.inventory import Host, Restart, RestartKind, Service
from workers.hosts.observing import observation
from workers.hosts.reports import Entry, Link, Report

SHOP = Service(
    name="shop",
    releases="/opt/shop/releases",
    current="/opt/shop/current",
    restart=Restart(RestartKind.MARKER, path="/x"),
    hosts=(Host("web1", "10.0.0.1"),),
)
ENTRIES = [Entry(name, "directory", number) for number, name in enumerate(["v1.10.0", "v1.9.0", ".tmp", "-n"])]


def seen(target: str = "releases/v1.10.0", entries: list[Entry] = ENTRIES, **facts: object) -> Report:
    report = Report(whole=True, link=Link(target, "5:6.7"), link_kind="link", entries=list(entries))
    for name, value in facts.items():
        setattr(report, name, value)
    return report


@pytest.mark.parametrize(
    ("target", "running"),
    [
        ("releases/v1.10.0", "v1.10.0"),
        ("./releases//v1.10.0/", "v1.10.0"),
        ("/opt/shop/releases/v1.10.0", "v1.10.0"),
        ("../shop/releases/v1.10.0", "v1.10.0"),
        ("releases/gone", "gone"),
        ("/opt/shop/hotfix", None),
        ("releases", None),
        ("releases/v1.10.0/public", None),
        ("releases/-n", None),
        ("releases/..", None),
    ],
)
def test_which_release_the_link_names(target: str, running: str | None) -> None:
    """However the path is written; one that is no longer there is still the one that runs."""
    result = observation(seen(target), SHOP)
    assert result.running == running
    assert result.arrival == f"{target}@5:6.7"
    assert ("problem" in result.details) == (running in (None, "gone"))


def test_a_releases_directory_by_another_way() -> None:
    """The link says /srv/…, the inventory /opt/…, and the host says that they are one."""
    assert observation(seen("/srv/shop/releases/v1.9.0"), SHOP).running is None
    assert observation(seen("/srv/shop/releases/v1.9.0", flags={"inside": {""}}), SHOP).running == "v1.9.0"


def test_releases_are_ordered_and_marked() -> None:
    """Old to new; what is not called like a release is none."""
    facts = {
        "flags": {"incomplete": {"/opt/shop/releases/v1.9.0"}, "not-executable": {"/opt/shop/releases/v1.10.0"}}
    }
    service = replace(SHOP, whitelist=("v1.9.*",))
    releases = observation(seen(**facts), service).releases
    assert [(r.name, r.complete, r.executable, r.allowed) for r in releases] == [
        ("v1.9.0", False, True, True),
        ("v1.10.0", True, False, False),
    ]


def test_the_pattern_says_what_a_release_is_called() -> None:
    """Anything else in the directory is passed over, but not what runs: one goes back from something."""
    entries = [*ENTRIES, Entry("v1.11.0-debug", "directory", 9)]
    service = replace(SHOP, pattern=r"v\d+\.\d\.\d+")
    assert [release.name for release in observation(seen(entries=entries), service).releases] == [
        "v1.9.0",
        "v1.10.0",
    ]


def test_a_file_beside_directories_is_no_release() -> None:
    """Only what is of the kind that runs can be gone back to."""
    entries = [*ENTRIES, Entry("v1.8.0", "file", 9)]
    assert [release.name for release in observation(seen(entries=entries), SHOP).releases] == ["v1.9.0", "v1.10.0"]


@pytest.mark.parametrize(
    ("facts", "reason", "says"),
    [
        ({"link": None, "link_kind": "missing"}, Reason.TARGET_MISCONFIGURED, "current is not there"),
        ({"link": None, "link_kind": "directory"}, Reason.TARGET_MISCONFIGURED, "a directory, not a link"),
        ({"link": None, "link_kind": "file"}, Reason.TARGET_MISCONFIGURED, "a file, not a link"),
        ({"flags": {"no-releases": {""}}}, Reason.TARGET_MISCONFIGURED, "/opt/shop/releases is not there"),
        ({"flags": {"unreadable-releases": {""}}}, Reason.RIGHTS_MISSING, "give the deploying user read access"),
        ({"link": Link("a\nb", "5:6.7")}, Reason.TARGET_MISCONFIGURED, "point it to a plain name"),
    ],
)
def test_where_no_rollback_could_start_from(facts: dict[str, object], reason: Reason, says: str) -> None:
    """It is said at once, with what to do about it."""
    with pytest.raises(Permanent, match=says) as refused:
        observation(seen(**facts), SHOP)
    assert refused.value.reason is reason


def test_half_an_answer_is_asked_for_again() -> None:
    """It is nobody's mistake."""
    with pytest.raises(Transient):
        observation(seen(whole=False), SHOP)
