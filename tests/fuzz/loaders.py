"""Rule files, inventories, facts, tests of rules, settings, manifests: a value, or errors with places."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

from hypothesis import strategies as st

from controller.cli import releases_read
from controller.cli.failures import Failed, Unusable
from controller.settings import SettingsError, clusters_in_force, load_settings
from fuzz.alerts import ALERTS
from fuzz.corpus import REPOSITORY
from fuzz.documents import files
from fuzz.judged import answers, errors_have_places, known_facts, known_inventory, known_rules, world_of
from fuzz.target import Check, Site, Target, hold, pure
from rules.factsfile import parse_facts
from rules.inventory import parse_inventory
from rules.reading.fileerrors import RuleFileErrors
from rules.rulefile import RuleSet, parse_rules
from rules.testfile import parse_tests
from rules.testrun import run

_NUMBER = st.integers(0, 999)
Value = TypeVar("Value")


def _loaded(parse: Callable[[bytes, str], Value], data: bytes, name: str) -> Value | None:
    """Read a file; None where it is refused, and then each error has its place."""
    try:
        return parse(data, name)
    except RuleFileErrors as error:
        errors_have_places(error.errors, name, data)
        return None


def rules(case: tuple[bytes, list[Any], int]) -> bool:
    """Rules that load can be asked, written and read again, and mean the same then."""
    data, alerts, number = case
    found = _loaded(parse_rules, data, "rules.yaml")
    if found is None:
        return False
    facts = known_facts()[number % len(known_facts())]
    answers(found, alerts)
    answers(found, alerts, world=world_of(facts, known_inventory(), alerts))
    _mean_the_same(found)
    return True


def _mean_the_same(found: RuleSet) -> None:
    written = json.dumps({"version": "rules/v1", "rules": [rule.expanded() for rule in found.rules]})
    again = parse_rules(written, "again.yaml")
    before, after = [rule.digest for rule in found.rules], [rule.digest for rule in again.rules]
    hold(before == after, f"written and read again it means something else: {written}")


def inventory(case: tuple[bytes, list[Any], int]) -> bool:
    """Every host of an inventory that loads can be rolled back."""
    data, alerts, number = case
    found = _loaded(parse_inventory, data, "inventory.yaml")
    if found is None:
        return False
    for service in found.services.values():
        for host in service.hosts:
            service.at(host)
    answers(known_rules()[number % len(known_rules())], alerts, found)
    return True


def facts(case: tuple[bytes, list[Any], int]) -> bool:
    """Whatever is known, every guard has an answer."""
    data, alerts, number = case
    found = _loaded(parse_facts, data, "facts.yaml")
    if found is None:
        return False
    world = world_of(found, known_inventory(), alerts)
    if world is not None:
        answers(known_rules()[number % len(known_rules())], alerts, world=world)
    return world is not None


def tests(data: bytes) -> bool:
    """Tests of rules run, or say where they are wrong."""
    beside = REPOSITORY / "rules" / "library"
    try:
        found = parse_tests(data, "x.test.yaml", lambda name: (beside / name).read_bytes())
        for case in found.cases:
            run(found, case)
    except RuleFileErrors as error:
        hold(error.errors, "refused without an error")
        return False
    return True


_PLACE = re.compile(r"^\S+:\d+:\d+: .{12}|^ROLLBACK_\w+", re.DOTALL)


@contextmanager
def _settings(site: Site) -> Iterator[Check]:
    path = site.folder / "rollback.yaml"

    def check(case: tuple[bytes, list[Any], int]) -> bool:
        data, alerts, number = case
        path.write_bytes(data)
        try:
            found = load_settings(path)
        except SettingsError as error:
            hold(error.problems and all(map(_PLACE.match, error.problems)), f"an error without a place: {error}")
            return False
        hold(found.bind and found.server_url and found.surroundings, "settings that nobody can use")
        clusters_in_force(found.clusters)
        told = known_facts()[number % len(known_facts())]
        world = world_of(told, known_inventory(), alerts, found.policy)
        answers(known_rules()[number % len(known_rules())], alerts, world=world)
        return True

    with mock.patch.dict(os.environ):  # variables would win over every case
        for name in [name for name in os.environ if name.startswith("ROLLBACK_")]:
            del os.environ[name]
        yield check


@contextmanager
def _manifests(site: Site) -> Iterator[Check]:
    path = site.folder / "manifest.yaml"

    def check(data: bytes) -> bool:
        path.write_bytes(data)
        try:
            releases_read.read(path, "shop")
        except (Failed, Unusable) as error:
            hold(len(str(error)) > 12, "refused without a word")
            return False
        return True

    yield check


def _asked(kind: str) -> st.SearchStrategy[tuple[bytes, list[Any], int]]:
    return st.tuples(files(kind), ALERTS, _NUMBER)


def _listed(data: bytes) -> bytes:
    return b"[" + data + b"]"


_asked_of: dict[str, Callable[[Any], bool]] = {"rules": rules, "inventory": inventory, "facts": facts}
LOADERS = (
    *(pure(name, share, _asked(name), _asked_of[name]) for name, share in (("rules", 12), ("inventory", 6))),
    pure("facts", 6, _asked("facts"), facts),
    pure("tests", 2, files("tests"), tests),
    Target("settings", 5, _asked("settings"), _settings),
    Target("manifests", 3, files("manifests") | files("manifests").map(_listed), _manifests),
)
