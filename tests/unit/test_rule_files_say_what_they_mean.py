"""A rule file is read into rules: defaults are filled in, and a rule is identified by what it means."""

from __future__ import annotations

import json

import pytest

from rules.limits import Affected, CausedByRelease, Compare, Condition, Guards, Limits, Waves
from rules.rule import Gitops, KubernetesTarget, OnIneffective, Pin, Pods, Restore, WhenPaused
from rules.rulefile import Mode, Previous, RuleSet, Version, parse_rules
from rules.to import LastKnownGood, SameAs, ScaleToZero, Stable

SHORT = """
version: rules/v1
rules:
  - name: canary-errors
    when: {matchers: ['alertname="HighErrorRate"']}
    target: {hosts: {instance: "{{ $labels.instance }}"}}
    to: [previous]
"""

FULL = """
version: rules/v1
rules:
  - name: canary-errors
    description: The canary answers with errors.
    mode: act
    when:
      matchers: ['{alertname=~"A|B", severity="critical"}']
      any: [{matchers: [team="a"]}, {matchers: [team="b", page!=""]}]
    target:
      hosts: {instance: "{{ $labels.instance }}"}
      service: "{{ $labels.service }}"
      only: {track: canary, region: [eu-1, eu-2]}
      except: {pinned: "true"}
      running: "{{ $labels.version }}"
    to: [{version: v1.2.2}, previous]
    before: {evidence: {logs: 1h}}
    verify:
      healthy-within: 1m
      steady: 5s
      cleared-within: 1h30m
      check: [{promql: 'orders{job="{{ $labels.job }}"}', is: "> 0", for: 5m}, {promql: up, is: "== 1"}]
      on-ineffective: undo
    retry: {attempts: 3, initial: 500ms, factor: 1.5, max: 10s}
"""


GUARDED = """
version: rules/v1
rules:
  - name: canary-errors
    mode: ask
    when:
      matchers: ['alertname="HighErrorRate"']
      unless: {matchers: ['alertname="PostgresDown"', dc="eu"], equal: [cluster, env]}
      also: {matchers: ['alertname=~"ProbeFailing|ProbeSlow"'], equal: [instance], within: 10m}
      for: 30s
      alert-for: 5m
    target:
      kubernetes: {selector: {app: web}}
      arrived-within: 90m
    to: [last-known-good, stable]
    before:
      require:
        - {name: replica lag, promql: 'max(lag_seconds{job="{{ $labels.job }}"})', is: "< 30"}
        - {name: not full, promql: disk_free_ratio, is: ">= 0.125"}
    guards:
      caused-by-release:
        within: 3h
        skew: 30s
        compare: {by: version, query: 'sum by (version) (rate(errors_total[5m]))', at-least: 2.5x}
      cooldown: 10m
      limits: {per-hour: 2, per-day: 5}
      affected: {max: 4, max-share: 33.3%, min-healthy: 60%}
      freeze: [christmas, week-end]
      gitops: pause
    waves: {by: cluster, steps: [1, 50%, 75%]}
    notify: [oncall, shop]
"""


WORKLOADS = """
version: rules/v1
rules:
  - name: canary-errors
    mode: act
    when: {matchers: ['alertname="HighErrorRate"']}
    target:
      kubernetes:
        cluster: eu
        namespace: "{{ $labels.namespace }}"
        workload: "deployment/{{ $labels.app }}"
        selector: {app.kubernetes.io/part-of: shop}
        pods: any
        when-paused: resume
      service: shop
      only: {track: [canary, beta]}
    to: [previous, {version: "sha256:0123"}, {same-as: {track: stable, zone: [a, b]}}, scale-to-zero]
    restore: images
    pin: never
    guards: {gitops: force}
"""


def one(text: str) -> RuleSet:
    ruleset = parse_rules(text, "rules.yaml")
    assert len(ruleset.rules) == 1
    return ruleset


def test_what_is_left_out_has_a_safe_default():
    """A short rule observes, goes back to what is known to be good, and is guarded as the reference says."""
    (rule,) = one(SHORT.replace("    to: [previous]\n", "")).rules
    assert rule.mode is Mode.OBSERVE
    assert rule.to == (LastKnownGood(),)
    assert (rule.guards, rule.waves) == (Guards(), Waves())
    assert rule.expanded() == {
        "name": "canary-errors",
        "description": "",
        "mode": "observe",
        "when": {"matchers": ['alertname="HighErrorRate"'], "for": "0s"},
        "target": {"hosts": {"instance": "{{ $labels.instance }}"}},
        "to": ["last-known-good"],
        "before": {"require": [], "evidence": {"logs": "30m"}},
        "guards": {
            "caused-by-release": {"within": "2h", "skew": "2m"},
            "cooldown": "30m",
            "limits": {"per-hour": 3, "per-day": 7},
            "affected": {"max": 10, "max-share": "34%", "min-healthy": "50%"},
            "freeze": [],
        },
        "waves": [1, "50%", "100%"],
        "verify": {
            "healthy-within": "5m",
            "steady": "10s",
            "cleared-within": "auto",
            "check": [],
            "on-ineffective": "hold",
        },
        "retry": {"attempts": 5, "initial": "2s", "factor": 2.0, "max": "2m"},
        "notify": [],
    }


def test_every_field_is_read():
    """What is written is what the rule holds; durations are seconds."""
    (rule,) = one(FULL).rules
    assert rule.mode is Mode.ACT
    assert [str(matcher) for matcher in rule.when.matchers] == ['alertname=~"A|B"', 'severity="critical"']
    assert [len(matchers) for matchers in rule.when.any_of] == [1, 2]
    assert rule.target.only == {"track": ("canary",), "region": ("eu-1", "eu-2")}
    assert rule.target.except_ == {"pinned": ("true",)}
    assert rule.to == (Version("v1.2.2"), Previous())
    assert rule.evidence_logs_s == 3600
    assert (rule.verify.healthy_within_s, rule.verify.steady_s, rule.verify.cleared_within_s) == (60, 5, 5400)
    assert [(one.promql, str(one.is_), one.for_s) for one in rule.verify.checks] == [
        ('orders{job="{{ $labels.job }}"}', "> 0", 300),
        ("up", "== 1", 0),
    ]
    assert rule.verify.on_ineffective is OnIneffective.UNDO
    assert (rule.retry.attempts, rule.retry.initial_s, rule.retry.factor, rule.retry.max_s) == (3, 0.5, 1.5, 10)
    assert rule.source == "rules.yaml:4"


def test_every_guard_is_read():
    """Into values that the guards ask; shares are of 1."""
    (rule,) = one(GUARDED).rules
    assert rule.mode is Mode.ASK
    unless, also = rule.when.unless, rule.when.also
    assert [str(matcher) for matcher in unless.matchers] == ['alertname="PostgresDown"', 'dc="eu"']
    assert (unless.equal, unless.within_s) == (("cluster", "env"), None)
    assert (str(also.matchers[0]), also.equal) == ('alertname=~"ProbeFailing|ProbeSlow"', ("instance",))
    assert (also.within_s, rule.when.for_s, rule.when.alert_for_s) == (600, 30, 300)
    assert rule.target.arrived_within_s == 5400
    assert rule.to == (LastKnownGood(), Stable())
    lag, full = rule.require
    assert (lag.name, lag.is_, full.is_) == ("replica lag", Condition("<", 30), Condition(">=", 0.125))
    assert lag.promql == 'max(lag_seconds{job="{{ $labels.job }}"})'
    compare = Compare("version", "sum by (version) (rate(errors_total[5m]))", 2.5)
    assert rule.guards == Guards(
        CausedByRelease(10_800, 30, compare), 600, Limits(2, 5), Affected(4, 0.333, 0.6), ("christmas", "week-end")
    )
    assert rule.gitops is Gitops.PAUSE
    assert rule.waves == Waves((1, 0.5, 0.75), "cluster")
    assert rule.notify == ("oncall", "shop")


def test_a_guard_is_switched_off_by_a_word():
    """In quotes or not: here it can only mean one thing. A cooldown of nothing is none."""
    for word in ("off", '"off"'):
        (rule,) = one(f"{SHORT}    guards: {{caused-by-release: {word}, cooldown: 0s}}\n").rules
        assert (rule.guards.caused_by_release, rule.guards.cooldown_s) == (None, 0)
        assert rule.expanded()["guards"]["caused-by-release"] == "off"


def test_a_limit_for_the_day_alone_binds_each_hour():
    """A day that allows one campaign allows none more in an hour."""
    (rule,) = one(f"{SHORT}    guards: {{limits: {{per-day: 1}}}}\n").rules
    assert rule.guards.limits == Limits(1, 1)


@pytest.mark.parametrize("text", [SHORT, FULL, WORKLOADS, GUARDED], ids=["short", "full", "workloads", "guarded"])
def test_the_expanded_rule_reads_back_as_itself(text):
    """What `rules explain --expanded` prints is a rule of the same meaning."""
    (rule,) = one(text).rules
    again = one(json.dumps({"version": "rules/v1", "rules": [rule.expanded()]})).rules[0]
    assert again == rule
    assert again.digest == rule.digest


def test_any_stands_beside_matchers():
    """All of `matchers` must hold, and at least one list of `any`."""
    when = one(FULL).rules[0].when
    base = {"alertname": "A", "severity": "critical"}
    assert when.matches({**base, "team": "a"})
    assert when.matches({**base, "team": "b", "page": "x"})
    assert not when.matches({**base, "team": "b"})
    assert not when.matches(base)
    assert not when.matches({"alertname": "A", "team": "a"})


def test_defaults_are_inherited_key_by_key():
    """Mappings are merged; lists and single values are replaced."""
    text = """
version: rules/v1
defaults:
  mode: act
  to: [previous]
  target: {hosts: {instance: "{{ $labels.instance }}"}, only: {track: canary}}
  verify: {healthy-within: 1m, steady: 3s}
rules:
  - name: a
    when: {matchers: [alertname="A"]}
    target: {only: {region: eu}}
    verify: {steady: 1s}
  - name: b
    mode: observe
    when: {matchers: [alertname="B"]}
    target: {only: {track: [beta]}}
    to: [{version: v1}]
"""
    a, b = parse_rules(text, "rules.yaml").rules
    assert a.mode is Mode.ACT
    assert a.to == (Previous(),)
    assert a.target.only == {"track": ("canary",), "region": ("eu",)}
    assert (a.verify.healthy_within_s, a.verify.steady_s) == (60, 1)
    assert b.mode is Mode.OBSERVE
    assert b.to == (Version("v1"),)
    assert b.target.only == {"track": ("beta",)}


def test_guards_are_inherited_key_by_key():
    """Down to the last mapping; a list, or `off`, replaces what is inherited."""
    text = """
version: rules/v1
defaults:
  target: {kubernetes: {}}
  notify: [oncall]
  waves: [2, 100%]
  guards:
    caused-by-release: {within: 1h, compare: {by: version, query: errors}}
    limits: {per-hour: 1, per-day: 2}
    affected: {max: 5}
rules:
  - name: a
    when: {matchers: [alertname="A"]}
    guards: {caused-by-release: {skew: 0s, compare: {at-least: 5x}}, affected: {max-share: 100%}}
  - name: b
    when: {matchers: [alertname="B"]}
    guards: {caused-by-release: off, limits: {per-day: 9}}
    waves: {by: cluster}
    notify: []
"""
    a, b = parse_rules(text, "rules.yaml").rules
    assert a.guards.caused_by_release == CausedByRelease(3600, 0, Compare("version", "errors", 5))
    assert a.guards.affected == Affected(5, 1.0, 0.5)
    assert (a.waves, a.notify) == (Waves((2, 1.0)), ("oncall",))
    assert b.guards.caused_by_release is None
    assert b.guards.limits == Limits(1, 9)
    assert (b.waves, b.notify) == (Waves(by="cluster"), ())


SAME = {
    "a comment": SHORT.replace("rules:\n", "rules:   # all of them\n"),
    "other lines": f"\n\n{SHORT}",
    "another layout": """{"version": "rules/v1", "rules": [{"to": ["previous"], "name": "canary-errors",
       "target": {"hosts": {"instance": "{{ $labels.instance }}"}},
       "when": {"matchers": ["alertname = HighErrorRate"]}}]}""",
    "a default written out": SHORT.replace("to:", "mode: observe\n    retry: {attempts: 5}\n    to:"),
    "inherited instead of written": SHORT.replace("    to: [previous]\n", "").replace(
        "rules:\n", "defaults: {to: [previous]}\nrules:\n"
    ),
    "a description": SHORT.replace("to:", "description: For people.\n    to:"),
    "an equal duration": SHORT.replace("to:", "verify: {steady: 10000ms}\n    to:"),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_the_digest_does_not_see_how_a_rule_is_written(text):
    """Two rules of the same meaning have one digest."""
    assert one(text).rules[0].digest == one(SHORT).rules[0].digest


def test_the_digest_does_not_see_an_order_that_means_nothing():
    """Neither matchers nor the values of `only` are in an order."""
    one_list, other_list = '{matchers: [team="a"]}', '{matchers: [team="b", page!=""]}'
    turned = (
        FULL.replace("[eu-1, eu-2]", "[eu-2, eu-1]")
        .replace('{alertname=~"A|B", severity="critical"}', '{severity="critical", alertname=~"A|B"}')
        .replace(f"{one_list}, {other_list}", f'{{matchers: [page!="", team="b"]}}, {one_list}')
    )
    assert turned != FULL
    assert one(turned).rules[0].digest == one(FULL).rules[0].digest


def test_the_digest_does_not_see_the_order_of_names_and_signals():
    """Windows, channels, labels and matchers of another alert are sets; requirements and waves are in order."""
    turned = (
        GUARDED.replace("[christmas, week-end]", "[week-end, christmas]")
        .replace("[oncall, shop]", "[shop, oncall]")
        .replace("[cluster, env]", "[env, cluster]")
        .replace("""'alertname="PostgresDown"', dc="eu\"""", """dc="eu", 'alertname="PostgresDown"'""")
    )
    assert one(turned).rules[0].when.unless != one(GUARDED).rules[0].when.unless
    assert one(turned).rules[0].digest == one(GUARDED).rules[0].digest


GUARD_CHANGES = [
    ("mode: ask", "mode: act"),
    ("PostgresDown", "MySQLDown"),
    ("equal: [cluster, env]", "equal: [cluster]"),
    ("ProbeFailing|", ""),
    ("within: 10m", "within: 11m"),
    ("for: 30s", "for: 31s"),
    ("alert-for: 5m", "alert-for: 6m"),
    ("arrived-within: 90m", "arrived-within: 2h"),
    ("last-known-good, stable", "last-known-good"),
    ("replica lag", "lag"),
    ('is: "< 30"', 'is: "<= 30"'),
    ("disk_free_ratio", "disk_ratio"),
    ("within: 3h", "within: 4h"),
    ("skew: 30s", "skew: 31s"),
    ("by: version", "by: release"),
    ("errors_total", "failures_total"),
    ("2.5x", "3x"),
    ("cooldown: 10m", "cooldown: 0s"),
    ("per-hour: 2", "per-hour: 1"),
    ("per-day: 5", "per-day: 6"),
    ("max: 4", "max: 5"),
    ("33.3%", "33.4%"),
    ("60%", "61%"),
    ("[christmas, week-end]", "[christmas]"),
    ("gitops: pause", "gitops: refuse"),
    ("by: cluster, ", ""),
    ("75%", "100%"),
    ("notify: [oncall, shop]", "notify: [oncall]"),
]


@pytest.mark.parametrize(("old", "new"), GUARD_CHANGES)
def test_the_digest_sees_every_change_of_a_guard(old, new):
    """A rule that is allowed more is another rule."""
    assert old in GUARDED
    assert one(GUARDED.replace(old, new)).rules[0].digest != one(GUARDED).rules[0].digest


def test_a_rule_about_workloads_is_read():
    """Every field that Kubernetes has of its own."""
    (rule,) = one(WORKLOADS).rules
    within = rule.target.kubernetes
    assert rule.target.hosts is None
    assert (within.cluster.text, within.namespace.text) == ("eu", "{{ $labels.namespace }}")
    assert within.workload.text == "deployment/{{ $labels.app }}"
    assert within.selector == {"app.kubernetes.io/part-of": "shop"}
    assert (within.pods, within.when_paused) == (Pods.ANY, WhenPaused.RESUME)
    same = SameAs({"track": ("stable",), "zone": ("a", "b")})
    assert rule.to == (Previous(), Version("sha256:0123"), same, ScaleToZero())
    assert (rule.restore, rule.pin, rule.gitops) == (Restore.IMAGES, Pin.NEVER, Gitops.FORCE)


def test_the_shortest_rule_about_workloads_is_safe():
    """It observes, takes what the alert names, and leaves alone what somebody else reconciles or paused."""
    (rule,) = one(SHORT.replace('{hosts: {instance: "{{ $labels.instance }}"}}', "{kubernetes: {}}")).rules
    assert rule.target.kubernetes == KubernetesTarget()
    assert (rule.restore, rule.pin, rule.gitops) == (Restore.AUTO, Pin.AUTO, Gitops.REFUSE)
    assert rule.expanded()["target"] == {"kubernetes": {"pods": "updated", "when-paused": "hold"}}
    assert rule.expanded()["guards"]["gitops"] == "refuse"


def test_every_workload_is_written_on_purpose():
    """A star, and no empty mapping."""
    text = SHORT.replace('{hosts: {instance: "{{ $labels.instance }}"}}', '{kubernetes: {selector: "*"}}')
    assert one(text).rules[0].target.kubernetes.selector == {}


WORKLOAD_CHANGES = [
    ("cluster: eu", "cluster: us"),
    ("{{ $labels.namespace }}", "shop"),
    ("deployment/", ""),
    ("part-of: shop", "part-of: cart"),
    ("pods: any", "pods: updated"),
    ("when-paused: resume", "when-paused: hold"),
    ("zone: [a, b]", "zone: [a]"),
    (", scale-to-zero", ""),
    ("restore: images", "restore: template"),
    ("pin: never", "pin: auto"),
    ("gitops: force", "gitops: refuse"),
]


@pytest.mark.parametrize(("old", "new"), WORKLOAD_CHANGES)
def test_the_digest_sees_every_change_of_a_rule_about_workloads(old, new):
    """As for hosts."""
    assert one(WORKLOADS.replace(old, new)).rules[0].digest != one(WORKLOADS).rules[0].digest


CHANGES = [
    ("canary-errors", "canary-error"),
    ("mode: act", "mode: observe"),
    ('severity="critical"', 'severity="warning"'),
    ("alertname=~", "alertname!~"),
    ('team="a"', 'team="c"'),
    ("{{ $labels.instance }}", "{{ $labels.host }}"),
    ("{{ $labels.service }}", "shop"),
    ("track: canary", "track: stable"),
    ("eu-1, eu-2", "eu-1"),
    ('pinned: "true"', 'pinned: "yes"'),
    ("{{ $labels.version }}", "{{ $labels.release }}"),
    ("{version: v1.2.2}, previous", "previous, {version: v1.2.2}"),
    ("v1.2.2", "v1.2.3"),
    ("logs: 1h", "logs: 2h"),
    ("healthy-within: 1m", "healthy-within: 2m"),
    ("steady: 5s", "steady: 6s"),
    ("1h30m", "1h31m"),
    ("attempts: 3", "attempts: 4"),
    ("initial: 500ms", "initial: 501ms"),
    ("factor: 1.5", "factor: 1.6"),
    ("max: 10s", "max: 11s"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_the_digest_sees_every_change_of_meaning(old, new):
    """Whatever changes what a rule does changes its digest."""
    changed = one(FULL.replace(old, new)).rules[0]
    assert changed.digest != one(FULL).rules[0].digest


def test_a_rule_is_found_by_its_digest():
    """A rollback finds the rule that opened it, as long as it means the same."""
    ruleset = one(FULL)
    assert ruleset.by_digest(ruleset.rules[0].digest) is ruleset.rules[0]
    assert ruleset.by_digest("0" * 16) is None


def test_anchors_stand_for_what_they_name():
    """Plain anchors and aliases work."""
    text = SHORT.replace("{hosts:", "&canary {hosts:") + SHORT.split("rules:\n")[1].replace(
        "canary-errors", "other"
    ).replace('{hosts: {instance: "{{ $labels.instance }}"}}', "*canary")
    first, second = parse_rules(text, "rules.yaml").rules
    assert first.target == second.target
