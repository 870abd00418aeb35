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
        "r.yaml:4:11: `acting` is not known here; did you mean `act`?",
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
    "no entry in to": (RULE.replace("previous", ""), "6:9: this must not be empty"),
    "stable with a value": (RULE.replace("previous", "stable: {}"), "6:10: `stable` stands alone"),
    "a slip in to": (RULE.replace("previous", "last-known-god"), "6:10: `last-known-god` is not known here; did"),
    "a slip in mode": (RULE + "    mode: asks\n", "7:11: `asks` is not known here; did you mean `ask`?"),
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
    "a text of two lines": (RULE.replace("rules/v1", '"rules/\\nv1"'), "1:10: `rules/ v1` is not known here"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), ONE_MISTAKE.values(), ids=ONE_MISTAKE)
def test_a_mistake_is_told_once_where_it_is(text, wanted):
    """The place is that of the value, or of the key where the key is wrong or has no value."""
    found = mistakes(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"r.yaml:{wanted}")
    assert found[0].splitlines() == found


def test_a_mistake_in_the_defaults_is_told_once_for_all_rules():
    """A thousand rules that inherit a mistake are one mistake."""
    rules = "".join(f"  - name: r{n}\n    when: {{matchers: [a='{n}']}}\n" for n in range(20))
    text = f"version: rules/v1\ndefaults: {{to: [previus], target: {{hosts: {{}}}}}}\nrules:\n{rules}"
    assert mistakes(text) == ["r.yaml:2:17: `previus` is not known here; did you mean `previous`?"]


def verify(text: str) -> str:
    return f"{RULE}    verify: {{{text}}}\n"


VERIFY = {
    "nearly auto": (verify("cleared-within: Auto"), "7:30: `Auto` is no duration; did you mean `auto`?"),
    "no duration": (verify("cleared-within: soon"), "7:30: "),
    "one check for a list": (verify("check: {promql: up, is: '> 0'}"), "7:21: this must be a list"),
    "a check of nothing": (verify("check: [{is: '> 0'}]"), "7:22: `promql` is missing"),
    "a check without its answer": (verify("check: [{promql: up}]"), "7:22: `is` is missing"),
    "a check against no number": (verify("check: [{promql: up, is: up}]"), "7:39: `up` is no comparison"),
    "a look-up that is not a whole string": (
        verify("check: [{promql: 'up{job=\"a-{{ $labels.job }}\"}', is: '> 0'}]"), "7:31: "
    ),
    "for without a unit": (verify("check: [{promql: up, is: '> 0', for: 5}]"), "7:51: a duration needs a unit"),
    "a slip in a check": (verify("check: [{promql: up, is: '> 0', within: 5m}]"), "7:46: `within` is not known"),
    "undone how": (verify("on-ineffective: undone"), "7:30: `undone` is not known here; did you mean `undo`?"),
    "a slip in its name": (verify("on-inefective: undo"), "7:14: `on-inefective` is not known here; did you mean"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), VERIFY.values(), ids=VERIFY)
def test_a_mistake_in_verify(text, wanted):
    """Is told once, where it is."""
    found = mistakes(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"r.yaml:{wanted}")


def when(more: str) -> str:
    return RULE.replace('[a="b"]}', f'[a="b"], {more}}}')


def guard(text: str) -> str:
    return f"{RULE}    guards: {{{text}}}\n"


def requirement(text: str) -> str:
    return f"{RULE}    before: {{require: [{{{text}}}]}}\n"


LIMITS = {
    "for without a unit": (when("for: 5"), "4:36: a duration needs a unit; write 5s"),
    "unless without matchers": (when("unless: {}"), "4:39: `matchers` is missing"),
    "also that never comes": (when("also: {matchers: [c=d], within: 0s}"), "4:63: this must be longer than 0s"),
    "a slip in unless": (when("unless: {matchers: [c=d], equals: [e]}"), "4:57: `equals` is not known here; did"),
    "within in unless": (when("unless: {matchers: [c=d], within: 1m}"), "4:57: `within` is not known here"),
    "nobody arrives": (RULE.replace("only", "arrived-within: 0s, only"), "5:56: this must be longer than 0s"),
    "no": (guard("caused-by-release: no"), "7:33: write a mapping like {within: 2h}, or off"),
    "false": (guard("caused-by-release: false"), "7:33: write a mapping like {within: 2h}, or off"),
    "a slip in a guard": (guard("caused-by-release: {withn: 2h}"), "7:34: `withn` is not known here"),
    "never soon enough": (guard("caused-by-release: {within: 0s}"), "7:42: this must be longer than 0s"),
    "compare with what": (guard("caused-by-release: {compare: {by: v}}"), "7:43: `query` is missing"),
    "compare by what": (guard("caused-by-release: {compare: {by: a-b, query: x}}"), "7:48: `a-b` cannot"),
    "as good": (
        guard("caused-by-release: {compare: {by: v, query: x, at-least: 0.5x}}"), "7:71: less than once as bad"
    ),
    "times without x": (
        guard("caused-by-release: {compare: {by: v, query: x, at-least: 5}}"), "7:71: write how many times as 5x"
    ),
    "no campaign an hour": (guard("limits: {per-hour: 0}"), "7:33: a limit of 0 would never let a rule act"),
    "less than none": (guard("limits: {per-day: -1}"), "7:32: a limit of -1 would never let a rule act"),
    "less a day": (guard("limits: {per-hour: 3, per-day: 2}"), "7:22: `per-day` is 2, less than `per-hour`"),
    "less a day unsaid": (guard("limits: {per-hour: 8}"), "7:22: `per-day` is 7 where it is not said, less than"),
    "nobody affected": (guard("affected: {max: 0}"), "7:30: a limit of 0 would never let a rule act"),
    "no share": (guard("affected: {max-share: 0%}"), "7:36: a share of 0% allows nothing; to keep the rule from"),
    "more than all": (guard("affected: {max-share: 134%}"), "7:36: 134% is more than everything; write 100%"),
    "more than all healthy": (guard("affected: {min-healthy: 101%}"), "7:38: 101% is more than everything"),
    "a share as a number": (guard("affected: {max-share: 0.34}"), "7:36: a share is written with its sign"),
    "a share as a word": (guard("affected: {max-share: half}"), "7:36: `half` is no share; write a percentage"),
    "a window as a text": (guard("freeze: xmas"), "7:22: this must be a list"),
    "a requirement without is": (requirement("name: lag, promql: up"), "7:24: `is` is missing; add it"),
    "a requirement of nothing": (requirement('name: lag, promql: " ", is: "> 0"'), "7:44: this is empty; write"),
    "a condition in words": (requirement('name: lag, promql: up, is: small'), "7:52: `small` is no comparison"),
    "a condition on nothing": (requirement('name: lag, promql: up, is: "<"'), '7:52: `<` is no comparison'),
    "a value outside quotes": (
        requirement("name: lag, promql: 'up{job={{ $labels.job }}}', is: \"> 0\""),
        "7:44: {{ $labels.job }} can only be a whole quoted string in PromQL",
    ),
    "a value inside a string": (
        requirement("name: lag, promql: 'up{job=\"x-{{ $labels.job }}\"}', is: \"> 0\""),
        "7:44: {{ $labels.job }} can only be a whole quoted string in PromQL",
    ),
    "no wave": (RULE + "    waves: []\n", "7:12: this must not be empty"),
    "a wave of none": (RULE + "    waves: [0, 1]\n", "7:13: a wave takes at least one instance"),
    "waves that shrink": (RULE + "    waves: [50%, 20%]\n", "7:12: waves are cumulative, so each must be larger"),
    "waves that stand still": (RULE + "    waves: [2, 2]\n", "7:12: waves are cumulative"),
    "a number after a share": (RULE + "    waves: [10%, 5]\n", "7:12: a number of instances cannot follow"),
    "a wave that is too large": (RULE + "    waves: [1, 120%]\n", "7:16: 120% is more than everything"),
    "a wave as a fraction": (RULE + "    waves: [0.5]\n", "7:13: a wave is a number of instances or a share"),
    "waves by what": (RULE + "    waves: {by: zone, steps: [1]}\n", "7:17: waves go by cluster"),
    "waves by cluster of hosts": (RULE + "    waves: {by: cluster}\n", "7:13: `by` means nothing"),
    "a channel as a text": (RULE + "    notify: oncall\n", "7:13: this must be a list"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), LIMITS.values(), ids=LIMITS)
def test_a_limit_that_makes_no_sense_is_told_where_it_is(text, wanted):
    """A rule must not look safer than it is, nor do nothing without a word."""
    found = mistakes(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"r.yaml:{wanted}")


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
