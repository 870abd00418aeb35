"""A cluster that does not answer costs a notification two calls, and what may pass by itself decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rules.alerts import Alert
from rules.decisions import Outcome, Reason
from rules.errors import Permanent, RollbackError, Transient
from rules.rule import KubernetesTarget, Rule, Target, When
from rules.templates import Template
from rules.to import Previous
from workers.kubernetes import failures
from workers.kubernetes.finding import KubernetesFinder

RULE = Rule(
    "r", When(), Target(kubernetes=KubernetesTarget(cluster=Template("{{ $labels.cluster }}"))), (Previous(),)
)
UNREACHABLE = failures.Unreachable(Reason.UNREACHABLE, "no answer within 4 s; tried again")
THROTTLED = failures.Throttled(Reason.THROTTLED, "too much to do; asked again in 1 s", retry_after_s=1)
API_ERROR = failures.ApiError(Reason.API_ERROR, "answered 500; tried again")
UNAUTHORIZED = failures.Unauthorized(Reason.UNAUTHORIZED, "does not know us: renew its credentials")
CERTIFICATE = failures.BadCertificate(Reason.CERTIFICATE, "its certificate is another's")
FORBIDDEN = failures.Forbidden(Reason.FORBIDDEN, "not allowed: add this line to a Role")
NOT_FOUND = failures.NotFound(Reason.WORKLOAD_UNKNOWN, "there is none")


class FakeCluster:
    """Notes every question; `ask` answers it, or raises."""

    def __init__(self, name: str, ask: Callable[[str], Any]) -> None:
        self.name = name
        self.namespaces: tuple[str, ...] = ()
        self.asked: list[str] = []
        self._ask = ask

    def get(self, path: str, **_: object) -> Any:
        self.asked.append(path)
        return self._ask(path)

    list = get

    def close(self) -> None: ...


def failing(error: RollbackError, *names: str) -> Callable[[str], Any]:
    """Fail for all names, or for those alone; whatever else is asked for is not there."""

    def ask(path: str) -> Any:
        raise error if not names or path.rsplit("/", 1)[1] in names else NOT_FOUND

    return ask


def finding(*clusters: FakeCluster) -> KubernetesFinder:
    by_name: Any = {cluster.name: cluster for cluster in clusters}
    return KubernetesFinder(by_name.__getitem__, list(by_name))


def about(name: str, cluster: str = "eu") -> Alert:
    return Alert(name, "firing", {"namespace": "shop", "deployment": name, "cluster": cluster}, {}, 0)


def outcome(finder: KubernetesFinder, alert: Alert) -> str:
    """Return the reason, marked where it decides nothing."""
    try:
        _, decision = finder.find(RULE, alert, ())
    except Transient as error:
        return f"later: {error.reason}"
    assert decision is not None
    return decision.reason


@pytest.mark.parametrize("error", [UNREACHABLE, THROTTLED, API_ERROR, UNAUTHORIZED, CERTIFICATE], ids=repr)
def test_a_cluster_that_hangs_is_not_waited_for_once_per_alert(error: RollbackError) -> None:
    """After two questions without an answer every other alert hears the same at once; other clusters are asked."""
    eu, us = FakeCluster("eu", failing(error)), FakeCluster("us", failing(NOT_FOUND))
    finder = finding(eu, us)
    assert {outcome(finder, about(f"web{n}")) for n in range(50)} == {f"later: {error.reason}"}
    assert len(eu.asked) == 2
    assert outcome(finder, about("web", "us")) == Reason.WORKLOAD_UNKNOWN


def test_the_next_job_asks_again() -> None:
    """What is remembered, is for one job."""
    eu = FakeCluster("eu", failing(UNREACHABLE))
    for _ in range(2):
        assert outcome(finding(eu), about("web")) == "later: unreachable"
    assert len(eu.asked) == 2


def test_one_question_that_is_too_much_does_not_stand_for_the_cluster() -> None:
    """It is asked once; alerts that need others are decided, however often it comes between them."""
    eu = FakeCluster("eu", failing(UNREACHABLE, "big"))
    finder = finding(eu)
    for n in range(5):
        assert outcome(finder, about("big")) == "later: unreachable"
        assert outcome(finder, about(f"web{n}")) == Reason.WORKLOAD_UNKNOWN
    assert [path.rsplit("/", 1)[1] for path in eu.asked] == ["big", *(f"web{n}" for n in range(5))]


def test_what_was_answered_before_stays_known() -> None:
    """A cluster that goes away in the middle takes back nothing that it said."""
    away: list[str] = []

    def ask(path: str) -> Any:
        raise UNREACHABLE if away else NOT_FOUND

    finder = finding(FakeCluster("eu", ask))
    assert outcome(finder, about("web")) == Reason.WORKLOAD_UNKNOWN
    away.append("now")
    assert [outcome(finder, about(name)) for name in ("a", "b", "web")] == [
        "later: unreachable",
        "later: unreachable",
        Reason.WORKLOAD_UNKNOWN,
    ]


def test_what_is_forbidden_is_asked_once_and_does_not_stand_for_the_cluster() -> None:
    """Rights are given by kind and namespace."""
    eu = FakeCluster("eu", failing(FORBIDDEN, "a", "b", "c"))
    finder = finding(eu)
    assert [outcome(finder, about(name)) for name in ("a", "b", "c", "a", "web")] == [
        *["later: forbidden"] * 4,
        Reason.WORKLOAD_UNKNOWN,
    ]
    assert len(eu.asked) == 4


@pytest.mark.parametrize(
    ("reason", "passes"),
    [
        (Reason.FORBIDDEN, True),
        (Reason.UNAUTHORIZED, True),
        (Reason.CERTIFICATE, True),
        (Reason.TARGET_MISCONFIGURED, True),
        (Reason.CLUSTER_UNKNOWN, False),
        (Reason.TARGET_REFUSED, False),
    ],
)
def test_what_somebody_may_mend_meanwhile_is_asked_again(reason: Reason, passes: bool) -> None:
    """In the words of the cluster; the rest holds at once."""
    finder = finding(FakeCluster("eu", failing(Permanent(reason, "what to do next"))))
    if passes:
        with pytest.raises(Transient, match="what to do next") as later:
            finder.find(RULE, about("web"), ())
        assert later.value.reason is reason
        return
    found, decision = finder.find(RULE, about("web"), ())
    assert decision is not None
    assert (found, decision.outcome, decision.reason) == ((), Outcome.HOLD, reason)
