"""What went wrong in other tools, one test each, by name: real processes, instances on this machine.

One installation serves the whole file; each test has instances of its own and looks only at them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import alert, body, stamp
from testbed.installation import Installation
from testbed.local_shops import BLOCKING_RESTART, LocalShop, local_inventory, local_shops, rules
from testbed.programs import Program
from testbed.redis import valkey
from testbed.wait import stays, until

from rules.matchers import parse_matchers
from rules.notifications import parse_notification

QUICK = {"numbers": {"group_interval_s": 1}}
NAMES = ("t01", "t02", "t05", "t07", "t08-stable", "t08-canary", "t09", "t10", "t11", "t17")


@dataclass(frozen=True, slots=True)
class Site:
    """The running installation and its instances."""

    installed: Installation
    server: Program
    shops: dict[str, LocalShop]
    gate: Path

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the rollbacks of one instance."""
        return [found for found in self.installed.rollbacks() if found["service"] == name]

    def goes_back(self, name: str) -> None:
        """Wait until the instance runs the old release."""
        until(lambda: self.shops[name].running() == "v1.2.0", within_s=20, what=f"{name} goes back")

    def recovers(self, name: str, *alerts: dict[str, Any]) -> dict[str, Any]:
        """Wait until the instance runs the old release, resolve its alerts, and return the ended rollback."""
        self.goes_back(name)
        self.installed.notify(body(*({**entry, "status": "resolved", "endsAt": stamp(0)} for entry in alerts)))

        def ended() -> dict[str, Any] | None:
            (rollback,) = self.of(name)
            return rollback if rollback["state"] == "ended" else None

        rollback = until(ended, within_s=40, what=f"the rollback of {name} ends")
        assert rollback["outcome"] == "recovered", rollback
        return rollback

    def untouched(self, name: str) -> bool:
        """Whether nothing happened to the instance, and nothing is about to."""
        return self.shops[name].running() == "v1.3.0" and not self.of(name)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run the installation that all traps of this file are set in."""
    folder = tmp_path_factory.mktemp("traps")
    with contextlib.ExitStack() as running:
        shops = running.enter_context(local_shops(folder, *NAMES))
        installed = running.enter_context(installation(folder, shops))
        server, _ = running.enter_context(installed.running())
        yield Site(installed, server, shops, folder)


@contextlib.contextmanager
def installation(folder: Path, shops: dict[str, LocalShop]) -> Iterator[Installation]:
    """Give an installation whose one rule acts on canaries only."""
    entries = {name: made.entry("stable" if name.endswith("stable") else "canary") for name, made in shops.items()}
    slow = ["sh", "-c", BLOCKING_RESTART, "sh", str(folder), str(shops["t05"].current)]
    entries["t05"]["restart"] = {"command": [*slow, str(shops["t05"].restarts_file)]}
    entries["t09"]["hosts"] = [{"name": "six", "address": "2001:db8::1", "labels": {"track": "canary"}}]
    only_canaries = rules(
        target={
            "hosts": {"instance": "{{ $labels.instance }}"},
            "service": "{{ $labels.service }}",
            "only": {"track": "canary"},
        }
    )
    (folder / "redis").mkdir()
    with valkey(folder / "redis") as redis:
        yield Installation(folder / "installed", redis.url, only_canaries, local_inventory(**entries), more=QUICK)


def test_trap_01_a_firing_group_holds_a_resolved_canary_alert_that_must_not_act(site: Site) -> None:
    """Each alert is judged by its own status: the group's says only that one of them fires."""
    ours = alert(site.shops["t01"].labels(), status="resolved")
    other = alert({"alertname": "DiskFull", "instance": "db1"})
    answer = site.installed.notify(body(ours, other, status="firing"))
    assert answer.status in {200, 202}, answer.text
    stays(lambda: site.untouched("t01"), for_s=1.5, what="the instance of the resolved alert is left alone")


def test_trap_02_the_same_episode_sent_again_hours_later_does_nothing_more(site: Site) -> None:
    """A repeat has the same start: it joins its episode, whatever has ended since."""
    began = stamp(-4 * 3600)
    entry = alert(site.shops["t02"].labels(), starts_at=began)
    assert site.installed.notify(body(entry)).json["accepted"] == 1
    site.goes_back("t02")
    for _ in range(3):
        answer = site.installed.notify(body(entry))
        assert (answer.json["accepted"], answer.json["known"]) == (0, 1)
    site.recovers("t02", entry)
    assert site.shops["t02"].restarts() == 1


def test_trap_05_a_resolve_in_the_middle_of_a_rollback_lets_it_finish(site: Site) -> None:
    """After the first change stopping halfway is the one thing that is always wrong."""
    entry = alert(site.shops["t05"].labels())
    site.installed.notify(body(entry))
    until((site.gate / "restarting").exists, within_s=20, what="the rollback is between switch and restart")
    site.installed.notify(body({**entry, "status": "resolved", "endsAt": stamp(0)}))
    (site.gate / "go").touch()
    site.recovers("t05", entry)
    assert site.shops["t05"].restarts() == 1


def test_trap_07_starts_with_an_offset_nine_digits_and_a_clock_two_minutes_ahead(site: Site) -> None:
    """Times are RFC 3339 as Go writes it; a firing alert ends in the year 1; clocks differ."""
    ahead = datetime.now(UTC) + timedelta(minutes=2)
    local = ahead.astimezone(timezone(timedelta(hours=8))).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789+08:00"
    entry = alert(site.shops["t07"].labels(), starts_at=local)
    assert entry["endsAt"] == "0001-01-01T00:00:00Z"
    answer = site.installed.notify(body(entry))
    assert (answer.status, answer.json["bad"]) == (202, [])
    site.goes_back("t07")


def test_trap_08_only_some_alerts_of_a_group_are_about_a_canary(site: Site) -> None:
    """Labels that the group has in common say nothing about one alert; the inventory says what is a canary."""
    of_stable = alert(site.shops["t08-stable"].labels(track="canary"))
    of_canary = alert(site.shops["t08-canary"].labels())
    site.installed.notify(body(of_stable, of_canary, commonLabels={"track": "canary"}))
    site.goes_back("t08-canary")
    assert site.untouched("t08-stable")
    decided = until(
        lambda: site.installed.decisions(of_stable["fingerprint"]), within_s=10, what="the decision is there"
    )
    assert "not-selected" in json.dumps(decided)


def test_trap_09_an_instance_label_with_an_ipv6_address(site: Site) -> None:
    """The port is cut off behind the bracket, not at the first colon."""
    entry = alert({"alertname": "ShopFails", "service": "t09", "instance": "[2001:db8::1]:9100"})
    site.installed.notify(body(entry))
    site.goes_back("t09")


def test_trap_10_a_receiver_with_a_dot_arrives_escaped(site: Site) -> None:
    r"""Alertmanager quotes the name for regular expressions: `a.b` is sent as `a\.b`."""
    entry = alert(site.shops["t10"].labels())
    notification = body(entry, receiver="a\\.b")
    assert parse_notification(json.dumps(notification).encode()).receiver == "a.b"
    assert site.installed.notify(notification).status == 202
    site.goes_back("t10")


def test_trap_11_one_alert_about_something_unknown_beside_one_about_an_instance(site: Site) -> None:
    """The unknown one is refused with a reason a person can act on; its neighbour proceeds."""
    unknown = alert({"alertname": "ShopFails", "service": "t11", "instance": "gone-since-friday:8080"})
    entry = alert(site.shops["t11"].labels())
    site.installed.notify(body(unknown, entry))
    site.goes_back("t11")
    decided = json.dumps(site.installed.decisions(unknown["fingerprint"]))
    assert "host-unknown" in decided
    assert "gone-since-friday" in decided


def test_trap_16_a_refused_body_comes_back_for_ever_without_filling_the_log(site: Site) -> None:
    """A 4xx is repeated every group interval: each is counted, few are logged, none changes anything."""
    before = counter(site, 'notifications_total{code="400"}')
    lines = len(site.server.log().splitlines())
    for number in range(50):
        answer = site.installed.notify(body(alert({"a": "b"}), version=str(number + 5)))
        assert (answer.status, answer.json["field"]) == (400, "version")
    assert counter(site, 'notifications_total{code="400"}') == before + 50
    assert len(site.server.log().splitlines()) - lines <= 5


def test_trap_17_a_truncated_notification_is_acted_on_and_counted(site: Site) -> None:
    """What was cut off is counted and warned about; what is there is still acted on."""
    before = counter(site, "alerts_truncated_total")
    entry = alert(site.shops["t17"].labels())
    assert site.installed.notify(body(entry, truncatedAlerts=5000)).status == 202
    assert counter(site, "alerts_truncated_total") == before + 5000
    assert "truncated" in site.server.log()
    site.goes_back("t17")


@pytest.mark.parametrize(
    ("matcher", "labels", "matches"),
    [
        ('foo=~"bar"', {"foo": "bar"}, True),
        ('foo=~"bar"', {"foo": "bar\n"}, False),
        ('foo=~"bar"', {"foo": "xbar"}, False),
        ('foo!~"bar"', {"foo": "bar\n"}, True),
        ('foo!="bar"', {}, True),
        ('foo=""', {}, True),
        ('foo!=""', {}, False),
        ('foo=~".*"', {}, True),
        ('foo!~".+"', {}, True),
    ],
)
def test_trap_18_anchors_and_missing_labels(matcher: str, labels: dict[str, str], matches: bool) -> None:
    """A pattern holds for the whole value, line end included; a missing label is the empty string."""
    assert all(parsed.matches(labels) for parsed in parse_matchers(matcher)) is matches


def counter(site: Site, name: str) -> float:
    """Return one counter of the server."""
    lines = site.installed.ask("/metrics", token=None).text.splitlines()
    found = (line.rpartition(" ")[2] for line in lines if line.startswith(f"rollback_controller_{name}"))
    return float(next(found, "0"))
