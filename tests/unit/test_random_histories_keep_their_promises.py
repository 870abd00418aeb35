"""Whatever happened before: what is never done, for random histories, as `rules explain --facts` answers them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from rules.alerts import Alert
from rules.decisions import Outcome, Reason
from rules.explain import explain
from rules.factsfile import parse_facts
from rules.inventory import parse_inventory
from rules.rulefile import parse_rules

RULES = parse_rules(
    """
version: rules/v1
rules:
  - name: canary
    mode: act
    when: {matchers: ['alertname="Errors"']}
    target: {hosts: {instance: "{{ $labels.instance }}"}, only: {track: canary}}
  - name: any
    mode: act
    when: {matchers: ['alertname=~"Errors|Slow"']}
    target: {hosts: {instance: "{{ $labels.instance }}"}}
    to: [previous]
""",
    "rules.yaml",
)
HOSTS = ("web1", "web2", "web3", "web4")
CANARIES = ("web1", "web2")
LISTED = ", ".join(
    f"{{name: {host}, address: 10.0.0.{at}, labels: {{track: {'canary' if host in CANARIES else 'stable'}}}}}"
    for at, host in enumerate(HOSTS, start=1)
)
INVENTORY = parse_inventory(
    f"""
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {{systemd: shop.service}}
    hosts: [{LISTED}]
""",
    "inventory.yaml",
)
RELEASES = ("v1", "v2", "v3", "v4")
NOW_MS = 1_795_230_000_000
PREFIX = "hosts/default/shop/"

YES = (True,) * 9
usually = st.sampled_from([*YES, False])
seldom = st.sampled_from([*(not one for one in YES), True])
times = st.sampled_from(["-20m", "-20m", "-20m", "-31m", "-90m", "-10m", "-6m", "-3m", "-9d", "-3h", "-1m", "+5m"])
marks = st.sampled_from(["known-good", "known-good", "known-good", "unknown", "suspect", "known-bad"])


@st.composite
def instances(draw: st.DrawFn) -> dict[str, Any]:
    """Make one host: what it has, what runs, since when and by whose hand."""
    present = [name for name in RELEASES if draw(usually)]
    one: dict[str, Any] = {"releases": present}
    if present and draw(usually):
        one["running"] = draw(st.sampled_from([present[-1], present[-1], *present]))
    if draw(usually):
        one["arrived"] = draw(st.one_of(times, times, times, st.just({"after": "-40m", "by": "-5m"})))
    one["brought-by"] = draw(st.sampled_from(["deploy"] * 8 + ["rollback", "person"]))
    one["left"] = draw(st.lists(st.sampled_from(RELEASES), max_size=1)) if draw(seldom) else []
    one["healthy"] = draw(usually)
    one["scraped"] = draw(usually)
    if draw(seldom):
        one["last-rolled-back"] = draw(st.sampled_from(["-10m", "-29m", "-31m", "-5h"]))
    return one


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    """Make a whole facts file."""
    releases = [
        {"version": name, "mark": draw(marks), "irreversible": draw(seldom), "passed_smoke_test": draw(usually)}
        for name in RELEASES
    ]
    starts = draw(st.lists(st.sampled_from(["-5m", "-30m", "-50m", "-3h", "-20h"]), max_size=8))
    return {
        "version": "facts/v1",
        "services": {"shop": {"releases": releases}},
        "instances": {host: draw(instances()) for host in HOSTS},
        "rollbacks": [
            {"rule": draw(st.sampled_from(["canary", "any"])), "service": f"s{at}", "at": began, "release": "x"}
            for at, began in enumerate(starts if draw(seldom) else [])
        ],
        "pauses": ["service shop"] if draw(seldom) else [],
    }


alerts = st.lists(
    st.tuples(st.sampled_from(["Errors", "Slow"]), st.sampled_from(HOSTS), st.integers(0, 15)),
    min_size=1,
    max_size=2,
    unique_by=lambda one: one[:2],
)
many = settings(max_examples=150)


def answered(history: dict[str, Any], fired: list[tuple[str, str, int]]) -> list[dict[str, Any]]:
    told = tuple(
        Alert(f"{at:016x}", "firing", {"alertname": name, "instance": host}, {}, NOW_MS - minutes * 60_000)
        for at, (name, host, minutes) in enumerate(fired, start=1)
    )
    world = parse_facts(json.dumps(history), "facts.json").world(INVENTORY, told, now_ms=NOW_MS)
    return explain(RULES, INVENTORY, told, world=world)


def going(entries: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return who goes back by which rule, and to what."""
    return [
        (decision["rule"], instance.removeprefix(PREFIX), release)
        for entry in entries
        for decision in entry["decisions"]
        if decision["outcome"] == Outcome.ROLL_BACK
        for instance, release in decision["instances"].items()
        if release is not None
    ]


@many
@given(histories(), alerts)
def test_where_it_never_goes(history: dict[str, Any], fired: list[tuple[str, str, int]]) -> None:
    """Never to a bad release, past a door that goes one way, forward, to what runs, or to what was just left."""
    about = {release["version"]: release for release in history["services"]["shop"]["releases"]}
    for rule, host, to in going(answered(history, fired)):
        event(f"{rule} goes back")
        instance = history["instances"][host]
        present, running = instance["releases"], instance["running"]
        assert to in present
        assert present.index(to) < present.index(running)
        assert about[to]["mark"] != "known-bad"
        assert about[to]["passed_smoke_test"]
        assert to not in instance["left"]
        between = RELEASES[RELEASES.index(to) + 1 : RELEASES.index(running) + 1]
        assert not any(about[name]["irreversible"] for name in between)
        if rule == "canary":
            assert about[to]["mark"] == "known-good"


@many
@given(histories(), alerts)
def test_when_it_never_goes(history: dict[str, Any], fired: list[tuple[str, str, int]]) -> None:
    """Never outside the rule's scope, on our own hand, in a cooldown, over a limit, paused, blind or unknown."""
    hour = {"-5m", "-30m", "-50m"}
    hosts = {host for _, host, _ in fired}
    for rule, host, _ in going(answered(history, fired)):
        instance = history["instances"][host]
        assert host in hosts
        assert rule == "any" or host in CANARIES
        assert instance["brought-by"] == "deploy"
        assert instance["scraped"]
        assert instance["arrived"] not in ("-9d", "+5m")
        assert instance.get("last-rolled-back") not in ("-10m", "-29m")
        assert history["pauses"] == []
        assert sum(one["rule"] == rule and one["at"] in hour for one in history["rollbacks"]) < 3
        assert sum(one["rule"] == rule for one in history["rollbacks"]) < 7


@many
@given(histories(), alerts)
def test_every_answer_has_one_reason(history: dict[str, Any], fired: list[tuple[str, str, int]]) -> None:
    """Of the closed list; the same facts give the same answer, and one instance one rule that acts."""
    entries = answered(history, fired)
    assert entries == answered(history, fired)
    for entry in entries:
        assert [decision["rule"] for decision in entry["decisions"]] == ["canary", "any"]
        acting: list[str] = []
        for decision in entry["decisions"]:
            event(f"{decision['outcome']} {decision['reason']}")
            assert Outcome(decision["outcome"])
            assert Reason(decision["reason"])
            assert decision["detail"]
            acting += [i for i, to in decision["instances"].items() if to is not None]
        assert len(acting) == len(set(acting))


@many
@given(histories(), alerts)
def test_never_more_than_a_share(history: dict[str, Any], fired: list[tuple[str, str, int]]) -> None:
    """Of one release of four hosts, one goes back at a time: 34% of four, rounded down."""
    together: dict[tuple[str, str], set[str]] = {}
    for rule, host, _ in going(answered(history, fired)):
        together.setdefault((rule, history["instances"][host]["running"]), set()).add(host)
    assert all(len(hosts) == 1 for hosts in together.values())
