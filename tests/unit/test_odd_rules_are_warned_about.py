"""Rules that are allowed but odd are named, at the rule, and the file is used all the same."""

from __future__ import annotations

import json

import pytest

from rules.reading.surroundings import Surroundings
from rules.rulefile import RuleFileErrors, combine, parse_rules

HEAD = "version: rules/v1\ndefaults: {mode: act, to: [previous]}\nrules:\n"
AT_INSTANCE = '{hosts: {instance: "{{ $labels.instance }}"}}'


def rule(name: str, when: str, target: str = AT_INSTANCE, more: str = "") -> str:
    return f"  - name: {name}\n    when: {when}\n    target: {target}\n{more}"


def matchers(*texts: str) -> str:
    return "{matchers: [" + ", ".join(f"'{text}'" for text in texts) + "]}"


def warnings(*rules: str) -> list[str]:
    return [str(warning) for warning in parse_rules(HEAD + "".join(rules), "r.yaml").warnings]


def test_a_careful_rule_has_no_warning():
    """A rule that names its alerts and its instance."""
    assert warnings(rule("a", matchers('alertname="A"'))) == []


@pytest.mark.parametrize("matcher", ['severity!="info"', 'a=~".*"', 'a=""', "{}", ""])
def test_a_rule_about_every_alert(matcher):
    """Matchers that hold for an alert without labels hold for nearly every alert."""
    (found,) = warnings(rule("a", matchers(matcher)))
    assert found.startswith("r.yaml:4:11: `a` matches every alert, even one without labels")


def test_a_rule_about_every_alert_is_written_as_one():
    """And means the same when it is read again."""
    (found,) = parse_rules(HEAD + rule("a", matchers("")), "r.yaml").rules
    again = parse_rules(json.dumps({"version": "rules/v1", "rules": [found.expanded()]}), "again.yaml")
    assert found.expanded()["when"]["matchers"] == ["{}"]
    assert [one.digest for one in again.rules] == [found.digest]


@pytest.mark.parametrize(
    "pair",
    [('a="x"', 'a="y"'), ('a="x"', 'a!="x"'), ('a="x"', 'a=~"y.*"'), ('a=""', 'a=~".+"'), ('a="x"', 'a!~"x|y"')],
)
def test_a_rule_that_can_never_match(pair):
    """Two matchers of which one fails for the only value of the other."""
    (found,) = warnings(rule("a", matchers(*pair)))
    assert "`a` can never match by its matchers" in found


def test_a_list_of_any_that_can_never_match():
    """The list is named by its number; the others may still match."""
    when = "{matchers: ['a=\"x\"'], any: [{matchers: ['b=\"y\"']}, {matchers: ['a=\"y\"']}]}"
    (found,) = warnings(rule("a", when))
    assert "by list 2 of its `any`" in found


def test_a_rule_that_takes_every_host():
    """Nothing chooses among the hosts of the service."""
    (found,) = warnings(rule("a", matchers('a="b"'), "{hosts: {}, service: shop}"))
    assert "`a` takes every host of the service back" in found
    for choice in ("only: {track: canary}", "except: {track: stable}", 'running: "{{ $labels.version }}"'):
        target = f"{{hosts: {{}}, service: shop, arrived-within: 2h, {choice}}}"
        assert warnings(rule("a", matchers('a="b"'), target)) == []


def test_a_rule_that_names_neither_instance_nor_service():
    """It depends on labels that the rule does not show."""
    (found,) = warnings(rule("a", matchers('a="b"'), "{hosts: {}, only: {track: canary}, arrived-within: 1h}"))
    assert "names neither an instance nor a service" in found


EVERY_WORKLOAD = {
    "of the namespace": '{kubernetes: {selector: "*"}',
    "of a fixed one": '{kubernetes: {selector: "*", namespace: shop}',
    "of the cluster": '{kubernetes: {selector: "*", namespace: "*"}',
}


@pytest.mark.parametrize(("which", "target"), EVERY_WORKLOAD.items(), ids=EVERY_WORKLOAD)
def test_a_rule_that_takes_every_workload_on_purpose(which, target):
    """Nothing chooses among the workloads."""
    (found,) = warnings(rule("a", matchers('a="b"'), target + "}"))
    place = "cluster" if which == "of the cluster" else "namespace"
    assert f"`a` takes every workload of the {place} back on an alert that names none" in found
    for choice in ("only: {track: canary}", "except: {track: stable}", 'running: "{{ $labels.version }}"'):
        assert warnings(rule("a", matchers('a="b"'), f"{target}, arrived-within: 2h, {choice}}}")) == []


@pytest.mark.parametrize("within", ["{}", "{selector: {app: web}}", '{selector: {app: web}, namespace: "*"}'])
def test_a_rule_about_what_the_alert_names_or_some_labels(within):
    """Is no reason for a warning, as long as it says what is suspected."""
    assert warnings(rule("a", matchers('a="b"'), f"{{kubernetes: {within}, arrived-within: 2h}}")) == []


SUSPECTS = {
    "hosts": "{hosts: {}, service: shop, only: {track: canary}}",
    "workloads": "{kubernetes: {selector: {app: web}}}",
    "workloads of the cluster": '{kubernetes: {selector: {app: web}, namespace: "*"}, only: {track: canary}}',
}


@pytest.mark.parametrize("target", SUSPECTS.values(), ids=SUSPECTS)
def test_an_alert_that_names_no_instance_needs_suspects(target):
    """Else whatever is selected is taken, however long it has run what it runs."""
    (found,) = warnings(rule("a", matchers('a="b"'), target))
    assert "`a` is about alerts that name no instance" in found
    assert "`arrived-within: 2h`" in found
    for more in ("arrived-within: 2h", 'running: "{{ $labels.version }}"'):
        assert warnings(rule("a", matchers('a="b"'), f"{target[:-1]}, {more}}}")) == []


def test_suspects_that_are_too_old_to_be_the_cause():
    """One of the two times says nothing."""
    target = "{hosts: {}, service: shop, only: {track: canary}, arrived-within: 3h}"
    (found,) = warnings(rule("a", matchers('a="b"'), target))
    assert "suspects releases of the last 3h, but `caused-by-release` refuses those older than 2h" in found


def test_a_rule_that_acts_and_does_not_ask_for_the_cause():
    """A rule that asks a person may leave that to them."""
    off = "    guards: {caused-by-release: off}\n"
    (found,) = warnings(rule("a", matchers('a="b"'), more=off))
    assert "`a` acts on its own and does not ask whether the release is the cause" in found
    assert warnings(rule("a", matchers('a="b"'), more=f"{off}    mode: ask\n")) == []


ITSELF = {
    "the same matcher": ('a=~"x.*"', 'a=~"x.*"'),
    "the value that is asked for": ('a="x"', 'a=~"x|y"'),
    "one of the values": ('a=~"x|y"', 'a="y"'),
}


@pytest.mark.parametrize(("when", "unless"), ITSELF.values(), ids=ITSELF)
def test_an_alert_that_is_its_own_excuse(when, unless):
    """`unless` means another alert."""
    text = f"{{matchers: ['{when}'], unless: {{matchers: ['{unless}'], equal: [cluster]}}}}"
    (found,) = warnings(rule("a", text))
    assert "`unless` of `a` holds for the very alerts that the rule is about" in found


@pytest.mark.parametrize("unless", ['a="z"', 'b="x"', 'a!="x"', '{a="x", b="y"}'])
def test_an_alert_of_another_cause(unless):
    """Is what `unless` is for."""
    assert warnings(rule("a", f"{{matchers: ['a=\"x\"'], unless: {{matchers: ['{unless}']}}}}")) == []


def test_a_first_wave_that_is_never_allowed():
    """The campaign would hold before it began."""
    (found,) = warnings(rule("a", matchers('a="b"'), more="    waves: [12, 100%]\n"))
    assert "the first wave of `a` takes 12 instances, but `affected.max` allows 10" in found
    assert warnings(rule("a", matchers('a="b"'), more="    waves: [10, 100%]\n")) == []


DEFINE_IT = "define it under `policy.freeze` there, or remove it here"
KNOWN = Surroundings(frozenset({"christmas", "week-end"}), frozenset({"oncall"}), group_interval_s=60)


def test_what_the_settings_do_not_define():
    """Each name at its place, once, though every rule inherits it; with what was probably meant."""
    head = HEAD.replace("to: [previous]", "to: [previous], notify: [oncal]")
    text = head + rule("a", matchers('x="1"'), more="    guards: {freeze: [week-ends, easter]}\n")
    text += rule("b", matchers('x="2"'), more="    guards: {freeze: [christmas]}\n    notify: [oncall]\n")
    found = [str(error) for error in KNOWN.errors(parse_rules(text, "r.yaml"))]
    assert found == [
        "r.yaml:7:23: the settings know no freeze window `week-ends`; did you mean `week-end`?",
        f"r.yaml:7:34: the settings know no freeze window `easter`; {DEFINE_IT}",
        "r.yaml:2:48: the settings know no channel `oncal`; did you mean `oncall`?",
    ]


def test_a_wait_that_is_over_before_anybody_can_say():
    """Alertmanager tells of a resolve with the next group interval."""
    short = rule("a", matchers('x="1"'), more="    verify: {cleared-within: 119s}\n")
    enough = rule("b", matchers('x="2"'), more="    verify: {cleared-within: 2m}\n")
    (found,) = KNOWN.warnings(parse_rules(HEAD + short + enough, "r.yaml"))
    assert str(found).startswith("r.yaml:4:11: `a` waits 1m59s for the alert to be gone")
    assert "it can take 2m" in found.message


CHECKED = "    verify: {check: [{promql: up, is: '== 1', for: 10m}], cleared-within: 5m}\n"


def test_a_check_that_is_judged_before_it_can_hold():
    """It would always be unknown; with `auto` it is seen when the time comes."""
    (found,) = warnings(rule("a", matchers('x="1"'), more=CHECKED))
    assert "wants a check to hold for 10m, but judges it after 5m" in found
    assert warnings(rule("a", matchers('x="1"'), more=CHECKED.replace("5m", "10m"))) == []
    assert warnings(rule("a", matchers('x="1"'), more=CHECKED.replace("5m", "auto"))) == []


@pytest.mark.parametrize(
    ("verify", "prometheus", "alertmanager", "wanted"),
    [
        ("check: [{promql: up, is: '== 1'}]", False, True, "the settings name no Prometheus to ask"),
        ("check: [{promql: up, is: '== 1'}]", True, False, None),
        ("on-ineffective: undo", False, False, "would hardly ever be ineffective"),
        ("on-ineffective: undo", True, False, None),
        ("on-ineffective: undo", False, True, None),
    ],
)
def test_what_nobody_could_answer(verify, prometheus, alertmanager, wanted):
    """Where the settings name no monitoring that would."""
    text = HEAD + rule("a", matchers('x="1"'), more=f"    verify: {{{verify}}}\n")
    found = [
        str(one)
        for one in Surroundings(prometheus=prometheus, alertmanager=alertmanager).warnings(
            parse_rules(text, "r.yaml")
        )
    ]
    assert [wanted in one for one in found] == ([] if wanted is None else [True])


def test_what_rules_name_is_known_across_files():
    """A set of several files names what each of them names."""
    more = "    notify: [nobody]\n"
    sets = [parse_rules(HEAD + rule(n, matchers(f'x="{n}"'), more=more), f"{n}.yaml") for n in ("a", "b")]
    assert [error.file for error in KNOWN.errors(combine(sets))] == ["a.yaml", "b.yaml"]


def test_scale_to_zero_is_the_last_resort():
    """What stands behind it is only asked where it may not be."""
    order = "    to: [scale-to-zero, previous]\n"
    (found,) = warnings(rule("a", matchers('a="b"'), "{kubernetes: {}}", order))
    assert "`a` asks for previous only where it may not scale to zero" in found
    order = "    to: [previous, scale-to-zero]\n"
    assert warnings(rule("a", matchers('a="b"'), "{kubernetes: {}}", order)) == []


def test_the_same_as_itself():
    """A canary cannot be brought to what the canary runs."""
    order = "    to: [{same-as: {track: canary}}]\n"
    (found,) = warnings(rule("a", matchers('a="b"'), "{kubernetes: {}, only: {track: canary}}", order))
    assert "`a` goes by `same-as` to what `only:` selects" in found


def test_two_acting_rules_that_may_meet():
    """Both are named, and which of them has the instance."""
    (found,) = warnings(rule("a", matchers('alertname="A"')), rule("b", matchers('severity="critical"')))
    assert found.startswith(
        "r.yaml:7:11: `b` and `a` (r.yaml:4) may be about the same alert and instance; `a` comes"
    )


def kubernetes(first: str, second: str) -> tuple[str, str]:
    return tuple(
        rule(name, matchers('x="1"'), f"{{kubernetes: {target}}}")
        for name, target in (("a", first), ("b", second))
    )


@pytest.mark.parametrize(
    "pair",
    [
        kubernetes("{}", "{namespace: shop}"),
        kubernetes("{namespace: shop, selector: {app: web}}", '{namespace: "*", selector: {tier: front}}'),
        kubernetes("{workload: web}", "{workload: deploy/web}"),
        kubernetes("{workload: deployment/web}", "{workload: deploy/web}"),
        kubernetes('{workload: "{{ $labels.app }}"}', "{workload: deploy/web}"),
        kubernetes('{selector: "*"}', "{selector: {app: web}}"),
    ],
)
def test_two_rules_about_workloads_that_may_meet(pair):
    """Nothing keeps them apart."""
    assert any("`b` and `a`" in warning for warning in warnings(*pair))


APART = {
    "another value": (rule("a", matchers('x="1"')), rule("b", matchers('x="2"'))),
    "a value the other refuses": (rule("a", matchers('x="1"')), rule("b", matchers('x=~"2|3"'))),
    "a value the other excludes": (rule("a", matchers('x="1"')), rule("b", matchers('x!="1"', 'y="1"'))),
    "every list of any": (
        rule("a", matchers('x="1"')),
        rule("b", "{any: [{matchers: ['x=\"2\"']}, {matchers: ['x=\"3\"']}]}"),
    ),
    "another track": (
        rule("a", matchers('x="1"'), "{hosts: {}, service: s, only: {track: canary}, arrived-within: 1h}"),
        rule("b", matchers('x="1"'), "{hosts: {}, service: s, only: {track: [stable, beta]}, arrived-within: 1h}"),
    ),
    "an excluded track": (
        rule("a", matchers('x="1"'), "{hosts: {}, service: s, only: {track: canary}, arrived-within: 1h}"),
        rule("b", matchers('x="1"'), "{hosts: {}, service: s, except: {track: canary}, arrived-within: 1h}"),
    ),
    "another service": (
        rule("a", matchers('x="1"'), "{hosts: {}, service: s, only: {track: canary}, arrived-within: 1h}"),
        rule("b", matchers('x="1"'), "{hosts: {}, service: t, only: {track: canary}, arrived-within: 1h}"),
    ),
    "hosts and workloads": (rule("a", matchers('x="1"')), rule("b", matchers('x="1"'), "{kubernetes: {}}")),
    "another cluster": kubernetes("{cluster: eu}", "{cluster: us}"),
    "another namespace": kubernetes("{namespace: shop}", "{namespace: cart}"),
    "another workload": kubernetes("{workload: web}", "{workload: deployment/db}"),
    "another kind": kubernetes("{workload: sts/web}", "{workload: deployment/web}"),
    "another selector": kubernetes(
        "{selector: {app: web}}, arrived-within: 1h", "{selector: {app: db, tier: back}}, arrived-within: 1h"
    ),
    "another pod template": kubernetes("{}, only: {track: canary}", "{}, except: {track: canary}"),
    "one only observes": (rule("a", matchers('x="1"')), rule("b", matchers('x="1"'), more="    mode: observe\n")),
}


@pytest.mark.parametrize("pair", APART.values(), ids=APART)
def test_two_rules_that_something_keeps_apart(pair):
    """No warning where a label, the target or the mode keeps two rules apart."""
    assert warnings(*pair) == []


def test_very_many_overlaps_are_not_all_named():
    """A thousand rules about one alert do not bury everything else."""
    found = warnings(*(rule(f"r{n}", matchers('x="1"')) for n in range(300)))
    assert len(found) <= 101
    assert any("only the first 100 are named" in warning for warning in found)


def test_a_file_without_rules():
    """Nothing will ever be done: probably not what was meant."""
    (warning,) = parse_rules("version: rules/v1\nrules: []\n", "r.yaml").warnings
    assert "holds no rules" in warning.message


def test_several_files_are_one_set():
    """Rules keep the order of the files, warnings of all files are kept, overlaps across files are found."""
    first = parse_rules(HEAD + rule("a", matchers('x="1"')), "1.yaml")
    second = parse_rules(HEAD + rule("b", matchers('x="1"')) + rule("c", matchers('y!="1"')), "2.yaml")
    both = combine([first, second])
    assert [rule.name for rule in both.rules] == ["a", "b", "c"]
    assert set(second.warnings) <= set(both.warnings)
    assert any("`b` and `a` (1.yaml:4)" in str(warning) for warning in both.warnings)
    assert [rule.name for rule in both.match({"x": "1"})] == ["a", "b", "c"]
    assert both.by_digest(first.rules[0].digest) == first.rules[0]


def test_a_name_that_two_files_use_is_an_error():
    """It is told at the second one, and names the first."""
    one, other = (parse_rules(HEAD + rule("a", matchers('x="1"')), name) for name in ("1.yaml", "2.yaml"))
    with pytest.raises(RuleFileErrors) as caught:
        combine([one, other])
    assert str(caught.value) == "2.yaml:4:11: `a` is the name of another rule at 1.yaml:4; rename one"


def test_no_files_are_no_rules():
    """A set without files matches nothing."""
    assert combine([]).match({"a": "b"}) == ()
