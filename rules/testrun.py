"""Runs the tests of a test file: what every rule says, beside what it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.explain import explain
from rules.factsfile import parse_facts, read_facts
from rules.notifications import BadBody, Notification, parse_notification
from rules.reading.fileerrors import Place, RuleFileErrors
from rules.reading.modelerrors import find_node
from rules.reading.yamlnodes import Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from rules.factsfile import FactsFile
    from rules.reading.testmodels import Expectation
    from rules.reading.yamlnodes import Node
    from rules.testfile import Case, TestFile

_NOW_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, where a test does not say when it is."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test. `differences` are lines for people; empty: everything is as expected."""

    name: str
    place: Place
    differences: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences


def run(file: TestFile, case: Case) -> Result:
    """Run one test. Raises `RuleFileErrors` where it cannot be run as it is written."""
    return _Running(file, case).result()


class _Running:
    def __init__(self, file: TestFile, case: Case) -> None:
        self._file, self._case, self._model = file, case, case.model

    def result(self) -> Result:
        facts = self._facts()
        now = facts.model.now if facts is not None else None
        now_ms = now.at(0) if now is not None else _NOW_MS if self._model.payload is None else None
        notification = self._notification(now_ms or 0)
        world, seen = None, None
        if facts is not None:
            world = facts.world(
                self._file.inventory,
                notification.alerts,
                clusters=self._file.clusters,
                truncated=notification.truncated,
                now_ms=now_ms,
            )
            if facts.seen_only:
                seen = {i: one.observation for i, one in world.instances.items() if one.observation is not None}
                world = None
        clusters = self._file.clusters or None
        entries = explain(
            self._file.ruleset, self._file.inventory, notification.alerts, seen, clusters=clusters, world=world
        )
        return Result(self._case.name, self._case.place, tuple(self._differences(entries)))

    def _facts(self) -> FactsFile | None:
        entry = self._case.node.entries.get("facts") if isinstance(self._case.node, Mapping) else None
        if entry is None:
            return None
        if isinstance(entry.value, Mapping):
            return read_facts(self._file.document, entry.value)
        text = self._text(entry.value)
        return parse_facts(self._bytes(text, entry.value), text)

    def _text(self, node: Node) -> str:
        if isinstance(node, Scalar):
            return node.text
        raise RuleFileErrors((self._file.document.error(node, "write the name of a file here, or facts"),))

    def _bytes(self, name: str, node: Node) -> bytes:
        try:
            return self._file.read(name)
        except OSError as error:
            message = f"{name} cannot be read: {error.strerror}; names are beside this file"
            raise RuleFileErrors((self._file.document.error(node, message),)) from error

    def _notification(self, now_ms: int) -> Notification:
        model = self._model
        if model.payload is not None:
            node, _ = find_node(self._case.node, ("payload",))
            try:
                return parse_notification(self._bytes(model.payload, node))
            except BadBody as error:
                raise RuleFileErrors((self._file.document.error(node, str(error)),)) from error
        written = [model.alert] if model.alert is not None else model.alerts
        alerts = tuple(one.read(at, now_ms) for at, one in enumerate(written, start=1))
        return Notification(alerts, (), model.truncated, "", "", 0)

    def _differences(self, entries: list[dict[str, Any]]) -> Iterator[str]:
        if len(self._model.expect) > len(entries):
            yield f"{len(self._model.expect)} alerts are expected, and there are {len(entries)}"
        for expected, entry in zip(self._model.expect, entries, strict=False):
            said = {decision["rule"]: decision for decision in entry["decisions"]}
            for name, expectation in expected.items():
                different = list(self._different(expectation, said[name]))
                if different:
                    yield f"rule {name}, alert {_words(entry['labels'])}"
                    yield from (f"  {line}" for line in different)
                    yield f"  it says: {said[name]['detail']}"

    def _different(self, expected: Expectation, said: dict[str, Any]) -> Iterator[str]:
        for name, wanted in (("outcome", expected.outcome), ("reason", expected.reason)):
            if wanted is not None and said[name] != wanted.value:
                yield f"{name}: expected {wanted.value}, got {said[name]}"
        if expected.instances is not None:
            goes = _resolved(expected.instances, said["instances"])
            if goes != said["instances"]:
                yield f"instances: expected {_map(goes)}, got {_map(said['instances'])}"
        if expected.says is not None and expected.says not in said["detail"]:
            yield f"says: expected words `{expected.says}`"


def _resolved(instances: dict[str, str | None], said: Iterable[str]) -> dict[str, str | None]:
    """Name the instances in full, where it is clear which is meant."""
    found: dict[str, str | None] = {}
    for word, to in instances.items():
        ends = [ident for ident in said if ident == word or ident.endswith(f"/{word}")]
        found[ends[0] if len(ends) == 1 else word] = to
    return found


def _words(labels: dict[str, str]) -> str:
    rest = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "alertname")
    return f"{labels.get('alertname', '(no alertname)')}{{{rest}}}"


def _map(instances: dict[str, str | None]) -> str:
    return ", ".join(f"{ident}: {to or 'nothing'}" for ident, to in sorted(instances.items())) or "none"
