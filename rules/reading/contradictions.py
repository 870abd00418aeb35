"""What a rule says in one place and takes back in another: each a mistake at the place that cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.reading.wavemodels import WavesModel
from rules.scope import EVERY
from rules.to import SameAs, ScaleToZero
from rules.workloads.names import wrong_label_key, wrong_label_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.reading.modelerrors import Loc
    from rules.reading.rulemodels import RuleModel
    from rules.reading.selectionmodels import TargetModel

_OF_KUBERNETES = "means nothing for `target.hosts`; remove it"
_BOTH = "`hosts` and `kubernetes` exclude each other; make two rules of it (`defaults` count for every rule)"
_EVERYWHERE = (
    f'`namespace: "{EVERY}"` goes with a `selector:`; what an alert names is looked up in its own namespace: '
    "leave this out"
)


def contradictions(rule: RuleModel) -> Iterator[tuple[Loc, str]]:
    """Name what contradicts in a rule that is whole; a location that ends with `[key]` means the key there."""
    target = rule.target
    if target.hosts is not None and target.kubernetes is not None:
        yield ("target", "kubernetes", "[key]"), _BOTH
    elif target.hosts is not None:
        yield from _about_hosts(rule)
    else:
        yield from _about_workloads(target)


def _about_hosts(rule: RuleModel) -> Iterator[tuple[Loc, str]]:
    for field in ("restore", "pin"):
        if field in rule.model_fields_set:
            yield (field, "[key]"), f"`{field}` {_OF_KUBERNETES}"
    if "gitops" in rule.guards.model_fields_set:
        yield ("guards", "gitops", "[key]"), f"`gitops` {_OF_KUBERNETES}"
    if isinstance(rule.waves, WavesModel) and rule.waves.by:
        yield ("waves", "by", "[key]"), f"`by` {_OF_KUBERNETES}"
    for at, entry in enumerate(rule.to):
        if isinstance(entry, (SameAs, ScaleToZero)):
            word = "same-as" if isinstance(entry, SameAs) else "scale-to-zero"
            yield ("to", at), f"`{word}` {_OF_KUBERNETES}"


def _about_workloads(target: TargetModel) -> Iterator[tuple[Loc, str]]:
    within = target.kubernetes
    if within and within.namespace and within.namespace.text == EVERY and within.selector is None:
        yield ("target", "kubernetes", "namespace"), _EVERYWHERE
    for field, chosen in (("only", target.only), ("except", target.except_)):
        for label, values in chosen.items():
            if wrong := wrong_label_key(label):
                yield ("target", field, label, "[key]"), wrong
            for wrong in filter(None, map(wrong_label_value, values)):
                yield ("target", field, label), wrong
