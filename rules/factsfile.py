"""Facts files: text in, everything that is known out, and every mistake at its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.limits import NO_POLICY
from rules.reading.factmodels import FactsModel
from rules.reading.factplaces import Places
from rules.reading.factworld import WorldBuilder
from rules.reading.fileerrors import RuleFileErrors
from rules.reading.modelerrors import check
from rules.reading.yamlfile import read_yaml
from rules.reading.yamlnodes import Entry, Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rules.alerts import Alert
    from rules.limits import Policy
    from rules.reading.factfields import Moment
    from rules.reading.yamlfile import Document
    from rules.services import Inventory
    from rules.world import World

_SEEN_ONLY = frozenset({"running", "releases"})
_OTHER_SPELLINGS = frozenset({"paused", "pause"})


@dataclass(frozen=True, slots=True)
class FactsFile:
    """Facts that were read. `seen_only`: they name what runs and nothing else, so that no guard can be asked."""

    document: Document
    root: Mapping
    model: FactsModel
    seen_only: bool

    def world(
        self,
        inventory: Inventory,
        alerts: Iterable[Alert],
        *,
        clusters: Sequence[str] = (),
        policy: Policy = NO_POLICY,
        truncated: int = 0,
        now_ms: int | None = None,
    ) -> World:
        """Return what is known. Raises `RuleFileErrors` for an instance that cannot be told.

        `alerts` are those of the notification, which left out `truncated` others; they say when now is if the file
        does not and `now_ms` neither. `clusters` and `policy` are those of the settings; the file's own policy
        replaces theirs.
        """
        alerts = tuple(alerts)
        said = list(dict.fromkeys(alert.labels["cluster"] for alert in alerts if alert.labels.get("cluster")))
        cluster = clusters[0] if len(clusters) == 1 else said[0] if len(said) == 1 else "default"
        places = Places(self.document, self.root, inventory, cluster)
        return WorldBuilder(self.model, places, self._now(alerts, now_ms), inventory).world(
            clusters, policy, truncated
        )

    def _now(self, alerts: Sequence[Alert], now_ms: int | None) -> int:
        """Return the moment of the decision: as written, else the newest that anything fixed says."""
        if self.model.now is not None:
            return self.model.now.at(0)
        if now_ms is not None:
            return now_ms
        arrived = (moment.ms for moment in _arrivals(self.model) if not moment.relative)
        return max([*arrived, *(alert.starts_at_ms for alert in alerts)], default=0)


def parse_facts(text: str | bytes, filename: str) -> FactsFile:
    """Read a facts file. Raises `RuleFileErrors` with all of its mistakes, and nothing else, for any input."""
    document = read_yaml(text, filename)
    return read_facts(document, document.root)


def read_facts(document: Document, root: Mapping) -> FactsFile:
    """Read facts that stand in a file; without any of the keys of facts/v1 they are instances, by id."""
    instances_alone = bool(root.entries) and root.entries.keys().isdisjoint(_keys())
    if instances_alone:
        root = _under("instances", root)
    model, errors = check(FactsModel, root, document)
    errors = [*document.errors, *errors]
    if errors or model is None:
        raise RuleFileErrors(tuple(errors))
    seen_only = instances_alone and all(one.model_fields_set <= _SEEN_ONLY for one in model.instances.values())
    return FactsFile(document, root, model, seen_only)


def _keys() -> frozenset[str]:
    return _OTHER_SPELLINGS | {info.alias or name for name, info in FactsModel.model_fields.items()}


def _under(key: str, node: Mapping) -> Mapping:
    place = (node.line, node.column, node.start, node.end)
    return Mapping(*place, node.flow, {key: Entry(Scalar(*place, key, plain=True), node)})


def _arrivals(model: FactsModel) -> Iterator[Moment]:
    for instance in model.instances.values():
        yield from (one.at.by for one in instance.history or () if one.at is not None)
        yield from (one.arrived for one in instance.releases or () if one.arrived is not None)
        if instance.arrived is not None:
            yield instance.arrived.by
