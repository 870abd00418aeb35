"""When the present template came to a workload, by its own history: exactly, or between two moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testbed.kube_facts import WEB, controller_revision, deployment, pod, replicaset, template, workload

from rules.facts import Arrival, Hand
from rules.instances import WorkloadKind
from workers.kubernetes.arrivals import arrived, history
from workers.kubernetes.live import Live, live
from workers.kubernetes.rostering import look_of
from workers.kubernetes.templates import sha_of

V1, V2, V3 = template("v1"), template("v2"), template("v3")
NOW = 10_000_000
WROTE_NUMBER = {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}
WROTE_TEMPLATE = {"f:spec": {"f:template": {"f:spec": {}}}}
Object = dict[str, Any]


def at(seconds: int) -> str:
    return f"1970-01-01T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"


def made(obj: Object, seconds: int, **written: int) -> Object:
    """Say when an object was made, and when its number was last written."""
    obj["metadata"]["creationTimestamp"] = at(seconds)
    fields = {"number": WROTE_NUMBER, "revision": {"f:revision": {}}}
    obj["metadata"]["managedFields"] = [
        {"manager": "kube-controller-manager", "time": at(when), "fieldsV1": fields[what]}
        for what, when in written.items()
    ]
    return obj


def again(number: int, release: Object, *before: int) -> Object:
    """Return a ReplicaSet that came again under another number."""
    earlier = ",".join(map(str, before))
    return replicaset(
        number, release, made_hash=f"h{before[0]}", **{"deployment.kubernetes.io/revision-history": earlier}
    )


def written(found: Live, seconds: int, manager: str = "kubectl-rollout") -> Live:
    """Say when the template was last written."""
    found.workload["metadata"]["managedFields"] = [
        {"manager": manager, "time": at(seconds), "fieldsV1": WROTE_TEMPLATE},
        {"manager": "kube-controller-manager", "time": at(9_000), "fieldsV1": {"f:status": {}}},
    ]
    return found


def test_a_revision_that_was_made_anew_came_as_it_was_made() -> None:
    """Whatever its pods did since."""
    found = deployment(V2, [made(replicaset(1, V1), 10), made(replicaset(2, V2), 100, number=900)])
    assert arrived(found, NOW) == Arrival(100_000, 100_000)


def test_a_pod_restart_is_no_arrival() -> None:
    """Neither the arrival nor what pins it knows of pods."""
    kept = [made(replicaset(1, V1), 10), made(replicaset(2, V2), 100)]
    young = pod("b", "h2", metadata={"creationTimestamp": at(5_000)})
    before, after = deployment(V2, kept, [pod("a", "h2")]), deployment(V2, kept, [young])
    assert (arrived(before, NOW), before.arrival) == (arrived(after, NOW), after.arrival)


def test_an_undo_by_a_person_to_an_old_revision_is_an_arrival() -> None:
    """After what was made before it, and by the write of its number or of the template, whichever was earlier."""
    kept = [made(again(3, V1, 1), 10, number=450), made(replicaset(2, V2), 100)]
    assert arrived(written(deployment(V1, kept), 400), NOW) == Arrival(400_000, 100_000)
    assert arrived(written(deployment(V1, kept), 700), NOW) == Arrival(450_000, 100_000)


def test_an_undo_of_which_nothing_else_is_known_came_by_now() -> None:
    """A cluster may keep no managed fields."""
    kept = [made(again(3, V1, 1), 10), made(replicaset(2, V2), 100)]
    assert arrived(deployment(V1, kept), NOW) == Arrival(NOW, 100_000)


def test_what_came_before_an_undo_is_remembered_with_its_time() -> None:
    """Each coming: exactly where a revision was made, else between its neighbours."""
    kept = [made(again(5, V1, 1, 3), 10, number=450), made(replicaset(2, V2), 100), made(replicaset(4, V3), 300)]
    assert [(came.number, came.release, came.arrival) for came in history(deployment(V1, kept), NOW)] == [
        (1, "v1+h1", Arrival(10_000, 10_000)),
        (2, "v2+h2", Arrival(100_000, 100_000)),
        (3, "v1+h1", Arrival(300_000, 100_000)),
        (4, "v3+h4", Arrival(300_000, 300_000)),
        (5, "v1+h1", Arrival(450_000, 300_000)),
    ]


def test_a_restart_is_no_arrival() -> None:
    """It makes another revision of the same release, which came with the first of these."""
    restarted = template("v2")
    restarted["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    kept = [made(replicaset(1, V1), 10), made(replicaset(2, V2), 100), made(replicaset(3, restarted), 500)]
    assert arrived(deployment(restarted, kept), NOW) == Arrival(100_000, 100_000)


def test_a_release_that_was_away_in_between_came_again() -> None:
    """Only what follows one on another is one stay; a number that is missing may have been anything."""
    kept = [made(replicaset(1, V2), 10), made(replicaset(2, V1), 50), made(replicaset(3, V2), 100)]
    assert arrived(deployment(V2, kept), NOW) == Arrival(100_000, 100_000)
    assert arrived(deployment(V2, [kept[0], kept[2]]), NOW) == Arrival(100_000, 100_000)


def ours(who: str) -> Object:
    """Return the annotations of our own write of v1."""
    return {
        "rollback-controller.io/release": "v1+h1",
        "rollback-controller.io/template": sha_of(V1),
        "rollback-controller.io/rollback": "r1",
        "rollback-controller.io/rule": who,
    }


@pytest.mark.parametrize(
    ("who", "hand", "name"),
    [("rule canary", Hand.ROLLBACK, "r1"), ("", Hand.ROLLBACK, "r1"), ("ann", Hand.PERSON, "ann")],
)
def test_our_own_rollback_is_an_arrival_of_ours(who: str, hand: Hand, name: str) -> None:
    """A person's bears their name. Our entry in the managed fields is gone, so the others' tell nothing of it."""
    kept = [made(again(3, V1, 1), 10, number=450), made(replicaset(2, V2), 100)]
    found = written(deployment(V1, kept, annotations=ours(who)), 100, manager="kubectl-apply")
    assert arrived(found, NOW) == Arrival(450_000, 100_000, hand, name)


def test_a_time_that_is_older_than_what_was_made_before_is_none() -> None:
    """An older API server leaves it as it was where only a value changed."""
    kept = [made(again(3, V1, 1), 10, number=10), made(replicaset(2, V2), 100)]
    assert arrived(written(deployment(V1, kept), 10), NOW) == Arrival(NOW, 100_000)


def test_after_a_second_undo_no_time_of_a_write_counts() -> None:
    """It may be that of the first."""
    kept = [made(again(5, V1, 1, 3), 10, number=300), made(again(4, V2, 2), 100, number=350)]
    assert arrived(written(deployment(V1, kept), 300), NOW) == Arrival(NOW, 100_000)


@pytest.mark.parametrize("kind", [WorkloadKind.STATEFULSET, WorkloadKind.DAEMONSET])
@pytest.mark.parametrize(
    ("known", "came"),
    [
        ([(1, V1, 10, 10)], Arrival(10_000, 10_000)),
        ([(2, V1, 200, 200), (1, V2, 100, 100)], Arrival(200_000, 200_000)),
        ([(3, V1, 10, 400), (2, V2, 100, 100)], Arrival(400_000, 100_000)),
        ([(3, V1, 10, 10), (2, V2, 100, 100)], Arrival(NOW, 100_000)),
        ([(3, V1, 10, None), (2, V2, 100, None)], Arrival(NOW, 100_000)),
        ([(4, V1, 300, 300), (3, V2, 10, 10), (2, V3, 100, 100)], Arrival(300_000, 300_000)),
        ([(4, V1, 100, 100), (3, V2, 10, 10)], Arrival(NOW, 100_000)),
    ],
    ids=[
        "the first",
        "the second",
        "an undo",
        "an undo, on an older API server",
        "an undo of which nothing is written",
        "a new one after an undo",
        "perhaps an undo of an undo",
    ],
)
def test_controller_revisions_say_by_their_numbers_whether_they_came_again(
    kind: WorkloadKind, known: list[tuple[int, Object, int, int | None]], came: Arrival
) -> None:
    """Each has only the number it came with last; those of the others, and when they were made, tell the rest."""
    kept = [
        made(
            controller_revision(number, release, name=f"web-{number}"), seconds, **({"revision": at} if at else {})
        )
        for number, release, seconds, at in known
    ]
    found = live(kind, workload(V1, status={"updateRevision": f"web-{known[0][0]}"}), kept, [])
    assert arrived(found, NOW) == came


@pytest.mark.parametrize(("limit", "came"), [(2, Arrival(300_000, 300_000)), (10, Arrival(NOW, 300_000))])
def test_where_the_oldest_revisions_are_forgotten_a_row_tells(limit: int, came: Arrival) -> None:
    """Where none was, the numbers that are missing were theirs who came again."""
    known = ((9, V1, 300), (8, V2, 200), (7, V3, 100))
    kept = [made(controller_revision(n, release, name=f"web-{n}"), at, revision=at) for n, release, at in known]
    status = {"updateRevision": "web-9"}
    found = live(WorkloadKind.STATEFULSET, workload(V1, status=status, revisionHistoryLimit=limit), kept, [])
    assert arrived(found, NOW) == came


def test_what_has_no_revision_yet_has_not_come() -> None:
    """Its controller is about to make one."""
    found = live(WorkloadKind.STATEFULSET, workload(V1, status={"updateRevision": "web-a"}), [], [])
    assert arrived(found, NOW) is None
    assert look_of(WEB, found, {}, NOW) is None


def test_the_roster_keeps_what_a_workload_was_before() -> None:
    """By the words for the present release; its service and environment are those of its pods."""
    labels = {"app.kubernetes.io/name": "shop", "env": "prod"}
    one, two = template("v1", labels=labels), template("v2", labels=labels)
    kept = [made(replicaset(1, one), 10), made(replicaset(2, two), 100)]
    status = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}
    look = look_of(WEB, deployment(two, kept, [pod("a", "h2"), pod("b", "h2")], status=status), {}, NOW)
    assert look is not None
    assert (look.service, look.environment, look.place) == ("shop", "prod", "kubernetes/eu")
    assert (look.names[:2], look.pin, look.healthy) == (("v2+h2", "v2"), "w1/2/h2", True)
    assert [(past.pin, past.release) for past in look.earlier] == [("w1/1/h1", "v1+h1")]
    assert set(look.targets) == {"a", "b"}


@pytest.mark.parametrize(
    ("status", "replicas", "healthy"),
    [
        ({"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}, 2, True),
        ({"updatedReplicas": 1, "replicas": 3, "availableReplicas": 2}, 2, False),
        ({"updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}, 2, False),
        ({}, 0, None),
    ],
    ids=["rolled out", "the old pods still serve", "a pod is not well", "no pods"],
)
def test_healthy_means_rolled_out_as_a_whole(status: Object, replicas: int, healthy: bool | None) -> None:
    """Pods of the release before say nothing about this one."""
    found = deployment(V2, [replicaset(1, V1), replicaset(2, V2)], [], status=status, replicas=replicas)
    look = look_of(WEB, found, {}, NOW)
    assert look is not None
    assert look.healthy is healthy


def played_deployment(deploys: list[tuple[int, int]], *, old_server: bool) -> tuple[Live, int]:
    """Deploy templates at times as a Deployment's controller does; return it, and when the last one came."""
    sets: dict[int, Object] = {}
    number, came, wrote, managed, what_now = 0, 0, 0, False, -1
    for what, at_s in deploys:
        if what == what_now:
            continue
        number, what_now, came = number + 1, what, at_s
        wrote = wrote if old_server and managed else at_s
        managed = True
        if what not in sets:
            sets[what] = {"made": at_s, "numbers": [], "written": at_s}
        elif not old_server or len(sets[what]["numbers"]) == 1:  # the annotation of earlier numbers is a new field
            sets[what]["written"] = at_s
        sets[what]["numbers"].append(number)
        sets[what]["number"] = number
    kept = []
    for what, one in sets.items():
        earlier = ",".join(map(str, one["numbers"][:-1]))
        more = {"deployment.kubernetes.io/revision-history": earlier} if earlier else {}
        kept.append(
            made(
                replicaset(one["number"], template(f"v{what}"), made_hash=f"h{what}", **more),
                one["made"],
                number=one["written"],
            )
        )
    return written(deployment(template(f"v{what_now}"), kept), wrote), came


def played_stateful_set(deploys: list[tuple[int, int]], *, old_server: bool) -> tuple[Live, int]:
    """Deploy templates at times as a StatefulSet's controller does."""
    revisions: dict[int, list[int]] = {}
    number, came, now = 0, 0, -1
    for what, at_s in deploys:
        if what == now:
            continue
        number, now, came = number + 1, what, at_s
        made_s, _, written_s = revisions.get(what, [at_s, 0, at_s])
        revisions[what] = [made_s, number, written_s if old_server else at_s]
    kept = [
        made(controller_revision(count, template(f"v{what}"), name=f"web-{what}"), made_s, revision=written_s)
        for what, (made_s, count, written_s) in revisions.items()
    ]
    status = {"updateRevision": f"web-{now}"}
    return live(WorkloadKind.STATEFULSET, workload(template(f"v{now}"), status=status), kept, []), came


DEPLOYS = st.lists(st.tuples(st.integers(0, 3), st.integers(2, 50)), min_size=1, max_size=12).map(
    lambda steps: [(what, sum(gap for _, gap in steps[: n + 1])) for n, (what, _) in enumerate(steps)]
)


@pytest.mark.parametrize("play", [played_deployment, played_stateful_set])
@given(deploys=DEPLOYS, old_server=st.booleans())
def test_whatever_was_deployed_the_interval_holds_the_moment(
    play: Callable[..., tuple[Live, int]], deploys: list[tuple[int, int]], old_server: bool
) -> None:
    """Releases that come and go, again and again; and whether or not the API server notes a value that changed."""
    found, came_s = play(deploys, old_server=old_server)
    came = arrived(found, NOW)
    assert came is not None
    assert came.earliest_ms <= came_s * 1000 <= came.by_ms
