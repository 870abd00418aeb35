"""All mistakes of a rule file are listed, each as file:line:column and a message that says what to do."""

from __future__ import annotations

import pytest

from rules.rulefile import RuleFileErrors, parse_rules


def mistakes(text: str | bytes) -> list[str]:
    with pytest.raises(RuleFileErrors) as caught:
        parse_rules(text, "r.yaml")
    return [str(error) for error in caught.value.errors]


NO_TARGET = (
    "`hosts` or `kubernetes` is missing: say what is rolled back; add `hosts: {instance: …}` or `kubernetes: {}`"
)


def test_all_mistakes_are_listed_not_only_the_first():
    """One look at the output is enough to correct the whole file."""
    text = """\
version: rules/v2
rules:
  - name: Canary
    mode: acting
    when: {matcher: [a="b"]}
    target: {hosts: {instance: "{{ .Labels.x }}"}, instance: x}
    to: [previus, {version: 1.10}, v1.2]
    verify: {steady: 10, healthy_within: 5m, cleared-within: 0s}
    retry: {attempts: 1.5, factor: 0, initial: 5m}
  - name: b
    when: {matchers: [x, 'a="b"', '=c']}
    target: {}
    to: []
"""
    assert mistakes(text) == [
        "r.yaml:1:10: `rules/v2` is not known here; did you mean `rules/v1`?",
        "r.yaml:3:11: `Canary` cannot name a rule; use small letters, digits and -, like canary-errors",
        "r.yaml:4:11: `acting` is no mode; did you mean `act`?",
        "r.yaml:5:12: `matcher` is not known here; did you mean `matchers`?",
        "r.yaml:6:32: {{ .Labels.x }} is not a look-up: write {{ $labels.x }}",
        "r.yaml:6:52: `instance` is not known here; it belongs under `target.hosts`",
        "r.yaml:7:10: `previus` is not known here; did you mean `previous`?",
        'r.yaml:7:29: 1.10 is a number, not text; write it in quotes: "1.10"',
        "r.yaml:7:36: `v1.2` is not known here; for a release's name write {version: v1.2}",
        "r.yaml:8:22: a duration needs a unit; write 10s for seconds or 10m for minutes",
        "r.yaml:8:26: `healthy_within` is not known here; did you mean `healthy-within`?",
        "r.yaml:8:62: this must be longer than 0s",
        "r.yaml:9:23: this must be a whole number",
        "r.yaml:9:36: this must be at least 1.0",
        "r.yaml:11:23: at character 2: expected one of =, !=, =~, !~, found the end",
        "r.yaml:11:35: at character 1: expected a label name, found =",
        "r.yaml:12:13: " + NO_TARGET,
        "r.yaml:13:9: this must not be empty",
    ]


RULE = """\
version: rules/v1
rules:
  - name: a
    when: {matchers: [a="b"]}
    target: {hosts: {}, service: shop, only: {x: y}}
    to: [previous]
"""

ONE_MISTAKE = {
    "a key twice": (RULE.replace("    to:", "    name: b\n    to:"), "6:5: `name` is written twice, first"),
    "the same name": (RULE + RULE.split("rules:\n")[1], "7:11: `a` is the name of another rule at r.yaml:3"),
    "no matchers": (RULE.replace('a="b"', ""), "4:22: there is no matcher here"),
    "no when": (RULE.replace('{matchers: [a="b"]}', "{}"), "4:11: `matchers` is missing"),
    "an empty any": (RULE.replace('[a="b"]}', '[a="b"], any: []}'), "4:36: this must not be empty"),
    "a forgotten value": (RULE.replace("[previous]", ""), "6:5: its value is missing"),
    "null": (RULE.replace("shop", "~"), "5:34: its value is missing"),
    "no to": (RULE.replace("    to: [previous]\n", ""), "3:5: `to` is missing"),
    "no rules": ("version: rules/v1\n", "1:1: `rules` is missing"),
    "rules as a mapping": ("version: rules/v1\nrules: {a: b}\n", "2:8: this must be a list"),
    "a rule as a text": ("version: rules/v1\nrules: [canary]\n", "2:9: this must be a mapping"),
    "a name that is long": (RULE.replace("name: a", f"name: {'a' * 64}"), "3:11: the name is longer than 63"),
    "a name in defaults": (RULE.replace("rules:\n", "defaults: {name: x}\nrules:\n"), "2:12: `name` belongs"),
    "unknown in defaults": (RULE.replace("rules:\n", "defaults: {tos: [x]}\nrules:\n"), "2:12: `tos` is not"),
    "an empty only": (RULE.replace("x: y", "x: []"), "5:50: this must not be empty"),
    "a template in only": (RULE.replace("x: y", 'x: "{{ $labels.y }}"'), "5:50: templates are not looked up here"),
    "a template in a version": (
        RULE.replace("previous", 'version: "{{ $labels.version }}"'),
        "6:19: templates are not looked up here",
    ),
    "a release outside": (RULE.replace("previous", "version: ../x"), "6:19: `../x` cannot name a release"),
    "an empty service": (RULE.replace("shop", '""'), "5:34: this is empty"),
    "a retry that shrinks": (RULE + "    retry: {initial: 5m}\n", "7:12: `max` is shorter than `initial`"),
    "infinite": (RULE + "    retry: {factor: .inf}\n", "7:21: this must be"),
    "a bad regular expression": (RULE.replace('a="b"', "'a=~\"(\"'"), "4:23: "),
    "a list for a text": (RULE.replace("shop", "[shop]"), "5:34: a list cannot be here"),
    "an open template": (RULE.replace("shop", '"{{ $labels.x"'), "5:34: {{ $labels.x is never closed"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), ONE_MISTAKE.values(), ids=ONE_MISTAKE)
def test_a_mistake_is_told_once_where_it_is(text, wanted):
    """The place is that of the value, or of the key where the key is wrong or has no value."""
    found = mistakes(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"r.yaml:{wanted}")


def test_a_mistake_in_the_defaults_is_told_once_for_all_rules():
    """A thousand rules that inherit a mistake are one mistake."""
    rules = "".join(f"  - name: r{n}\n    when: {{matchers: [a='{n}']}}\n" for n in range(20))
    text = f"version: rules/v1\ndefaults: {{to: [previus], target: {{hosts: {{}}}}}}\nrules:\n{rules}"
    assert mistakes(text) == ["r.yaml:2:17: `previus` is not known here; did you mean `previous`?"]


NOT_ENFORCED = {
    "guards.cooldown": "    guards: {cooldown: 30m}\n",
    "guards.limits": "    guards: {gitops: refuse, limits: {per-hour: 3}}\n",
    "guards.gitops: pause": "    guards: {gitops: pause}\n",
    "waves": "    waves: [1]\n",
    "notify": "    notify: [oncall]\n",
    "before.require": "    before: {require: []}\n",
    "verify.check": "    verify: {check: []}\n",
    "verify.on-ineffective": "    verify: {on-ineffective: hold}\n",
    "cleared-within: auto": "    verify: {cleared-within: auto}\n",
    "mode: ask": "    mode: ask\n",
}


@pytest.mark.parametrize(("field", "lines"), NOT_ENFORCED.items(), ids=NOT_ENFORCED)
def test_what_is_not_enforced_is_refused_by_name(field, lines):
    """A field of rules/v1 that would have no effect is an error, never ignored."""
    (found,) = mistakes(RULE + lines)
    assert found.startswith("r.yaml:7:")
    assert f"`{field}` is part of rules/v1 but this version does not enforce it yet" in found


CANARY = """\
version: rules/v1
rules:
  - name: a
    when: {matchers: [a="b"]}
    target: {kubernetes: {}, only: {x: y}}
    to: [previous]
"""


def within(text: str) -> str:
    return CANARY.replace("{}", f"{{{text}}}")


ABOUT_WORKLOADS = {
    "a namespace in capitals": (within("namespace: Shop"), "5:38: `Shop` cannot name a namespace"),
    "a namespace that is long": (within(f"namespace: {'a' * 64}"), "5:38: `aaaaaaaaaaaaa"),
    "an empty namespace": (within('namespace: ""'), "5:38: this is empty"),
    "a path as a namespace": (within("namespace: a/../b"), "5:38: `a/../b` cannot name a namespace"),
    "every namespace, and no selector": (within('namespace: "*"'), '5:38: `namespace: "*"` goes with a `sel'),
    "a workload with a wrong name": (within("workload: deployment/Web"), "5:37: `Web` cannot name an object"),
    "a workload with more": (within("workload: deployment/web/x"), "5:37: `web/x` cannot name an object"),
    "a workload of another kind": (within("workload: job/web"), "5:37: `job` is no kind of workload; write"),
    "a slip in the kind": (
        within("workload: \"deploymnt/{{ $labels.app }}\""),
        "5:37: `deploymnt` is no kind of workload; did you mean `deployment`?",
    ),
    "a cluster that is no name": (within("cluster: eu/1"), "5:36: `eu/1` cannot be a name"),
    "a selector of everything": (within("selector: {}"), "5:37: `selector: {}` selects every workload"),
    "a selector of nothing": (within('selector: {app: ""}'), "5:43: this is empty"),
    "a selector as a text": (within("selector: app=web"), "5:37: write labels of the pod template"),
    "a selector with a list": (within("selector: {app: [a, b]}"), "5:43: a list cannot be here"),
    "a template in a selector": (within('selector: {app: "{{ $labels.app }}"}'), "5:43: templates are not looked"),
    "an illegal label": (within("selector: {a b: c}"), "5:38: `a b` cannot be a label of Kubernetes"),
    "an illegal value": (within("selector: {a: b c}"), "5:41: `b c` cannot be a label's value"),
    "an illegal label in only": (CANARY.replace("x: y", "x y: z"), "5:37: `x y` cannot be a label"),
    "an illegal value in only": (CANARY.replace("x: y", "x: [y, z/]"), "5:40: `z/` cannot be a label's value"),
    "a slip in pods": (within("pods: update"), "5:33: `update` is not known here; did you mean `updated`?"),
    "no word for pods": (within("pods: all"), "5:33: `all` is not known here; write updated or any"),
    "a slip when paused": (within("when-paused: holds"), "5:40: `holds` is not known here; did you mean `hold`?"),
    "a slip in a key": (within("when_paused: hold"), "5:27: `when_paused` is not known here; did you mean `wh"),
    "both": (within("}, hosts: {"), "5:14: `hosts` and `kubernetes` exclude each other"),
    "same-as without labels": (CANARY.replace("previous", "same-as"), "6:10: `same-as` needs labels"),
    "same-as with no label": (CANARY.replace("previous", "same-as: {}"), "6:19: this must not be empty"),
    "same-as with an illegal one": (CANARY.replace("previous", "same-as: {a b: c}"), "6:20: `a b` cannot be a"),
    "previous with a value": (CANARY.replace("previous", "previous: 1"), "6:10: `previous` stands alone"),
    "a slip in to": (CANARY.replace("previous", "scale-to-zer"), "6:10: `scale-to-zer` is not known here; did"),
    "auto is no word": (CANARY + "    restore: auto\n", "7:14: `auto` is not known here; write template or"),
    "a slip in restore": (CANARY + "    restore: image\n", "7:14: `image` is not known here; did you mean"),
    "a slip in pin": (CANARY + "    pin: nevr\n", "7:10: `nevr` is not known here; did you mean `never`?"),
    "a slip in guards": (CANARY + "    guards: {gitop: force}\n", "7:14: `gitop` is not known here; did you mean"),
    "a slip in gitops": (CANARY + "    guards: {gitops: forced}\n", "7:22: `forced` is not known here; did you"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), ABOUT_WORKLOADS.values(), ids=ABOUT_WORKLOADS)
def test_a_mistake_about_workloads_is_told_once_where_it_is(text, wanted):
    """Names that Kubernetes would not take are found before there is an alert."""
    found = mistakes(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"r.yaml:{wanted}")


ONLY_FOR_WORKLOADS = {
    "same-as": (RULE.replace("[previous]", "[previous, {same-as: {track: stable}}]"), "6:20: `same-as`"),
    "scale-to-zero": (RULE.replace("[previous]", "[previous, scale-to-zero]"), "6:20: `scale-to-zero`"),
    "restore": (RULE + "    restore: template\n", "7:5: `restore`"),
    "pin": (RULE + "    pin: auto\n", "7:5: `pin`"),
    "gitops": (RULE + "    guards: {gitops: refuse}\n", "7:14: `gitops`"),
    "in defaults": (RULE.replace("rules:\n", "defaults: {restore: images}\nrules:\n"), "2:12: `restore`"),
}


@pytest.mark.parametrize(("text", "wanted"), ONLY_FOR_WORKLOADS.values(), ids=ONLY_FOR_WORKLOADS)
def test_what_means_nothing_for_hosts_is_an_error_at_its_place(text, wanted):
    """Even where it would not change anything: a file must not look as if it did."""
    (found,) = mistakes(text)
    assert found.startswith(f"r.yaml:{wanted} means nothing for `target.hosts`; remove it")


@pytest.mark.parametrize("field", ["for: 5m", "alert-for: 5m", "unless: {}", "also: {}"])
def test_conditions_that_are_not_enforced_are_refused(field):
    """The same inside `when`."""
    (found,) = mistakes(RULE.replace('[a="b"]}', f'[a="b"], {field}}}'))
    assert found.startswith(f"r.yaml:4:31: `when.{field.split(':')[0]}` is part of rules/v1 but")


@pytest.mark.parametrize("field", ["arrived-within: 2h"])
def test_targets_that_are_not_enforced_are_refused(field):
    """The same inside `target`; one error, not a second one about `hosts`."""
    (found,) = mistakes(RULE.replace("hosts: {}", field))
    assert found.startswith(f"r.yaml:5:14: `target.{field.split(':')[0]}` is part of rules/v1 but")


@pytest.mark.parametrize("entry", ["last-known-good", "stable", "{stable: {}}"])
def test_releases_that_cannot_be_chosen_yet_are_refused(entry):
    """The same in `to`, and what can be written instead."""
    (found,) = mistakes(RULE.replace("[previous]", f"[{entry}]"))
    assert found.startswith("r.yaml:6:10: `to: ")
    assert "write previous or {version: NAME}" in found
