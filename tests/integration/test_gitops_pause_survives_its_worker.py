"""A worker dies around the pause of an owner: the next one goes on, and the owner is paused once, not for ever."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.gitops_owners import Owner, application, define, marks_of
from testbed.redis import Redis
from testbed.wait import until
from testbed.workloads import deployment
from testbed.worksite import TERMS, Shop

from controller.ledger import Ledger, NewRollback, Rollback, State
from controller.settings.clusters import ClusterSettings
from rules.instances import WorkloadInstance
from rules.plans import Step, StepKind
from rules.rule import Gitops
from workers.clusters import Clusters
from workers.jobs import run
from workers.kubernetes.gitops.holding import PAUSED
from workers.kubernetes.gitops.looking_after import look_after_paused
from workers.site import Site
from workers.terms import Terms


class Dying:
    """The real driver of a worker that is gone, as by SIGKILL, at one moment of one step."""

    def __init__(self, driver: Any, kind: StepKind, moment: str) -> None:
        self._driver, self._at = driver, (kind, moment)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def perform(self, step: Step, before: Mapping[str, object], fence: int, deadline_s: float) -> Any:
        """Do the step."""
        if self._at == (step.kind, "before"):
            os._exit(9)
        seen = self._driver.perform(step, before, fence, deadline_s)
        if self._at == (step.kind, "after"):
            os._exit(9)
        return seen


class Kept:
    """One Deployment that an Application keeps, with a bad release, and a site of workers."""

    def __init__(self, folder: Path, server: Redis, cluster: Cluster, namespace: str) -> None:
        self.shop, self.cluster, self.namespace = Shop(folder, server), cluster, namespace
        self.instance = f"kubernetes/eu/{namespace}/deployment/web"
        self.owner: Owner = application(cluster, namespace)
        made = deployment("web", cluster.image("v1"), replicas=1, annotations=marks_of(self.owner)["annotations"])
        cluster.roll(made, namespace)
        cluster.set_image("Deployment", namespace, "web", cluster.image("bad"))

    @contextmanager
    def site(self, around: Callable[[Any], Any] = lambda driver: driver) -> Iterator[Site]:
        """Give a site that reaches the cluster."""
        settings = {"eu": ClusterSettings(kubeconfig=self.cluster.kubeconfig)}
        with self.shop.site() as site:
            clusters = Clusters(settings, site.numbers, site.ledger)

            def reach(instance: WorkloadInstance, ident: str, terms: Terms, clock: Callable[[], float]) -> Any:
                return around(clusters.reach(instance, ident, terms, clock))

            object.__setattr__(site, "reach", reach)
            yield site

    def open(self, ledger: Ledger) -> str:
        """Open a rollback as a person would."""
        spec = {**TERMS.write(), "gitops": Gitops.PAUSE, "healthy_within_s": 60}
        new = NewRollback(self.instance, "shop", f"{self.namespace}/web", by="alice", why="errors", spec=spec)
        return ledger.rollbacks.open(new).id

    def look_after(self, ledger: Ledger) -> None:
        """Look after what is paused, as the observer does."""
        settings = {"eu": ClusterSettings(kubeconfig=self.cluster.kubeconfig)}
        cluster = Clusters(settings, self.shop.numbers, ledger).cluster("eu")
        look_after_paused(cluster, ledger)
        cluster.close()

    def killed_at(self, ident: str, kind: StepKind, moment: str) -> None:
        """Run the rollback in a process that dies."""
        child = os.fork()
        if child == 0:
            with self.site(lambda driver: Dying(driver, kind, moment)) as site:
                until(lambda: run(site, ident, "job-1"), within_s=30, what="it died on the way")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        with self.shop.server.client() as client:
            client.delete(f"rc:lease:{self.instance}")

    def goes_on(self, site: Site, ident: str) -> Rollback:
        """Work on it until its change is made and seen, or it is held."""

        def changed() -> Rollback | None:
            run(site, ident, "job-2")
            found = site.ledger.rollbacks.get(ident)
            return found if found and found.state in (State.VERIFYING, State.ENDED, State.HELD) else None

        found = until(changed, within_s=60, what="the change is made")
        assert found is not None
        return found

    def tag(self) -> str:
        """Return the tag that the workload asks for."""
        found = self.cluster.get("Deployment", self.namespace, "web")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]


@pytest.fixture
def kept(tmp_path: Path, redis_server: Redis, cluster: Cluster, namespace: str) -> Kept:
    """Give a Deployment that an Application keeps."""
    define(cluster)
    return Kept(tmp_path, redis_server, cluster, namespace)


@pytest.mark.parametrize(
    ("kind", "moment"),
    [(StepKind.PAUSE_OWNER, "before"), (StepKind.PAUSE_OWNER, "after"), (StepKind.PATCH, "before")],
)
def test_killed_around_the_pause(kept: Kept, kind: StepKind, moment: str) -> None:
    """The pause is found as it was left, and the change is made; the owner is written to once."""
    with kept.site() as site:
        ident, before = kept.open(site.ledger), kept.owner.now()["metadata"]["generation"]
        kept.killed_at(ident, kind, moment)
        assert kept.tag() == "bad"
        was_paused = (kind, moment) != (StepKind.PAUSE_OWNER, "before")
        assert (PAUSED in (kept.owner.now()["metadata"].get("annotations") or {})) == was_paused
        kept.look_after(site.ledger)
        assert kept.goes_on(site, ident).state is not State.HELD
        assert kept.tag() == "v1"
        now = kept.owner.now()
        assert "automated" not in now["spec"]["syncPolicy"]
        assert now["metadata"]["generation"] == before + 1
        (listed,) = site.ledger.suspensions.list()
        assert (listed.rollback, listed.instance) == (ident, kept.instance)
        journal = site.ledger.rollbacks.journal(ident)
        done = [entry["step_kind"] for entry in journal if entry["kind"] == "done"]
        assert done[:2] == [StepKind.PAUSE_OWNER, StepKind.PATCH]
        assert len(done) == len(set(done))


def test_a_rollback_that_ended_without_its_change_leaves_nobody_paused(kept: Kept) -> None:
    """A person cancels it while it is parked between the two: the next look lets the owner go on."""
    with kept.site() as site:
        ident = kept.open(site.ledger)
        before = kept.owner.now()["spec"]
        kept.killed_at(ident, StepKind.PATCH, "before")
        kept.look_after(site.ledger)
        assert "acting" in site.ledger.suspensions.list()[0].says
        kept.cluster.patch("Deployment", kept.namespace, "web", {"spec": {"paused": True}})
        held = kept.goes_on(site, ident)
        assert held.state is State.HELD, held
        kept.look_after(site.ledger)
        assert "automated" not in kept.owner.now()["spec"]["syncPolicy"]
        site.ledger.rollbacks.cancel(ident, by="alice", why="by hand")
        kept.look_after(site.ledger)
        assert kept.owner.now()["spec"] == before
        assert site.ledger.suspensions.list() == ()
