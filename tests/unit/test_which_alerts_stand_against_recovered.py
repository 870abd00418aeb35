"""Which alerts are about the changed instance, and what several sources together say of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from controller.ledger import Episode, RosterEntry
from controller.ledger.booking import Heard
from rules.alerts import Alert
from rules.decisions import Decision, Outcome, Reason
from rules.errors import Permanent, Transient
from rules.facts import Arrival, OtherAlert
from rules.instances import HostInstance
from rules.rule import Rule
from rules.rulefile import parse_rules
from rules.targets import Located
from workers.monitoring.alertmanager import Firing
from workers.monitoring.promanswers import Active, AlertingRule
from workers.verifying.places import Places
from workers.verifying.troubles import Troubles

WEB2, WEB3 = (HostInstance("default", "shop", host) for host in ("web2", "web3"))
CHANGED, NOW = 1_000_000, 1_600_000


def rule(target: str) -> Rule:
    """Return a rule about alerts of one name in one cluster."""
    text = (
        "version: rules/v1\nrules:\n  - name: r\n"
        "    when: {matchers: ['alertname=\"ShopFails\"', 'cluster=\"eu\"']}\n"
        f"    target: {target}\n"
    )
    return parse_rules(text, "r.yaml").rules[0]


BY_INSTANCE = rule(
    '{hosts: {instance: "{{ $labels.instance }}"}, service: shop, running: "{{ $labels.version }}"}'
)
OF_ALL = rule("{hosts: {}, service: shop, arrived-within: 15m}")
OF_SERVICE = rule('{hosts: {}, service: shop, running: "{{ $labels.version }}"}')


def alert(fingerprint: str = "f2", **labels: str) -> Alert:
    """Return an alert."""
    told = {"alertname": "ShopFails", "cluster": "eu", "instance": "web2", **labels}
    return Alert(fingerprint, "firing", told, {}, CHANGED - 5_000)


class ByInstance:
    """Finds a host by the label `instance`; both, where there is none."""

    def __init__(self, *answers: Exception) -> None:
        self.asked = 0
        self.answers = answers

    def find(self, _: Rule, alert: Alert, __: object):
        """Find, or fail."""
        self.asked += 1
        for error in self.answers:
            raise error
        known = {"web2": (WEB2,), "web3": (WEB3,), "": (WEB2, WEB3)}
        found = known.get(alert.labels.get("instance", ""))
        if found is None:
            return (), Decision(Outcome.HOLD, Reason.HOST_UNKNOWN)
        return tuple(Located(one, "shop", "host") for one in found), None

    def close(self) -> None:
        """Nothing is open."""


def runs(*names: str) -> RosterEntry:
    """Return web2 as it was seen since the change."""
    return RosterEntry(
        WEB2.id, "shop", "", "", names, "pin", Arrival(0), healthy=True, scraped=True, labels={}, seen_ms=NOW,
        good_since_ms=None,
    )  # fmt: skip


def places(by: Rule | None = BY_INSTANCE, seen: RosterEntry | None = None, *answers: Exception) -> Places:
    """Tell for web2."""
    finder = ByInstance(*answers)
    return Places(WEB2.id, by, lambda: finder, seen)


@pytest.mark.parametrize(
    ("by", "labels", "decided", "ours"),
    [
        (BY_INSTANCE, {"version": "v1", "severity": "any"}, None, True),
        (BY_INSTANCE, {"version": "v2"}, None, True),
        (BY_INSTANCE, {"instance": "web3"}, None, False),
        (BY_INSTANCE, {"instance": "unheard-of"}, None, False),
        (BY_INSTANCE, {"alertname": "Other"}, None, False),
        (BY_INSTANCE, {"cluster": "us"}, None, False),
        (BY_INSTANCE, {}, (WEB3.id,), False),
        (BY_INSTANCE, {"instance": "web3"}, (WEB2.id, WEB3.id), True),
        (OF_SERVICE, {"instance": "", "version": "v1"}, None, True),
        (OF_SERVICE, {"instance": "", "version": "v2"}, None, False),
        (OF_SERVICE, {"instance": "", "version": "v2"}, (WEB2.id,), False),
        (None, {}, None, False),
        (None, {}, (WEB2.id,), True),
    ],
)
def test_an_alert_is_ours_or_not(by, labels, decided, ours):
    """By where it is, whatever else it says; of a whole service, by the release that the instance runs now."""
    assert places(by, runs("v1")).is_ours(alert(**labels), decided) is ours


def test_while_the_instance_was_not_seen_again_its_release_decides_nothing():
    """What it ran before the change is no reason to leave an alert out."""
    assert places(OF_SERVICE).is_ours(alert(instance="", version="v2"))


def test_an_alert_that_cannot_be_placed_now_is_not_passed_over():
    """It is said that nobody knows; one whose place nobody can ever know is not waited for."""
    unsure = places(BY_INSTANCE, None, Transient(Reason.UNREACHABLE, "the cluster does not answer"))
    assert not unsure.is_ours(alert())
    assert "the cluster does not answer" in unsure.unknown
    sure = places(BY_INSTANCE, None, Permanent(Reason.CLUSTER_UNKNOWN, "no such cluster"))
    assert not sure.is_ours(alert())
    assert not sure.unknown


def test_a_storm_of_alerts_is_not_looked_up_to_the_last():
    """And it is known that not all are known."""
    many = places()
    for number in range(60):
        many.is_ours(alert(f"f{number}"))
    assert many.many
    assert many.finder().asked == 50


def episode(by: Alert, *, over_ms: int | None) -> Episode:
    """Return what the ledger knows of an alert."""
    return Episode(by.fingerprint, over_ms is None, by.starts_at_ms, CHANGED + 1_000, over_ms, by)


def judged(firing: bool, labels: Mapping[str, str]) -> AlertingRule:
    """Return an alerting rule with one alert, as Prometheus tells of it: without its external labels."""
    told = {name: value for name, value in labels.items() if name != "cluster"}
    return AlertingRule("ShopFails", "x", active=(Active(told, {}, firing, CHANGED),))


def troubles(by: Rule = BY_INSTANCE) -> Troubles:
    """Collect for web2, which runs v1."""
    return Troubles(places(by, runs("v1")), CHANGED, NOW)


def test_over_for_the_ledger_and_firing_for_another():
    """It fires, and what was heard last counts."""
    found, over = troubles(), episode(alert(), over_ms=CHANGED + 60_000)
    found.of_rollback([over])
    assert [(one.firing, one.over_ms) for one in found.all()] == [(False, CHANGED + 60_000)]
    found.of_alertmanager([Firing(over.alert, silenced=True)])
    (one,) = found.all()
    assert (one.firing, one.heard_ms, one.over_ms, one.source) == (True, NOW, None, "Alertmanager")
    assert one.suppressed == "it is silenced"


@pytest.mark.parametrize(("firing", "heard_ms"), [(True, NOW), (False, CHANGED + 1_000)])
def test_what_prometheus_judges_is_the_same_alert(firing, heard_ms):
    """Without its external labels; what is only pending is not over, and was not heard."""
    found = troubles()
    found.of_rollback([episode(alert(), over_ms=CHANGED + 60_000)])
    found.of_prometheus([judged(firing, alert().labels)])
    (one,) = found.all()
    assert (one.fingerprint, one.firing, one.heard_ms, one.pending) == ("f2", True, heard_ms, not firing)


def test_what_prometheus_holds_as_pending_fires_for_who_heard_so():
    """The ledger's own alert is not over because another series of it is pending."""
    found = troubles()
    found.of_rollback([episode(alert(), over_ms=None)])
    found.of_prometheus([judged(False, alert().labels), judged(False, alert(version="v1").labels)])
    assert [(one.firing, one.pending) for one in found.all()] == [(True, False), (True, True)]


def test_another_alert_of_prometheus_is_ours_though_its_external_label_is_not_known():
    """The rule asks for it: the alert behind the rollback says what it is."""
    found = troubles()
    found.of_rollback([episode(alert(version="v2"), over_ms=CHANGED + 1)])
    found.of_prometheus([judged(True, alert(version="v1").labels), judged(True, alert(instance="web3").labels)])
    assert [one.firing for one in found.all()] == [False, True]


def test_other_open_alerts_count_where_they_are_ours():
    """Each once, and one that stands behind the rollback is told by its own episode."""
    found, own = troubles(), alert("f1")
    found.of_rollback([episode(own, over_ms=CHANGED + 1)])
    others = [own, alert("f3"), alert("f4", instance="web3")]
    found.of_ledger([Heard(OtherAlert(one, heard_ms=CHANGED + 2), {}) for one in others])
    assert [(one.fingerprint, one.firing) for one in found.all()] == [("f1", False), ("f3", True)]


def test_an_alert_of_the_service_that_goes_on_elsewhere():
    """Its release no longer runs here: it is over for this instance, since the change."""
    found, behind = troubles(OF_SERVICE), alert(instance="", version="v2")
    found.of_rollback([episode(behind, over_ms=None)])
    found.of_alertmanager([Firing(behind)])
    assert [(one.firing, one.over_ms) for one in found.all()] == [(False, CHANGED)]
    by_instance = troubles(BY_INSTANCE)
    by_instance.of_rollback([replace(episode(alert(version="v2"), over_ms=None))])
    assert [one.firing for one in by_instance.all()] == [True]


@pytest.mark.parametrize(
    ("listed", "judges", "unlisted"),
    [
        (None, None, False),
        ([], None, True),
        (["f3"], None, True),
        (["f2"], None, False),
        ([], False, True),
        ([], True, False),
    ],
    ids=[
        "nobody was asked", "it lists nothing", "it lists another", "it lists it", "Prometheus: pending",
        "Prometheus: firing",
    ],
)  # fmt: skip
def test_what_only_the_ledger_takes_to_fire_is_known_as_such(listed, judges, unlisted):
    """Its resolve may be lost: Alertmanager was asked and does not list it, nor does it fire for Prometheus."""
    found = troubles()
    found.of_rollback([episode(alert(), over_ms=None)])
    if listed is not None:
        found.of_alertmanager([Firing(alert(name, instance="web2")) for name in listed])
    if judges is not None:
        found.of_prometheus([judged(judges, alert().labels)])
    one = next(one for one in found.all() if one.fingerprint == "f2")
    assert (one.firing, one.unlisted) == (True, unlisted)


@pytest.mark.parametrize(
    ("by", "labels", "others_run", "shared"),
    [
        (OF_ALL, {"instance": ""}, True, True),
        (OF_ALL, {"instance": ""}, False, False),
        (OF_ALL, {"instance": "unheard-of"}, True, True),
        (OF_SERVICE, {"instance": "", "version": "v1"}, True, False),
        (BY_INSTANCE, {}, True, False),
        (None, {}, True, False),
    ],
)
def test_an_alert_of_the_whole_service_is_shared_while_others_run_the_release(by, labels, others_run, shared):
    """Not where it names the instance or its release, and not once all run another."""
    found = Troubles(places(by, runs("v1")), CHANGED, NOW)
    found.of_rollback([episode(alert(**labels), over_ms=None)])
    (one,) = found.all(others_run=others_run)
    assert (one.firing, one.shared) == (True, shared)


def test_an_alert_that_leads_to_one_instance_alone_is_not_shared():
    """The rule selects; the alert names all the same. One that cannot be placed now is not held against it."""
    found = Troubles(places(OF_ALL, runs("v1")), CHANGED, NOW)
    found.of_rollback([episode(alert(), over_ms=None)])
    assert [one.shared for one in found.all(others_run=True)] == [False]
    unsure = places(OF_ALL, runs("v1"), Transient(Reason.UNREACHABLE, "the cluster does not answer"))
    assert unsure.is_shared(alert())
