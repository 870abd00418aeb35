"""In a real cluster, the rights that the chart gives are enough for all we do there, and none of them is too many.

Each verb on each resource of the table is taken away by itself: what needs it stops, or leaves out just that, and
says the line of the Role. A line without anything that needs it fails here, and so does one that nothing tries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import pytest
from testbed import access
from testbed.chart_grants import Grain, Granted, everything_allowed, grains, installed
from testbed.chart_shapes import pods_of
from testbed.cluster import Cluster
from testbed.gitops_owners import define
from testbed.helm_engine import Manifest
from testbed.kube_api import KubeApi, path_of
from testbed.rights_at_work import OPERATIONS, WITHIN_A_CLUSTER_ROLE, WITHIN_A_ROLE, Operation, goes_back
from testbed.rights_stage import Scene, Stage
from testbed.wait import until

from controller.ledger import Ledger
from rules.decisions import Reason
from rules.errors import RollbackError
from rules.findings import Level
from workers.kubernetes.checking import check_cluster
from workers.kubernetes.rights import PAUSING, RIGHTS

ALL = grains((*RIGHTS, *PAUSING))
MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture(scope="module")
def scene(cluster: Cluster) -> Iterator[Scene]:
    define(cluster)
    name = cluster.make_namespace()
    yield Scene.made(cluster, name)
    cluster.delete("Namespace", None, name)


@pytest.fixture(scope="module")
def home(cluster: Cluster) -> Iterator[str]:
    """Give the namespace of the installations; what they look after is elsewhere."""
    name = cluster.make_namespace()
    yield name
    cluster.delete("Namespace", None, name)


@pytest.fixture(scope="module")
def objects(cluster: Cluster, scene: Scene, home: str) -> list[Manifest]:
    """Install what the chart makes for listed namespaces."""
    pausing = {"pause": True, "namespaces": [scene.namespace]}
    return installed(cluster, home, {"namespaces": [scene.namespace], "gitops": pausing})


@pytest.fixture(scope="module")
def listed(cluster: Cluster, objects: list[Manifest]) -> Granted:
    return Granted.by(cluster, objects)


@pytest.fixture(scope="module")
def wide(cluster: Cluster, home: str) -> Iterator[Granted]:
    """Install what the chart makes for the whole cluster, which a lent one is not asked for."""
    assert cluster.control
    targets = {"clusterWide": True, "gitops": {"pause": True}}
    granted = Granted.by(cluster, installed(cluster, home, targets, name="wide"))
    yield granted
    granted.forget()


@pytest.fixture
def stage(scene: Scene, listed: Granted, ledger: Ledger) -> Iterator[Stage]:
    yield from _stage(scene, listed, ledger)


@pytest.fixture
def wide_stage(scene: Scene, wide: Granted, ledger: Ledger) -> Iterator[Stage]:
    yield from _stage(scene, wide, ledger)


def _stage(scene: Scene, granted: Granted, ledger: Ledger) -> Iterator[Stage]:
    stage = Stage(scene, granted, ledger)
    yield stage
    stage.close()


def test_each_right_of_the_table_is_tried() -> None:
    """A new line needs an operation beside it; an operation of none says that a line was taken away."""
    assert len({*ALL}) == len(ALL), "a right is in the table twice"
    assert OPERATIONS.keys() == {*ALL}


def _everything_works(stage: Stage, tried: dict[Grain, tuple[Operation, ...]]) -> None:
    stage.granted.all_but()
    assert stage.granted.given == tried.keys()
    for operation in dict.fromkeys(one for several in tried.values() for one in several):
        assert operation(stage) == ""
    assert stage.used() == tried.keys(), "nothing else is asked for, and all of it is used"


def test_with_the_roles_of_the_chart_everything_works(stage: Stage) -> None:
    """In the namespaces that are listed; and no call needs what the table does not have."""
    _everything_works(stage, WITHIN_A_ROLE)


def test_with_the_cluster_roles_of_the_chart_everything_works(wide_stage: Stage) -> None:
    """Then an Application is found in whichever namespace it is, too."""
    _everything_works(wide_stage, OPERATIONS)


def _done_without(stage: Stage, operation: Operation) -> tuple[Reason | None, str]:
    """Return what stopped it, if anything did, and what was said."""
    try:
        return None, operation(stage)
    except RollbackError as error:
        return error.reason, str(error)


@pytest.mark.parametrize("grain", grains(RIGHTS), ids=str)
def test_without_one_right_what_needs_it_says_so(stage: Stage, grain: Grain) -> None:
    """A needed one stops it; an optional one only leaves out what it is for, and the rest is done."""
    stage.granted.all_but(grain)
    for at, operation in enumerate(OPERATIONS[grain]):
        reason, said = _done_without(stage, operation)
        assert str(grain) in said
        assert grain.right.line in said
        assert at > 0 or reason is (None if grain.right.optional else Reason.FORBIDDEN)
    if grain.right.optional:
        left_out = goes_back("api")(stage)
        assert left_out == "" or grain.verb == "create"
    (missing,) = check_cluster(stage.asks())
    assert missing.level is (Level.WARNS if grain.right.optional else Level.WRONG)
    assert missing.fix == f"Add to our Role: `{grain.right.line.removeprefix('- ')}`."


def test_without_any_optional_right_everything_else_works(stage: Stage) -> None:
    """As the chart gives them with `optionalRights: false`; what is left out by the way is an Event."""
    optional = {grain for grain in WITHIN_A_ROLE if grain.right.optional}
    stage.granted.all_but(*optional)
    tried = [operations for grain, operations in WITHIN_A_ROLE.items() if grain not in optional]
    for operation in dict.fromkeys(one for several in tried for one in several):
        said = operation(stage)
        assert said == "" or "create events" in said


@pytest.mark.parametrize("grain", [one for one in grains(PAUSING) if not one.right.wide], ids=str)
def test_without_one_right_to_pause_nobody_is_paused_and_nothing_changed(stage: Stage, grain: Grain) -> None:
    """What asks for a pause stops before anything is touched; who pauses nobody does not notice."""
    stage.granted.all_but(grain)
    before = {name: owner.now() for name, owner in stage.scene.owners.items()}
    for operation in OPERATIONS[grain]:
        reason, said = _done_without(stage, operation)
        assert reason is Reason.FORBIDDEN
        assert str(grain) in said
        assert grain.right.line in said
    assert {name: owner.now() for name, owner in stage.scene.owners.items()} == before
    assert goes_back("api")(stage) == ""
    assert [one.level for one in check_cluster(stage.asks())] == [Level.WELL]


@pytest.mark.parametrize("grain", WITHIN_A_CLUSTER_ROLE, ids=str)
def test_without_the_right_to_look_everywhere_an_owner_may_not_be_found(wide_stage: Stage, grain: Grain) -> None:
    """It is said that nobody looked, not that there is none; where marks say the namespace, it is paused."""
    wide_stage.granted.all_but(grain)
    for operation in OPERATIONS[grain]:
        reason, said = _done_without(wide_stage, operation)
        assert reason is Reason.GITOPS_OWNED
        assert str(grain) in said
        assert grain.right.line in said
    for operation in WITHIN_A_ROLE[grain._replace(verb="patch")]:
        assert operation(wide_stage) == ""


def _as(cluster: Cluster, account: str, namespace: str) -> KubeApi:
    token = access.token(cluster.api, account, namespace)
    return KubeApi.trusting(cluster.api.server, cluster.api.authority, token)


def _only_the_workers_may(granted: Granted, release: str, allowed: Mapping[str, Collection[Grain]]) -> None:
    """Compare with the API server's own list of what an account may: what every account may is nothing of ours."""
    granted.all_but()
    cluster, home = granted.cluster, granted.home
    everybody = everything_allowed(_as(cluster, "default", home), home)
    receiver = _as(cluster, f"{release}-rollback-controller-receiver", home)
    workers = _as(cluster, f"{release}-rollback-controller-worker", home)
    for namespace, grains_there in allowed.items():
        assert everything_allowed(receiver, namespace) == everybody
        assert everything_allowed(workers, namespace) - everybody == {*grains_there}


def test_nobody_but_the_workers_may_anything(scene: Scene, listed: Granted) -> None:
    """And they nothing but the table, where it was given them; not even in the namespace that they run in."""
    allowed = {scene.namespace: WITHIN_A_ROLE.keys(), listed.home: (), "kube-system": ()}
    _only_the_workers_may(listed, "rb", allowed)


def test_nor_does_anybody_where_the_workers_may_everywhere(scene: Scene, wide: Granted) -> None:
    """The receiver may nothing, in any namespace."""
    _only_the_workers_may(wide, "wide", dict.fromkeys((scene.namespace, wide.home, "kube-system"), ALL))


def test_only_the_workers_pods_are_handed_a_token(cluster: Cluster, home: str, objects: list[Manifest]) -> None:
    """By the API server's admission, which puts it in, or not: each pod of the chart in a dry run."""
    found = {}
    for role, spec in pods_of(objects).items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"a-{role}"}, "spec": spec}

        def made(pod: Manifest = pod) -> Manifest:  # refused for a moment, while the account has no token
            return dict(cluster.api.call("POST", path_of("Pod", home), pod, query={"dryRun": "All"}))

        (container,) = until(made, within_s=20, what=f"the pod {role} is let in")["spec"]["containers"]
        found[role] = MOUNTED in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert found.pop("worker")
    assert {*found} >= {"receiver", "valkey"}
    assert not any(found.values())
