"""What is allowed but odd: rules that cannot match, match everything, or are about the same instances.

Two sets of matchers exclude each other when a value that one of them demands fails a matcher of the other.
Nothing here proves that two rules do meet; it names those that nothing keeps apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations, product
from typing import TYPE_CHECKING

from rules.rule import Mode
from rules.scope import EVERY
from rules.to import SameAs, ScaleToZero, to_word
from rules.workloads.names import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rules.instances import WorkloadKind
    from rules.matchers import Matcher
    from rules.rule import KubernetesTarget, Rule, Target, When
    from rules.templates import Template

_MOST_COMPARED = 200_000
_MOST_NAMED = 100


def oddities(rule: Rule) -> Iterator[str]:
    """Say what is odd about one rule by itself."""
    if rule.when.matches({}):
        yield (
            f"`{rule.name}` matches every alert, even one without labels; "
            'add a matcher that demands a value, like alertname="HighErrorRate"'
        )
    branches = _branches(rule.when)
    for number, branch in enumerate(branches, start=1):
        if clash := _clash(branch):
            which = f"list {number} of its `any`" if rule.when.any_of else "its matchers"
            yield f"`{rule.name}` can never match by {which}: {clash[0]} and {clash[1]} exclude each other"
    yield from _odd_hosts(rule) if rule.target.hosts is not None else _odd_workloads(rule)


def _odd_hosts(rule: Rule) -> Iterator[str]:
    target = rule.target
    if _instance(target) is None and not _chooses(target):
        yield (
            f"`{rule.name}` {_takes(rule)} every host of the service back; name the instance under `hosts`, "
            "or choose some with `only:`, `except:` or `running:`"
        )
    if _instance(target) is None and target.service is None:
        yield (
            f"`{rule.name}` names neither an instance nor a service; it depends on the alert's label "
            "app.kubernetes.io/name or app. Add `service:`"
        )


def _odd_workloads(rule: Rule) -> Iterator[str]:
    target = rule.target
    within = target.kubernetes
    if within is not None and within.selector == {} and within.workload is None and not _chooses(target):
        place = "cluster" if within.namespace and within.namespace.text == EVERY else "namespace"
        yield (
            f"`{rule.name}` {_takes(rule)} every workload of the {place} back on an alert that names none; "
            "write labels under `selector`, or choose some with `only:`, `except:` or `running:`"
        )
    for at, entry in enumerate(rule.to):
        if isinstance(entry, ScaleToZero) and at < len(rule.to) - 1:
            yield (
                f"`{rule.name}` asks for {to_word(rule.to[at + 1])} only where it may not scale to zero; "
                "put scale-to-zero last in `to`"
            )
        if isinstance(entry, SameAs) and entry.labels == target.only:
            yield f"`{rule.name}` goes by `same-as` to what `only:` selects, which is itself; name the stable one"


def _takes(rule: Rule) -> str:
    return "would take" if rule.mode is Mode.OBSERVE else "takes"


def _chooses(target: Target) -> bool:
    return bool(target.only or target.except_ or target.running or target.arrived_within_s)


def _instance(target: Target) -> Template | None:
    return target.hosts.instance if target.hosts else None


def overlaps(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str]]:
    """Name pairs of rules that act or ask and that nothing keeps apart, each with its second rule."""
    acting = [rule for rule in rules if rule.mode is not Mode.OBSERVE]
    named = 0
    for compared, (first, second) in enumerate(_pairs(acting)):
        if compared >= _MOST_COMPARED:
            yield second, "there are too many rules to compare each with each; look for overlaps in smaller files"
            return
        if not _may_meet(first, second):
            continue
        if named == _MOST_NAMED:
            yield second, f"there are more overlaps; only the first {_MOST_NAMED} are named"
            return
        named += 1
        yield second, _meeting(first, second)


def _meeting(first: Rule, second: Rule) -> str:
    return (
        f"`{second.name}` and `{first.name}` ({first.source}) may be about the same alert and instance; "
        f"`{first.name}` comes first and has it. Add a matcher or an `only:` that keeps them apart"
    )


def _pairs(rules: Sequence[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Give the pairs that could meet, in file order; rules that demand different values never do."""
    demanded = [_demanded(rule.when.matchers) for rule in rules]
    values: dict[str, set[str]] = defaultdict(set)
    for demands in demanded:
        for label, value in demands.items():
            values[label].add(value)
    by = max(values, key=lambda label: len(values[label]), default="")
    groups: dict[str | None, list[int]] = defaultdict(list)
    for place, demands in enumerate(demanded):
        groups[demands.get(by)].append(place)
    free = groups.pop(None, [])
    for group in groups.values():
        yield from ((rules[a], rules[b]) for a, b in combinations(group, 2))
        yield from ((rules[min(a, b)], rules[max(a, b)]) for a, b in product(group, free))
    yield from ((rules[a], rules[b]) for a, b in combinations(free, 2))


def _may_meet(first: Rule, second: Rule) -> bool:
    return _targets_may_meet(first.target, second.target) and any(
        _clash((*one, *other)) is None for one, other in product(_branches(first.when), _branches(second.when))
    )


def _branches(when: When) -> tuple[tuple[Matcher, ...], ...]:
    return tuple((*when.matchers, *matchers) for matchers in when.any_of) or (when.matchers,)


def _demanded(matchers: Iterable[Matcher]) -> dict[str, str]:
    return {matcher.name: matcher.value for matcher in matchers if matcher.op == "="}


def _clash(matchers: tuple[Matcher, ...]) -> tuple[Matcher, Matcher] | None:
    """Return two matchers of which one fails for the value the other demands."""
    by_label: dict[str, list[Matcher]] = defaultdict(list)
    for matcher in matchers:
        by_label[matcher.name].append(matcher)
    for label, group in by_label.items():
        for demand in group:
            if demand.op == "=":
                for matcher in group:
                    if not matcher.matches({label: demand.value}):
                        return demand, matcher
    return None


def _targets_may_meet(first: Target, second: Target) -> bool:
    if _fixed_and_different(first.service, second.service) or _fixed_and_different(first.running, second.running):
        return False
    if (first.hosts is None) != (second.hosts is None):
        return False
    if _fixed_and_different(_instance(first), _instance(second)) or _apart(first.kubernetes, second.kubernetes):
        return False
    return not any(
        _disjoint(first.only.get(label, ()), second.only.get(label, ()))
        or _excluded(first, second, label)
        or _excluded(second, first, label)
        for label in Counter((*first.only, *second.only))
    )


def _apart(first: KubernetesTarget | None, second: KubernetesTarget | None) -> bool:
    """Tell whether two rules about workloads look in other places, or for other names or labels."""
    if first is None or second is None:
        return False
    if _fixed_and_different(first.cluster, second.cluster) or _other_names(first.workload, second.workload):
        return True
    everywhere = EVERY in {place.text for place in (first.namespace, second.namespace) if place}
    if not everywhere and _fixed_and_different(first.namespace, second.namespace):
        return True
    one, other = first.selector or {}, second.selector or {}
    return any(one[label] != other[label] for label in one.keys() & other.keys())


def _other_names(first: Template | None, second: Template | None) -> bool:
    """Tell two workloads apart; one without its kind may be of any."""
    if not _fixed_and_different(first, second) or first is None or second is None:
        return False
    (kind, name), (other_kind, other) = (_kind_and_name(one.text) for one in (first, second))
    return name != other or (kind is not None and other_kind is not None and kind != other_kind)


def _kind_and_name(text: str) -> tuple[WorkloadKind | None, str]:
    kind, slash, name = text.rpartition("/")
    return (KINDS.get(kind.lower()) if slash else None), name


def _fixed_and_different(first: Template | None, second: Template | None) -> bool:
    """Tell whether both are plain text, and not the same."""
    if first is None or second is None or first.lookups or second.lookups:
        return False
    return first.text != second.text


def _disjoint(first: Sequence[str], second: Sequence[str]) -> bool:
    return bool(first and second) and not set(first) & set(second)


def _excluded(chosen: Target, other: Target, label: str) -> bool:
    wanted = chosen.only.get(label, ())
    return bool(wanted) and set(wanted) <= set(other.except_.get(label, ()))
