"""`gitops: pause` on a real API server: an owner is paused before its workload is changed, and goes on then.

The kinds of Argo CD and Flux are defined here; their controllers are not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.driven import ROLLBACK, Driven, params
from testbed.gitops_owners import Owner, application, compared, define, helm_release, kustomization, marks_of
from testbed.workloads import deployment

from controller.ledger import Ledger
from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind
from rules.plans import Plan, StepKind, StepState
from rules.rule import Gitops
from rules.to import Version
from workers.kubernetes.gitops.holding import PAUSED
from workers.kubernetes.gitops.looking_after import look_after_paused
from workers.kubernetes.rights import PAUSING, RIGHTS

Made = Callable[[Cluster, str], Owner]


def with_images(cluster: Cluster, namespace: str) -> Owner:
    """Return a Kustomization that names the image itself."""
    return kustomization(cluster, namespace, images=[{"name": cluster.images, "newTag": "bad"}])


OWNERS: dict[str, Made] = {"Application": application, "Kustomization": with_images, "HelmRelease": helm_release}


@pytest.fixture(autouse=True)
def _kinds(cluster: Cluster) -> None:
    define(cluster)


def deploy_bad(cluster: Cluster, namespace: str, owner: Owner, name: str = "web") -> None:
    """Roll v1 out and deploy a bad release over it, as the owner's own workload."""
    cluster.roll(deployment(name, cluster.image("v1"), replicas=1, **marks_of(owner, name)), namespace)
    cluster.set_image("Deployment", namespace, name, cluster.image("bad"))


def driven(cluster: Cluster, namespace: str, ledger: Ledger | None = None, **over: Any) -> Driven:
    own = {key: over.pop(key) for key in ("rollback", "fence", "kubeconfig") if key in over}
    name = over.pop("name", "web")
    terms = params(gitops=Gitops.PAUSE, why="errors", **over)
    suspensions = ledger.suspensions if ledger else None
    return Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, name, terms, suspensions=suspensions, **own)


def is_paused(owner: Owner) -> bool:
    spec = owner.now()["spec"]
    if owner.kind == "Application":
        return "automated" not in spec["syncPolicy"]
    return bool(spec.get("suspend", False))


def tag(cluster: Cluster, namespace: str, name: str = "web") -> str:
    found = cluster.get("Deployment", namespace, name)
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]


def said(owner: Owner) -> dict[str, Any]:
    return dict(json.loads(owner.now()["metadata"]["annotations"][PAUSED]))


def until_patched(one: Driven, plan: Plan) -> None:
    """Do the steps up to the change, and no more."""
    for step in plan.steps[: [step.kind for step in plan.steps].index(StepKind.PATCH) + 1]:
        one.does(step)


def git_wants_v1(cluster: Cluster, namespace: str, owner: Owner) -> None:
    """Let what the owner wants be v1 again, as far as its kind shows that in the cluster."""
    match owner.kind:
        case "Application":
            owner.says(compared(namespace, "bbbb", "Synced", later_s=5))
        case "Kustomization":
            owner.wants({"images": [{"name": cluster.images, "newTag": "v1"}]})
        case _:
            owner.wants({"values": {"image": {"tag": "v1"}}})


@pytest.mark.parametrize("kind", OWNERS)
def test_an_owner_is_paused_and_goes_on(cluster: Cluster, namespace: str, ledger: Ledger, kind: str) -> None:
    """Before the change, with what it was and why; resumed exactly, once it no longer wants the bad release."""
    owner = OWNERS[kind](cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    before = owner.now()
    one = driven(cluster, namespace, ledger)
    plan = one.planned()
    assert plan.steps[0].kind is StepKind.PAUSE_OWNER
    assert f"{kind} {namespace}/shop" in plan.steps[0].does
    one.driver.preflight(plan)
    assert owner.now() == before
    assert one.planned().digest == plan.digest

    one.carry_out(plan)
    assert tag(cluster, namespace) == "v1"
    assert is_paused(owner)
    hold = said(owner)["for"][f"kubernetes/test/{namespace}/deployment/web"]
    assert (hold["rollback"], hold["by"], hold["why"]) == (ROLLBACK, "canary-errors", "errors")
    assert hold["bad"]["images"] == [cluster.image("bad")]
    assert hold["since"]

    look_after_paused(one.api, ledger)
    (listed,) = ledger.suspensions.list()
    assert (listed.owner, listed.rollback) == (f"test/{kind.lower()}/{namespace}/shop", ROLLBACK)
    assert is_paused(owner), "it still wants the bad release"
    assert listed.says

    git_wants_v1(cluster, namespace, owner)
    look_after_paused(one.api, ledger)
    assert ledger.suspensions.list() == ()
    after = owner.now()
    assert PAUSED not in (after["metadata"].get("annotations") or {})
    untouched = {key: value for key, value in before["spec"].items() if key not in ("images", "values")}
    assert {key: after["spec"].get(key) for key in untouched} == untouched
    assert "suspend" not in after["spec"]


def test_what_cannot_be_told_waits_for_a_person(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """Which images a new revision in Git wants cannot be seen; a person's word is enough, at the next look."""
    owner = kustomization(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    one = driven(cluster, namespace, ledger)
    until_patched(one, one.planned())
    owner.says({"lastAttemptedRevision": "main@sha1:bbbb"})
    look_after_paused(one.api, ledger)
    assert is_paused(owner)
    (listed,) = ledger.suspensions.list()
    assert "cannot be seen from the cluster" in listed.says
    assert not ledger.suspensions.ask_resume("test/kustomization/elsewhere/shop", by="ada")
    assert ledger.suspensions.ask_resume(listed.owner, by="ada")
    assert ledger.suspensions.list()[0].asked_by == "ada"
    look_after_paused(one.api, ledger)
    assert not is_paused(owner)
    assert "suspend" not in owner.now()["spec"]
    assert ledger.suspensions.list() == ()


@pytest.mark.parametrize("kind", OWNERS)
def test_an_owner_that_is_owned_is_not_touched(cluster: Cluster, namespace: str, kind: str) -> None:
    """An app of apps, or what Flux itself keeps, would be put back at once: nothing at all is changed."""
    owner = OWNERS[kind](cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    owner.wants({}, labels={"kustomize.toolkit.fluxcd.io/name": "flux-system"})
    before = owner.now()["metadata"]["resourceVersion"]
    with pytest.raises(Permanent, match="itself kept by Flux Kustomization flux-system") as refused:
        driven(cluster, namespace).planned()
    assert refused.value.reason is Reason.GITOPS_OWNED
    assert owner.now()["metadata"]["resourceVersion"] == before
    assert tag(cluster, namespace) == "bad"


@pytest.mark.parametrize("kind", OWNERS)
def test_one_that_somebody_paused_stays_as_it_is(cluster: Cluster, namespace: str, kind: str) -> None:
    """It is theirs: the workload is taken back, the owner not touched, and the plan says so."""
    owner = OWNERS[kind](cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    owner.wants({"syncPolicy": {"automated": {"enabled": False}}} if kind == "Application" else {"suspend": True})
    before = owner.now()["metadata"]["resourceVersion"]
    one = driven(cluster, namespace)
    plan = one.planned()
    assert plan.steps[0].kind is StepKind.PATCH
    assert "paused already, and not by us" in str(plan.steps[0].values["notes"])
    until_patched(one, plan)
    assert tag(cluster, namespace) == "v1"
    assert owner.now()["metadata"]["resourceVersion"] == before


def test_its_status_moves_between_read_and_write(cluster: Cluster, namespace: str) -> None:
    """A stale version is answered 409; nobody decided anything, so it is tried again and paused."""
    owner = application(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    one = driven(cluster, namespace)
    plan = one.planned()
    get, left = one.api.get, [2]

    def meanwhile(path: str, **query: Any) -> Any:
        found = get(path, **query)
        if "applications" in path and left[0]:
            left[0] -= 1
            owner.says({"reconciledAt": f"moved {left[0]}"})
        return found

    one.api.get = meanwhile  # type: ignore[method-assign]
    one.does(plan.steps[0])
    assert is_paused(owner)
    assert left == [0]


def test_somebody_changes_what_it_wants_meanwhile(cluster: Cluster, namespace: str) -> None:
    """It may no longer want the bad release: neither is changed, and a person looks."""
    owner = helm_release(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    one = driven(cluster, namespace)
    plan = one.planned()
    owner.wants({"values": {"image": {"tag": "v2"}}})
    with pytest.raises(Permanent, match="what it wants") as refused:
        one.does(plan.steps[0])
    assert refused.value.reason is Reason.CHANGED_MEANWHILE
    assert not is_paused(owner)


def test_somebody_pauses_it_meanwhile(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """Their pause is as good as ours, and stays theirs."""
    owner = helm_release(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    one = driven(cluster, namespace, ledger)
    plan = one.planned()
    owner.wants({"suspend": True})
    assert one.does(plan.steps[0])["paused"] is False
    one.does(plan.steps[1])
    assert tag(cluster, namespace) == "v1"
    assert PAUSED not in (owner.now()["metadata"].get("annotations") or {})
    assert ledger.suspensions.list() == ()


def test_an_owner_made_anew_is_another(cluster: Cluster, namespace: str) -> None:
    """It has the name, and not the uid."""
    owner = helm_release(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    one = driven(cluster, namespace)
    plan = one.planned()
    cluster.api.call("DELETE", owner.path)
    with pytest.raises(Permanent, match="deleted meanwhile"):
        one.does(plan.steps[0])
    helm_release(cluster, namespace)
    with pytest.raises(Permanent, match="made anew"):
        one.does(plan.steps[0])
    assert one.driver.inspect(plan.steps[0], {}, 1000) is StepState.NEITHER
    assert not is_paused(owner)


def test_nobody_is_paused_for_a_workload_that_moved_on(cluster: Cluster, namespace: str) -> None:
    """A worker that slept finds another release there: it leaves the owner alone as well."""
    owner = helm_release(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    one = driven(cluster, namespace)
    plan = one.planned()
    cluster.set_image("Deployment", namespace, "web", cluster.image("v2"))
    with pytest.raises(Permanent, match="changed the pod template"):
        one.does(plan.steps[0])
    assert not is_paused(owner)


def test_a_takeover_sees_what_became_of_the_pause(cluster: Cluster, namespace: str) -> None:
    """Not done, then done; and doing it again changes nothing."""
    owner = application(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    first = driven(cluster, namespace)
    plan = Plan.from_json(first.planned().to_json())
    second = driven(cluster, namespace, fence=1001)
    assert second.driver.inspect(plan.steps[0], {}, 1001) is StepState.NOT_DONE
    first.does(plan.steps[0])
    assert second.driver.inspect(plan.steps[0], {}, 1001) is StepState.DONE
    paused = owner.now()
    second.does(plan.steps[0])
    assert owner.now() == paused
    second.carry_out(Plan.from_json(plan.to_json()))
    assert tag(cluster, namespace) == "v1"


def test_two_workloads_of_one_owner(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """It is paused once, and goes on with the last of them; each has its own line."""
    owner = application(cluster, namespace, workloads=("web", "api"))
    for name in ("web", "api"):
        deploy_bad(cluster, namespace, owner, name)
    web = driven(cluster, namespace, ledger)
    api = driven(cluster, namespace, ledger, name="api", rollback="rtest00002")
    plans = web.planned(), api.planned()  # both before either is done
    before = owner.now()["spec"]
    until_patched(web, plans[0])
    until_patched(api, plans[1])
    assert said(owner)["was"] == {"automated": before["syncPolicy"]["automated"]}
    assert len(said(owner)["for"]) == len(ledger.suspensions.list()) == 2
    back = web.driver.plan_way_back(plans[0], web.observed())
    web.does(web.step(back, StepKind.RESUME_OWNER))
    assert is_paused(owner)
    assert [one.rollback for one in ledger.suspensions.list()] == ["rtest00002"]
    assert ledger.suspensions.ask_resume(f"test/application/{namespace}/shop", by="ada")
    look_after_paused(web.api, ledger)
    assert owner.now()["spec"] == before
    assert ledger.suspensions.list() == ()


@pytest.mark.parametrize("kind", OWNERS)
def test_the_way_back_lets_the_owner_go_on(cluster: Cluster, namespace: str, ledger: Ledger, kind: str) -> None:
    """After the workload is as it was; doing it twice is no harm."""
    owner = OWNERS[kind](cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    before = owner.now()["spec"]
    one = driven(cluster, namespace, ledger)
    plan = one.planned()
    until_patched(one, plan)
    back = one.driver.plan_way_back(plan, one.observed())
    kinds = [step.kind for step in back.steps]
    assert kinds.index(StepKind.PATCH) < kinds.index(StepKind.RESUME_OWNER) < kinds.index(StepKind.ROLLOUT)
    one.carry_out(back)
    assert owner.now()["spec"] == before
    assert PAUSED not in (owner.now()["metadata"].get("annotations") or {})
    assert tag(cluster, namespace) == "bad"
    assert ledger.suspensions.list() == ()
    one.does(one.step(back, StepKind.RESUME_OWNER))
    assert owner.now()["spec"] == before


def test_undoing_it_lets_the_owner_go_on(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """An undo is a rollback of its own, to the very release that the owner was paused for: it wants that."""
    owner = helm_release(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    before = owner.now()["spec"]
    one = driven(cluster, namespace, ledger)
    plan = one.planned()
    until_patched(one, plan)
    assert plan.from_release
    back = driven(cluster, namespace, ledger, rollback="rtest00002", fence=1001, to=(Version(plan.from_release),))
    undo = back.planned()
    kinds = [step.kind for step in undo.steps]
    assert StepKind.PAUSE_OWNER not in kinds
    assert kinds.index(StepKind.PATCH) < kinds.index(StepKind.RESUME_OWNER)
    for step in undo.steps[:-1]:  # the last one waits for a bad release to be healthy
        back.does(step)
    assert back.observed().running == plan.from_release, "by its tag, or pinned to its digest"
    assert owner.now()["spec"] == before
    assert ledger.suspensions.list() == ()


def test_a_field_that_somebody_changed_since_is_theirs(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """Only our annotation goes: a later pause of theirs must not look like ours."""
    owner = application(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    one = driven(cluster, namespace, ledger)
    until_patched(one, one.planned())
    owner.wants({"syncPolicy": {"automated": {"prune": False}}})
    look_after_paused(one.api, ledger)
    now = owner.now()
    assert now["spec"]["syncPolicy"]["automated"] == {"prune": False}
    assert PAUSED not in (now["metadata"].get("annotations") or {})
    assert ledger.suspensions.list() == ()


def test_an_owner_that_is_gone_is_taken_off_the_list(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """But not one that is only served in another version by now: it is still paused, and somebody is told."""
    owner = kustomization(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    one = driven(cluster, namespace, ledger)
    until_patched(one, one.planned())
    (listed,) = ledger.suspensions.list()
    noted = {key: value for key, value in asdict(listed).items() if key not in ("instance", "age_s")}
    ledger.suspensions.note(listed.instance, {**noted, "path": listed.path.replace("/v1/", "/v1beta1/")})
    look_after_paused(one.api, ledger)
    assert "served in other versions now (v1)" in ledger.suspensions.list()[0].says
    ledger.suspensions.note(listed.instance, noted)
    cluster.api.call("DELETE", owner.path)
    look_after_paused(one.api, ledger)
    assert ledger.suspensions.list() == ()


def _rules(rights: Any) -> list[dict[str, list[str]]]:
    return [{"apiGroups": [r.group], "resources": [*r.resources], "verbs": [*r.verbs]} for r in rights]


def test_who_may_not_read_or_pause_owners_is_told_the_line(cluster: Cluster, namespace: str) -> None:
    """Before the first change, with the line of the Role; with all lines it is paused and resumed."""
    owner = kustomization(cluster, namespace)
    deploy_bad(cluster, namespace, owner)
    line = next(right.line for right in PAUSING if "kustomizations" in right.resources)
    blind = driven(cluster, namespace, kubeconfig=cluster.user_kubeconfig("blind", namespace, _rules(RIGHTS)))
    with pytest.raises(Permanent, match=r"get kustomizations\S+ shop .* not allowed") as refused:
        blind.planned()
    assert refused.value.reason is Reason.FORBIDDEN
    assert str(refused.value).endswith(line)
    reads = [{**rule, "verbs": ["get"]} for rule in _rules(PAUSING)]
    reader = cluster.user_kubeconfig("reader", namespace, [*_rules(RIGHTS), *reads])
    one = driven(cluster, namespace, kubeconfig=reader)
    plan = one.planned()
    with pytest.raises(Permanent, match=r"patch kustomizations\S+ shop .* not allowed") as refused:
        one.driver.preflight(plan)
    assert str(refused.value).endswith(line)
    ours = cluster.user_kubeconfig("ours", namespace, [*_rules(RIGHTS), *_rules(PAUSING)])
    one = driven(cluster, namespace, kubeconfig=ours)
    plan = one.planned()
    one.driver.preflight(plan)
    until_patched(one, plan)
    assert is_paused(owner)
    back = one.driver.plan_way_back(plan, one.observed())
    one.does(one.step(back, StepKind.RESUME_OWNER))
    assert not is_paused(owner)


def test_an_application_is_found_where_argo_cd_itself_lives(cluster: Cluster, namespace: str) -> None:
    """Its marks do not say where that is; one of the same name that keeps something else is not it."""
    owner = application(cluster, namespace)
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    tracking = f"shop:apps/Deployment:{namespace}/web"
    marked = {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": tracking}}}
    cluster.patch("Deployment", namespace, "web", marked)
    cluster.set_image("Deployment", namespace, "web", cluster.image("bad"))
    other = cluster.make_namespace()
    try:
        application(cluster, other)
        plan = driven(cluster, namespace).planned()
        assert plan.steps[0].values["path"] == owner.path
    finally:
        cluster.delete("Namespace", None, other)
