"""`explain` says what each rule would do for each alert, and why; as plain data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules.alerts import Alert
from rules.explain import explain
from rules.matchers import parse_matchers
from rules.observations import Observation, ReleaseSeen
from rules.rule import HostsTarget, KubernetesTarget, Mode, Rule, Target, When
from rules.ruleset import RuleSet
from rules.services import Host, Inventory, Restart, RestartKind, Service
from rules.templates import Template
from rules.to import Previous, Version

NOT_ASKED = "its guards were not asked: give what they need to know with --facts"
WEB1, WEB2 = "hosts/default/shop/web1", "hosts/default/shop/web2"
SHOP = Service(
    "shop",
    "/opt/shop/releases",
    "/opt/shop/current",
    Restart(RestartKind.SYSTEMD, unit="shop.service"),
    (Host("web1", "10.90.0.2", {"track": "stable"}), Host("web2", "10.90.0.3", {"track": "canary"})),
)
INVENTORY = Inventory({"shop": SHOP})
RELEASES = (ReleaseSeen("v1.2.0", (1, 2, 0)), ReleaseSeen("v1.3.0", (1, 3, 0)))
FACTS = {
    WEB1: Observation("v1.2.0", "a", 0, RELEASES),
    WEB2: Observation("v1.3.0", "b", 0, RELEASES),
}


def rule(
    name: str,
    mode: Mode = Mode.ACT,
    *,
    when: str = 'alertname="HighErrorRate"',
    instance: str | None = "{{ $labels.instance }}",
    running: str | None = None,
    to: tuple[Previous | Version, ...] = (Previous(),),
) -> Rule:
    hosts = HostsTarget(Template(instance) if instance else None)
    target = Target(hosts, Template("shop"), running=Template(running) if running else None)
    return Rule(name, When(parse_matchers(when)), target, to, mode=mode)


def alert(**labels: str) -> Alert:
    return Alert("c0ffee", "firing", {"alertname": "HighErrorRate", "instance": "web2:9100", **labels}, {}, 0)


def decisions(*rules: Rule, about: Alert | None = None, facts: Any = FACTS, **rest: Any) -> list[dict[str, Any]]:
    (answer,) = explain(RuleSet(rules), INVENTORY, [about or alert()], facts, **rest)
    said: list[dict[str, Any]] = answer["decisions"]
    return said


def brief(decision: dict[str, Any]) -> tuple[str, str, dict[str, str | None]]:
    assert decision["detail"]
    return decision["outcome"], decision["reason"], decision["instances"]


def test_the_answer_names_the_alert_and_every_rule() -> None:
    """It goes out as JSON."""
    answer = explain(RuleSet((rule("a"), rule("b", when='alertname="Other"'))), INVENTORY, [alert()], FACTS)
    assert json.loads(json.dumps(answer)) == [
        {
            "fingerprint": "c0ffee",
            "status": "firing",
            "labels": {"alertname": "HighErrorRate", "instance": "web2:9100"},
            "decisions": [
                {
                    "rule": "a",
                    "outcome": "roll-back",
                    "reason": "allowed",
                    "detail": f"rolls back shop on web2 to v1.2.0; {NOT_ASKED}",
                    "instances": {WEB2: "v1.2.0"},
                    "judgements": [],
                },
                {
                    "rule": "b",
                    "outcome": "no-match",
                    "reason": "no-match",
                    "detail": 'alertname="Other" does not hold: alertname is "HighErrorRate"',
                    "instances": {},
                    "judgements": [],
                },
            ],
        }
    ]


def test_without_facts_the_release_is_not_known_yet() -> None:
    """The instances are."""
    (said,) = decisions(rule("a"), facts=None)
    assert brief(said) == ("roll-back", "allowed", {WEB2: None})


def test_an_observing_rule_says_what_it_would_do() -> None:
    """And what would let it."""
    (said,) = decisions(rule("a", Mode.OBSERVE))
    assert brief(said) == ("observe", "observe-mode", {WEB2: "v1.2.0"})
    assert "`mode: act`" in said["detail"]


def test_the_first_rule_that_may_act_has_the_instance() -> None:
    """The others get another-rule-first."""
    first, second = decisions(rule("a"), rule("b"))
    assert brief(first)[:2] == ("roll-back", "allowed")
    assert brief(second) == ("refuse", "another-rule-first", {WEB2: None})
    assert "shop on web2 belongs to rule a" in second["detail"]


def about_workloads(name: str = "k", mode: Mode = Mode.ACT, running: str | None = None, **texts: str) -> Rule:
    within = KubernetesTarget(**{key: Template(text) for key, text in texts.items()})
    target = Target(kubernetes=within, only={"track": ("canary",)}, running=Template(running) if running else None)
    return Rule(name, When(parse_matchers('alertname="HighErrorRate"')), target, (Previous(),), mode=mode)


WEB = "kubernetes/eu/shop/deployment/web"
LATEST = "its tag latest may have moved"
OF_WEB = (ReleaseSeen("v1+a", (1,), note=LATEST), ReleaseSeen("v2+b", (2,), aliases=("v2",)))
IN_CLUSTER = {WEB: Observation("v2+b", "x", 0, OF_WEB)}


def test_without_facts_it_says_what_would_be_looked_for() -> None:
    """The cluster is not asked, and has the last word."""
    (said,) = decisions(about_workloads(), about=alert(namespace="shop", pod="web-1"), facts=None, clusters=["eu"])
    assert brief(said) == ("roll-back", "allowed", {})
    assert said["detail"] == (
        "rolls back whatever owns pod web-1 in shop (cluster eu), provided that its pods carry track=canary "
        f"and pod web-1 is of its newest revision; {NOT_ASKED}"
    )


def test_a_workload_that_is_named_in_full_is_the_instance() -> None:
    """With facts, its release is named, and which tags may move."""
    about = alert(namespace="shop", deployment="web")
    (said,) = decisions(about_workloads(), about=about, facts=None, clusters=["eu"])
    assert brief(said) == ("roll-back", "allowed", {WEB: None})
    (said,) = decisions(about_workloads(), about=about, facts=IN_CLUSTER)
    assert brief(said) == ("roll-back", "allowed", {WEB: "v1+a"})
    assert f"v1+a: {LATEST}" in said["detail"]


def test_a_workload_that_runs_something_else_is_left_alone() -> None:
    """Any of the words for its release will do."""
    rule = about_workloads(running="{{ $labels.version }}")
    for version, reason in (("v2", "allowed"), ("v2+b", "allowed"), ("v1", "stale")):
        about = alert(namespace="shop", deployment="web", version=version)
        (said,) = decisions(rule, about=about, facts=IN_CLUSTER)
        assert said["reason"] == reason


SAID = {
    "nothing": ({}, "refuse", "workload-unknown"),
    "no workload": ({"namespace": "shop"}, "refuse", "workload-unknown"),
    "two": ({"namespace": "shop", "deployment": "web", "statefulset": "db"}, "hold", "instance-ambiguous"),
    "a Job": ({"namespace": "shop", "owner_kind": "Job", "owner_name": "x"}, "refuse", "workload-unknown"),
    "no name": ({"namespace": "shop", "pod": "../x"}, "refuse", "label-illegal"),
    "an unknown cluster": (
        {"namespace": "shop", "pod": "x", "cluster": "us"},
        "refuse",
        "cluster-unknown",
    ),
}


@pytest.mark.parametrize(("labels", "outcome", "reason"), SAID.values(), ids=SAID)
def test_what_no_cluster_needs_to_be_asked_for(labels: dict[str, str], outcome: str, reason: str) -> None:
    """Is said at once."""
    (said,) = decisions(about_workloads(), about=alert(**labels), facts=None, clusters=["eu"])
    assert brief(said) == (outcome, reason, {})


def test_rules_about_hosts_and_workloads_stand_side_by_side() -> None:
    """Each takes its own; of two about one workload the first has it."""
    about = alert(namespace="shop", deployment="web")
    said = decisions(rule("a"), about_workloads("b"), about_workloads("c"), about=about, facts=None)
    assert [each["reason"] for each in said] == ["allowed", "allowed", "another-rule-first"]


def test_an_observing_rule_takes_no_instance() -> None:
    """It stands in nobody's way, and nobody stands in its."""
    said = decisions(rule("a", Mode.OBSERVE), rule("b"), rule("c", Mode.OBSERVE))
    assert [each["outcome"] for each in said] == ["observe", "roll-back", "observe"]


def test_a_later_rule_keeps_what_no_earlier_one_has() -> None:
    """Instance by instance."""
    _, every = decisions(rule("a"), rule("b", instance=None, to=(Version("v1.3.0"), Version("v1.2.0"))))
    assert brief(every) == ("roll-back", "allowed", {WEB1: "v1.3.0"})
    assert "belongs to rule a" in every["detail"]


def test_a_rule_whose_release_does_not_run_takes_no_instance() -> None:
    """It is about something else."""
    first, second = decisions(rule("a", running="{{ $labels.version }}"), rule("b"), about=alert(version="v9"))
    assert brief(first) == ("refuse", "stale", {})
    assert brief(second)[0] == "roll-back"


def test_trap_1_a_resolved_alert_is_not_acted_on() -> None:
    """Whatever the group's status says, each alert has its own."""
    resolved = Alert("c0ffee", "resolved", alert().labels, {}, 0)
    (said,) = decisions(rule("a"), about=resolved)
    assert brief(said) == ("no-match", "not-firing", {})


def test_without_a_release_to_go_back_to_it_holds() -> None:
    """Each one that was considered says why not."""
    (said,) = decisions(rule("a"), about=alert(instance="web1"))
    assert brief(said) == ("hold", "no-candidate", {WEB1: None})
    assert "v1.3.0 is newer than v1.2.0" in said["detail"]


def test_a_release_just_left_is_no_candidate() -> None:
    """The ledger knows which those are."""
    (said,) = decisions(rule("a"), left={WEB2: frozenset({"v1.2.0"})})
    assert brief(said) == ("hold", "no-candidate", {WEB2: None})


@pytest.mark.parametrize("mode", list(Mode))
def test_an_instance_that_cannot_be_told_is_refused_in_any_mode(mode: Mode) -> None:
    """An observing rule shows it before it matters."""
    (said,) = decisions(rule("a", mode), about=alert(instance="web9:9100"))
    assert brief(said) == ("refuse", "host-unknown", {})


def test_an_instance_nobody_looked_at_is_left_open() -> None:
    """Facts about some are no facts about others."""
    (said,) = decisions(rule("a"), facts={WEB1: FACTS[WEB1]})
    assert brief(said) == ("roll-back", "allowed", {WEB2: None})
    assert "shop on web2 was not looked at" in said["detail"]


@pytest.mark.parametrize(
    ("when", "detail"),
    [
        ('severity="critical"', 'severity="critical" does not hold: there is no severity'),
        ('instance!~"web2.*"', 'instance!~"web2.*" does not hold: instance is "web2:9100"'),
    ],
)
def test_a_rule_that_does_not_match_names_the_matcher(when: str, detail: str) -> None:
    """The first that does not hold, and what the alert has instead."""
    (said,) = decisions(rule("a", when=when))
    assert (said["outcome"], said["detail"]) == ("no-match", detail)


def test_a_rule_that_fails_on_its_alternatives_says_so() -> None:
    """There is no single matcher to name."""
    alternatives = When((), (parse_matchers('a="1"'), parse_matchers('b="2"')))
    (said,) = decisions(Rule("a", alternatives, Target(HostsTarget()), (Previous(),), mode=Mode.ACT))
    assert said["detail"] == "none of the lists under `any` matches"
