"""What `make fuzz` looks for it finds: for each invariant a fault is planted, and found in a few hundred cases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz.running import Run
from fuzz.target import Site, pure
from fuzz.targets import TARGETS, by_name
from hypothesis import strategies as st
from testbed.redis import Redis

import controller.web.receiver
import rules.durations
import rules.notifications
import rules.rulewriting
from controller.ledger import Answer, Ledger
from controller.settings import SettingsError
from controller.web.auth import Person
from controller.web.refusals import Refusal
from rules.matching.regexes import compile_anchored
from rules.notifications import BadBody
from rules.reading.fileerrors import FileError, RuleFileErrors
from workers.verifying.expressions import read_expression

CASES = 600
SEEDS = 8
"""So many seeds are tried until one finds it: what the cases are rests on more than the seed."""


def fails(*_: Any, **__: Any) -> Any:
    """Stand for whatever nobody foresaw."""
    raise KeyError("planted")


def forgets(self: Ledger, heard: Any) -> Answer:
    """Answer for a ledger that kept nothing."""
    return Answer(recorded=len(heard.items))


def keeps_first(prepare: Callable[..., Any]) -> Callable[..., Any]:
    """Write before it is known whether the body can be read."""

    def prepared(body: bytes, *more: Any) -> Any:
        Planted.redis.set("rc:planted", body)
        return prepare(body, *more)

    return prepared


class Planted:
    """What a planted fault writes to."""

    redis: Any = None


def refuses_without_place(*_: Any) -> Any:
    raise RuleFileErrors((FileError("rules.yaml", 0, 0, "somewhere something is wrong"),))


FAULTS: dict[str, tuple[str, str, Any, str]] = {
    "an error that nobody foresaw": ("receiver", "rules.notifications._read_status", fails, "KeyError"),
    "accepted, and not in the ledger": (
        "receiver",
        "controller.ledger.ledger.Ledger.hear",
        forgets,
        "no episode of",
    ),
    "refused, and something changed": (
        "receiver",
        "controller.web.receiver.prepare",
        keeps_first(controller.web.receiver.prepare),
        "changed something",
    ),
    "a status that is not documented": (
        "receiver",
        "controller.web.receiver.prepare",
        lambda *_: (_ for _ in ()).throw(Refusal(418, "a teapot reads no notification")),
        "answered 418",
    ),
    "an answer that is no sentence": (
        "receiver",
        "rules.notifications._read_root",
        lambda _: (_ for _ in ()).throw(BadBody("body", "")),
        "no sentence",
    ),
    "a good alert is told as bad": (
        "receiver",
        "rules.notifications._FINGERPRINT",
        rules.durations._PIECE,
        "told as bad",
    ),
    "a reader changes something": (
        "api",
        "controller.web.auth.Person.may",
        lambda self, role: bool(Person.__slots__ and role),
        "as reader changed something|as alertmanager changed something|as basic changed something",
    ),
    "an endpoint falls": ("api", "controller.web.hands.pauses_shown", fails, "KeyError"),
    "an endless answer": ("api", "controller.web.api.breakers_shown", lambda _: 1 / 0, "ZeroDivisionError"),
    "rules that raise something else": ("rules", "rules.rulefile.contradictions", fails, "KeyError"),
    "an error without a place": (
        "rules",
        "fuzz.loaders.parse_rules",
        refuses_without_place,
        "no place in the file",
    ),
    "words of a library": ("rules", "rules.reading.modelerrors._WANTED", {}, "words of a library"),
    "rules that cannot be judged": ("rules", "rules.explain.mismatch", fails, "KeyError"),
    "rules that mean something else once written": (
        "rules",
        "rules.rule.written",
        lambda rule: {**rules.rulewriting.written(rule), "mode": "observe"},
        "means something else",
    ),
    "an inventory that raises": ("inventory", "rules.inventory._shared_links", fails, "KeyError"),
    "facts that no guard can be asked with": ("facts", "rules.explain.mismatch", fails, "KeyError"),
    "tests of rules that fall": ("tests", "rules.testrun.explain", fails, "KeyError"),
    "settings whose errors have no place": (
        "settings",
        "fuzz.loaders.load_settings",
        lambda _: (_ for _ in ()).throw(SettingsError("something is wrong")),
        "an error without a place",
    ),
    "manifests that fall": ("manifests", "controller.cli.releases_read.read_yaml", fails, "KeyError"),
    "a matcher that is read as another": (
        "matchers",
        "rules.matchers._quote",
        repr,
        "is read as something else|Error",
    ),
    "an expression of another language": (
        "regexes",
        "rules.matching.regexes.to_re2",
        str.upper,
        "does not match",
    ),
    "a duration that is lost": ("durations", "rules.durations._MOST_DIGITS", 9_999, "Error"),
    "a time that is no number": ("timestamps", "rules.notifications._EPOCH", None, "TypeError"),
    "an identity that is another": ("instances", "fuzz.words.read_instance", fails, "KeyError"),
    "a template that loses the value": ("templates", "rules.templates._value", lambda *_: "", "is not in"),
    "a value that leaves its quotes": (
        "promql",
        "rules.promql.quoted",
        lambda value: f'"{value}"',
        "Error|became|made",
    ),
    "a value that is an expression": ("promql", "rules.promql.literally", str, "matches not only itself|Error"),
    "an expression that is too long": (
        "expressions",
        "workers.verifying.expressions._looks_back_s",
        fails,
        "KeyError",
    ),
}


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    """Forget what was worked out before, and what was worked out with a fault."""
    caches = (compile_anchored, rules.notifications._parse_timestamp, read_expression)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(
    name: str, tmp_path: Path, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its smallest input, and with what replays it."""
    target, where, instead, said = FAULTS[name]
    with redis_server.client() as Planted.redis, by_name(target).opened(Site(tmp_path, redis_server)) as check:
        monkeypatch.setattr(where, instead)
        runs = (Run(by_name(target), check).go(CASES, seed).crashes for seed in range(SEEDS))
        found = next(filter(None, runs), None)
        assert found is not None, "it was not found"
        assert any(word in found[0].what for word in said.split("|")), found[0].what
        assert found[0].case
        again = Run(by_name(target), check).replay(found[0].replay)
    assert [crash.kind for crash in again.crashes] == [found[0].kind]


def test_every_target_is_shown_to_fail() -> None:
    """None of them is a formality."""
    assert {target for target, *_ in FAULTS.values()} == {target.name for target in TARGETS}


def test_a_case_that_never_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is bounded by the work of this process, not by the time of the day."""
    monkeypatch.setattr("fuzz.running.MOST_WORK_S", 0.05)

    def turns(case: int) -> bool:
        while case > 100:
            pass
        return True

    found = Run(pure("turns", 1, st.integers(0, 10_000), turns), turns).go(100, 0).crashes
    assert found[0].what.startswith("TooMuchWorkError")
    assert found[0].case == "101"


DIES = """
import os, sys
from pathlib import Path
from hypothesis import strategies as st
from fuzz.running import Run
from fuzz.target import pure

def dies(case):
    return case <= 100 or os._exit(9)

Run(pure("dies", 1, st.integers(0, 10_000), dies), dies, Path(sys.argv[1])).go(100, 0)
"""


def test_a_case_that_ends_the_process_is_found(tmp_path: Path) -> None:
    """What it was is written down before it is tried."""
    last = tmp_path / "dies.last"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    argv = [sys.executable, "-c", DIES, str(last)]
    assert subprocess.run(argv, env=env, check=False, timeout=60).returncode == 9
    assert int(last.read_text()) > 100
