"""What going back destroys is kept before: bounded, quick, and never a reason not to go back."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.kube_facts import deployment, pod, replicaset, template

from rules.decisions import Reason
from rules.errors import Permanent, RollbackError, Transient
from workers.kubernetes.evidence import Evidence
from workers.kubernetes.live import Live

V2 = template("v2")


class Answers:
    """A cluster whose logs and events are these, or an error; it counts what it is asked."""

    def __init__(self, log: str | RollbackError = "said", events: list[dict[str, Any]] | None = None) -> None:
        self._log, self._events = log, events or []
        self.asked: list[dict[str, Any]] = []

    def text(self, path: str, **query: Any) -> str:
        self.asked.append(query)
        if isinstance(self._log, RollbackError):
            raise self._log
        return self._log[: int(query["limitBytes"])]

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return {"items": self._events}


def container(name: str = "app", **status: Any) -> dict[str, Any]:
    return {"name": name, "ready": False, "containerID": "containerd://1", "restartCount": 0, **status}


def failing(count: int, **status: Any) -> Live:
    pods = [pod(f"web-{n}", "h2", ready=False, containerStatuses=[container(**status)]) for n in range(count)]
    return deployment(V2, [replicaset(2, V2)], pods)


def gathered(cluster: Answers, found: Live) -> Any:
    return Evidence(cluster, "shop", 1800).of(found)  # type: ignore[arg-type]


def test_the_present_and_the_previous_container_are_heard() -> None:
    """The one before is where a crash said why."""
    (kept,) = gathered(Answers(), failing(1, restartCount=2))["pods"]
    assert kept["logs"] == {"app (previous)": "said", "app (current)": "said"}
    assert kept["restarts"] == 2
    (kept,) = gathered(Answers(), failing(1))["pods"]
    assert kept["logs"] == {"app (current)": "said"}


def of_pod(*containers: dict[str, Any]) -> Live:
    return deployment(V2, [replicaset(2, V2)], [pod("web-0", "h2", ready=False, containerStatuses=[*containers])])


@pytest.mark.parametrize(
    ("containers", "heard"),
    [
        ([container("proxy"), container("app")], ["proxy (current)", "app (current)"]),
        ([container("proxy", ready=True), container("app")], ["app (current)"]),
        (
            [container("proxy"), container("app", restartCount=4, ready=True)],
            ["proxy (current)", "app (previous)", "app (current)"],
        ),
        ([container("proxy", containerID=""), container("app")], ["app (current)"]),
        ([container("proxy", ready=True), container("app", ready=True)], ["proxy (current)"]),
        ([container(name) for name in "abcdef"], ["a (current)", "b (current)", "c (current)"]),
    ],
    ids=["both-unready", "one-unready", "restarted", "never-started", "all-well", "many"],
)
def test_an_app_behind_a_sidecar_is_heard(containers: list[dict[str, Any]], heard: list[str]) -> None:
    """Every container that is not ready or began again, up to three of a pod."""
    (kept,) = gathered(Answers(), of_pod(*containers))["pods"]
    assert list(kept["logs"]) == heard


def test_a_sidecar_that_says_much_leaves_room_for_the_app() -> None:
    """What there is room for is shared among all that are asked."""
    (kept,) = gathered(Answers("x" * (1 << 20)), of_pod(container("proxy"), container("app")))["pods"]
    assert {name: len(log) for name, log in kept["logs"].items()} == {
        "proxy (current)": 32 << 10,
        "app (current)": 32 << 10,
    }


def test_three_pods_speak_for_all() -> None:
    """How many there were is kept too."""
    kept = gathered(Answers(), failing(30))
    assert (len(kept["pods"]), kept["failing"]) == (3, 30)


def test_a_container_that_never_started_has_no_log() -> None:
    """An image that cannot be pulled costs no question."""
    cluster = Answers()
    gathered(cluster, failing(2, containerID=""))
    assert cluster.asked == []


def test_logs_are_bounded_together() -> None:
    """Each by lines and age, all of them by bytes."""
    cluster = Answers("x" * (1 << 20))
    kept = gathered(cluster, failing(3, restartCount=1))
    assert sum(len(log or "") for one in kept["pods"] for log in one["logs"].values()) == 64 << 10
    assert {query["sinceSeconds"] for query in cluster.asked} == {"1800"}


@pytest.mark.parametrize("error", [Transient, Permanent])
def test_what_cannot_be_had_is_recorded_as_such(error: type[RollbackError]) -> None:
    """No right to read logs, a kubelet that does not answer: the rollback goes on."""
    kept = gathered(Answers(error(Reason.FORBIDDEN, "may not")), failing(1))
    assert kept["unavailable"] == ["log of web-0: may not"]


def test_only_events_about_the_workload_are_kept() -> None:
    """It, its revisions and its pods, the newest last; a namespace has many more."""

    def event(uid: str, at: str) -> dict[str, Any]:
        involved = {"kind": "Pod", "name": uid, "uid": uid}
        return {"involvedObject": involved, "reason": "BackOff", "message": "m", "lastTimestamp": at}

    events = [event("uid-web-0", "3"), event("rs-h2", "1"), event("w1", "2"), event("other", "4")]
    kept = gathered(Answers(events=events), failing(1))["events"]
    assert [one["about"] for one in kept] == ["pod rs-h2", "pod w1", "pod uid-web-0"]
