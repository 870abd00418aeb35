"""A job asks Prometheus nothing twice, and waits for one that hangs once, not once for each alert."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from rules.alerts import Alert
from rules.decisions import Reason
from rules.errors import Permanent, Transient
from rules.facts import Fact, Sample
from workers.gathering.sparing import Sparing

ALERT = Alert("aa", "firing", {"alertname": "HighErrorRate"}, {}, 1_000)


@dataclass
class Asked:
    """A Prometheus that counts, and raises what it is told to."""

    raises: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def query(self, promql: str) -> tuple[Sample, ...]:
        """Answer a query."""
        self._hear(promql)
        return (Sample(1.0),)

    def active_since(self, alert: Alert) -> Fact[int] | None:
        """Tell an onset."""
        self._hear(alert.fingerprint)
        return None

    def _hear(self, what: str) -> None:
        self.asked.append(what)
        if self.raises is not None:
            raise self.raises


def test_a_query_is_asked_once() -> None:
    """Thirty alerts behind one rollback ask the same thing."""
    asked = Asked()
    sparing = Sparing(asked)  # type: ignore[arg-type]
    assert [sparing.query("up") for _ in range(30)] == [(Sample(1.0),)] * 30
    assert asked.asked == ["up"]


def test_one_that_does_not_answer_is_left_alone_for_a_while() -> None:
    """Everything is unknown at once, until it may have come back."""
    now = [100.0]
    asked = Asked(Transient(Reason.MONITORING_BLIND, "did not answer within 2 s"))
    sparing = Sparing(asked, lambda: now[0])  # type: ignore[arg-type]
    for ask in (lambda: sparing.query("up"), lambda: sparing.query("down"), lambda: sparing.active_since(ALERT)):
        with pytest.raises(Transient, match="did not answer"):
            ask()
    assert asked.asked == ["up"]
    now[0] += 11
    asked.raises = None
    assert sparing.query("up") == (Sample(1.0),)


def test_a_query_that_is_none_silences_no_other() -> None:
    """That is its author's mistake, and Prometheus answered."""
    asked = Asked(Permanent(Reason.REQUIREMENT_UNKNOWN, "no query"))
    sparing = Sparing(asked)  # type: ignore[arg-type]
    with pytest.raises(Permanent):
        sparing.query("up{")
    asked.raises = None
    assert sparing.query("up") == (Sample(1.0),)
