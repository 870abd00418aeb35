"""Whether Prometheus still sees an instance: its targets, and the metrics that its alert is judged by."""

from __future__ import annotations

import time
from collections.abc import Iterable

import promql_parser
import pytest

from rules.decisions import Reason
from rules.errors import Transient
from rules.facts import Sample
from rules.instances import HostInstance, Instance, WorkloadInstance, WorkloadKind
from workers.verifying.asking import Asking
from workers.verifying.series import selection, selection_before
from workers.verifying.watch import Watch, Watcher

HOST = HostInstance("default", "shop", "web2")
WORKLOAD = WorkloadInstance("eu", "prod", WorkloadKind.DEPLOYMENT, "web")
BEFORE, NOW = 1_000_000, 2_000_000


class Answers:
    """A Prometheus that has samples now, and had others before; without one of the two it does not answer."""

    def __init__(self, now: Iterable[Sample] | None = (), before: Iterable[Sample] | None = ()) -> None:
        self.has = {NOW: now, BEFORE: before}

    def query(self, promql: str) -> tuple[Sample, ...]:
        """Answer for now."""
        return self.query_at(promql, NOW)

    def query_at(self, promql: str, at_ms: int) -> tuple[Sample, ...]:
        """Answer, by what is asked for: targets, or names of metrics."""
        promql_parser.parse(promql)
        samples = self.has[at_ms]
        if samples is None:
            raise Transient(Reason.MONITORING_BLIND, "Prometheus does not answer")
        asks_up = promql.startswith("up{")
        return tuple(one for one in samples if ("__name__" in one.labels) != asks_up)


def up(value: float, **labels: str) -> Sample:
    """Return a target's sample."""
    return Sample(value, labels)


def metric(name: str) -> Sample:
    """Return the name of a metric that there is."""
    return Sample(1, {"__name__": name})


def look(
    answers: Answers, instance: Instance, targets: tuple[str, ...] | None, *metrics: str
) -> tuple[Watch, str]:
    """Look; returns why it could not be known, too."""
    asking = Asking(time.monotonic() + 60)
    return Watcher(answers, asking, instance, BEFORE, NOW).look(targets, metrics), asking.blind


AT = {"instance": "10.0.0.3:9100"}
POD, OLD_POD = ({"namespace": "prod", "pod": f"web-{at}-x"} for at in ("new", "old"))
CASES = {
    "a host, scraped": (Answers([up(1, **AT)]), HOST, ("10.0.0.3",), True, True),
    "a host by its own word": (Answers([up(1, instance="shop@web2")]), HOST, ("shop@web2",), True, True),
    "one of two targets is down": (
        Answers([up(1, **AT), up(0, instance="10.0.0.3:80")]), HOST, ("10.0.0.3",), True, False
    ),
    "a target before, none now": (Answers((), [up(1, **AT)]), HOST, ("10.0.0.3",), True, False),
    "never a target": (Answers(), HOST, ("10.0.0.3",), False, None),
    "a host that nobody knows any more": (Answers(), HOST, None, True, None),
    "a workload, scraped": (Answers([up(1, **POD)]), WORKLOAD, ("web-new-x",), True, True),
    "a workload of another name for pods": (
        Answers([up(1, kubernetes_namespace="prod", kubernetes_pod_name="web-new-x")]),
        WORKLOAD, ("web-new-x",), True, True,
    ),
    "a workload elsewhere": (
        Answers([up(1, namespace="test", pod="web-new-x")]), WORKLOAD, ("web-new-x",), False, None
    ),
    "its pods are not found": (Answers((), [up(1, **OLD_POD)]), WORKLOAD, ("web-new-x",), True, False),
    "not seen since the change": (Answers([up(1, **POD)]), WORKLOAD, None, True, None),
    "scaled to zero": (Answers(), WORKLOAD, (), False, None),
    "no answer": (Answers(None), HOST, ("10.0.0.3",), True, None),
    "no answer about before": (Answers((), None), HOST, ("10.0.0.3",), True, None),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "instance", "targets", "expected", "scraped"), CASES.values(), ids=CASES)
def test_whether_it_is_scraped(answers, instance, targets, expected, scraped):
    """And whether it ought to be: not what never was a target, nor what has nothing to scrape."""
    found, _ = look(answers, instance, targets)
    assert (found.expected, found.scraped.value if found.scraped else None) == (expected, scraped)


def test_metrics_before_and_after():
    """Only what it told before can be gone; what cannot be asked is not."""
    had = [metric("errors_total"), metric("requests_total")]
    has = [up(1, **AT), metric("requests_total")]
    wanted = ("errors_total", "requests_total", "never_seen")
    found, _ = look(Answers(has, had), HOST, ("10.0.0.3",), *wanted)
    assert found.gone == ("errors_total",)
    found, blind = look(Answers(has, None), HOST, ("10.0.0.3",), *wanted)
    assert (found.gone, blind) == ((), "Prometheus does not answer")


NASTY = ['a"b', "a\\b", "a|b.c*", "é", "a\nb", "[::1]", ""]


@pytest.mark.parametrize("word", NASTY)
@pytest.mark.parametrize("instance", [HOST, WORKLOAD])
def test_whatever_a_target_is_called_stays_one_string(instance, word):
    """The queries can be parsed, and select by nothing else."""
    for chosen in (selection(instance, [word]), selection_before(instance, [word])):
        for promql in (chosen.up(), chosen.names(["errors_total"])):
            promql_parser.parse(promql)
