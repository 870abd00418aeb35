"""What a workload ran, by its own history: what could be gone back to, in which order, by which name."""

from __future__ import annotations

import pytest
from testbed.kube_facts import (
    DIGEST,
    OTHER_DIGEST,
    controller_revision,
    deployment,
    marked,
    pod,
    replicaset,
    template,
    workload,
)

from rules.decisions import Reason
from rules.instances import WorkloadKind
from rules.observations import Observation
from rules.releases import choose
from rules.rule import Pin, Restore
from rules.to import Previous, Version
from workers.kubernetes.history import Revision
from workers.kubernetes.live import Live, live
from workers.kubernetes.releases import releases_seen
from workers.kubernetes.restoring import Restoration, restoration

V1, V2, V3 = template("v1"), template("v2"), template("v3")
SETTLED = (Restore.AUTO, Pin.AUTO)


def names(found: Live) -> list[str]:
    """Return the names of the earlier releases, best first."""
    return [found.name_of(revision) for revision in found.earlier]


def goes_to(found: Live, *to: Previous | Version, left: frozenset[str] = frozenset()) -> str | None:
    releases = releases_seen(found, {}, *SETTLED)
    seen = Observation(found.running, found.arrival, 0, releases, no_history=found.no_history)
    return choose(to or (Previous(),), seen, left).chosen


def test_releases_are_named_by_version_and_hash() -> None:
    """And an arrival by the workload's uid, the revision's number and its hash."""
    found = deployment(V2, [replicaset(1, V1), replicaset(2, V2)])
    assert (found.running, found.arrival) == ("v2+h2", "w1/2/h2")
    assert names(found) == ["v1+h1"]


def test_a_release_that_comes_again_arrives_anew() -> None:
    """Its ReplicaSet is the same, its number is not."""
    found = deployment(V1, [replicaset(3, V1, made_hash="h1"), replicaset(2, V2)])
    assert (found.running, found.arrival) == ("v1+h1", "w1/3/h1")


def test_only_what_the_workload_owns_is_its_history() -> None:
    """A ReplicaSet of a Deployment of the same labels, or of one that had its name before, is another's."""
    stranger = replicaset(1, V1, owner="w0")
    assert names(deployment(V2, [stranger, replicaset(2, V2)])) == []


def test_a_restart_makes_no_other_release() -> None:
    """What equals the present template is no way back; of equal ones the newest stands for all."""
    restarted = template("v1")
    restarted["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    history = [replicaset(1, V1), replicaset(2, restarted), replicaset(3, V2), replicaset(4, template("v2"))]
    found = deployment(V2, history)
    assert names(found) == ["v1+h2"]


def test_what_pods_still_serve_stands_before_what_no_pod_runs() -> None:
    """Mid-rollout: v3 came over v2 while v2 never got ready, and v1 still serves."""
    history = [replicaset(1, V1), replicaset(2, V2), replicaset(3, V3)]
    pods = [
        pod(name, made, ready=made == "h1", digest=f"sha256:{name * 64}")
        for name, made in (("a", "h1"), ("b", "h2"), ("c", "h3"))
    ]
    found = deployment(V3, history, pods)
    assert names(found) == ["v1+h1", "v2+h2"]
    assert goes_to(found) == "v1+h1"


def test_numbers_decide_where_nobody_serves() -> None:
    """The newest first, whatever its age: a reused ReplicaSet keeps its creation time."""
    history = [replicaset(5, V1, made_hash="h1"), replicaset(4, V3), replicaset(6, V2)]
    assert goes_to(deployment(V2, history)) == "v1+h1"


@pytest.mark.parametrize("word", ["v1+h1", "v1", "1", "7", DIGEST])
def test_a_release_is_found_by_any_of_its_names(word: str) -> None:
    """Name, tag, present and earlier revision numbers, digest."""
    history = [
        replicaset(7, V1, made_hash="h1", **{"deployment.kubernetes.io/revision-history": "1,4"}),
        replicaset(8, V2),
    ]
    found = deployment(V2, history, [pod("a", "h1")])
    assert goes_to(found, Version(word)) == "v1+h1"


def test_what_we_pinned_keeps_the_name_it_was_brought_under() -> None:
    """By the sum of its template; a later release that carries copies of our annotations is its own."""
    pinned = template(app=f"shop/app@{DIGEST}")
    ours = marked("v1+h1", pinned)
    brought = deployment(pinned, [replicaset(1, V1), replicaset(2, V2), replicaset(3, pinned)], annotations=ours)
    assert brought.running == "v1+h1"
    history = [replicaset(1, V1), replicaset(2, V2), replicaset(3, pinned, **ours), replicaset(4, V3, **ours)]
    after = deployment(V3, history, annotations=ours)
    assert after.running == "v3+h4"
    assert names(after) == ["v1+h1", "v2+h2", "v1+h1"]
    assert [release.name for release in releases_seen(after, {}, *SETTLED)] == ["v3+h4", "v1+h1", "v2+h2"]


def test_what_was_left_is_left_under_every_name() -> None:
    """The bits of a bad release are not gone to because a restart gave them another hash."""
    history = [replicaset(2, V2), replicaset(3, template("v2"), made_hash="h3"), replicaset(4, V1, made_hash="h1")]
    assert goes_to(deployment(V1, history), left=frozenset({"v2+h3"})) is None


@pytest.mark.parametrize(
    ("history", "spec", "reason"),
    [
        ([replicaset(1, V1)], {}, Reason.FIRST_RELEASE),
        ([replicaset(4, V1)], {}, Reason.NO_HISTORY),
        ([replicaset(4, V1)], {"revisionHistoryLimit": 0}, Reason.NO_HISTORY),
    ],
    ids=["first", "forgotten", "none-is-kept"],
)
def test_why_there_is_nothing_to_go_back_to(
    history: list[dict[str, object]], spec: dict[str, int], reason: Reason
) -> None:
    """Each with what a person can do."""
    dropped = deployment(V1, history, **spec).no_history
    assert dropped is not None
    assert dropped[0] is reason


def test_a_paused_template_that_was_never_rolled_out_runs_nothing() -> None:
    """What runs is the revision that was rolled out last."""
    found = deployment(V3, [replicaset(1, V1), replicaset(2, V2)], revision=2, paused=True)
    assert (found.running, found.arrival) == ("v2+h2", "w1/2/h2")


def test_a_statefulset_goes_by_its_update_revision() -> None:
    """Its pods carry the whole name of a ControllerRevision; releases are named by the suffix."""
    history = [controller_revision(1, V1, name="web-aa"), controller_revision(2, V2, name="web-bb")]
    status = {"updateRevision": "web-bb", "currentRevision": "web-aa"}
    pods = [pod("web-0", "web-aa", owner="w1", label="controller-revision-hash")]
    found = live(WorkloadKind.STATEFULSET, workload(V2, status=status), history, pods)
    assert (found.running, found.arrival) == ("v2+bb", "w1/2/bb")
    assert names(found) == ["v1+aa"]
    assert found.earlier[0].serves


def test_a_daemonset_goes_by_the_newest_equal_revision() -> None:
    """Its pods carry the hash alone."""
    label = "controller-revision-hash"
    history = [
        controller_revision(3, V1, name="web-aa", **{label: "aa"}),
        controller_revision(2, V2, name="web-bb", **{label: "bb"}),
    ]
    pods = [pod("x", "bb", owner="w1", label=label)]
    found = live(WorkloadKind.DAEMONSET, workload(V1), history, pods)
    assert (found.running, names(found)) == ("v1+aa", ["v2+bb"])
    assert found.earlier[0].pods == tuple(pods)


def revision(tag: str, *pods: dict[str, object]) -> Revision:
    return Revision(1, "h1", "h1", template(app=f"shop/app:{tag}"), {"metadata": {}}, tuple(pods))


@pytest.mark.parametrize(
    ("tag", "serves", "recorded", "pin", "image"),
    [
        ("v1", True, {"app": DIGEST}, Pin.AUTO, "shop/app:v1"),
        ("v1", False, {"app": DIGEST}, Pin.AUTO, f"shop/app@{DIGEST}"),
        ("v1", False, {}, Pin.AUTO, "shop/app:v1"),
        ("v1", False, {"app": DIGEST}, Pin.NEVER, "shop/app:v1"),
        ("latest", False, {}, Pin.NEVER, "shop/app:latest"),
        ("latest", True, {}, Pin.AUTO, "shop/app:latest"),
        ("latest", False, {"app": DIGEST}, Pin.AUTO, f"shop/app@{DIGEST}"),
        ("latest", False, {}, Pin.AUTO, None),
    ],
)
def test_which_image_is_written(
    tag: str, serves: bool, recorded: dict[str, str], pin: Pin, image: str | None
) -> None:
    """Verbatim while a pod of it runs, else by recorded digest; a tag that moves by its nature is not trusted."""
    pods = [pod("a", "h1", digest=OTHER_DIGEST)] if serves else []
    found = restoration(revision(tag, *pods), V2, Restore.TEMPLATE, pin, recorded)
    if image is None:
        assert isinstance(found, tuple)
        assert found[0] is Reason.DIGEST_UNKNOWN
        return
    assert isinstance(found, Restoration)
    assert found.template["spec"]["containers"][0]["image"] == image
    expected = {"app": OTHER_DIGEST} if serves else recorded
    assert found.digests == expected
    assert bool(found.note) == (pin is Pin.AUTO and image.endswith(":v1") and not serves)


def test_images_alone_are_brought_into_the_present_template() -> None:
    """A container that only the present template has is not guessed; nothing to change is said so."""
    present = template(labels={"config": "new"}, app="shop/app:v2")
    found = restoration(revision("v1"), present, Restore.IMAGES, Pin.NEVER, {})
    assert isinstance(found, Restoration)
    assert found.template["metadata"]["labels"]["config"] == "new"
    assert found.template["spec"]["containers"][0]["image"] == "shop/app:v1"
    more = template(app="x", sidecar="y")
    assert restoration(revision("v1"), more, Restore.IMAGES, Pin.NEVER, {})[0] is Reason.RELEASE_INCOMPLETE  # type: ignore[index]
    alike = template(labels={"config": "new"}, app="shop/app:v1")
    assert restoration(revision("v1"), alike, Restore.IMAGES, Pin.NEVER, {})[0] is Reason.SAME_IMAGES  # type: ignore[index]
