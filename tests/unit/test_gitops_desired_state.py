"""Whether what an owner wants still names the bad release, as far as a cluster can tell; else a person says so."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.kube_facts import WEB, template, workload

from workers.kubernetes.gitops.desire import Case, judge, places, wanted
from workers.kubernetes.gitops.kinds import APPLICATION, HELM_RELEASE, KUSTOMIZATION, OwnerKind
from workers.kubernetes.templates import sha_of

BAD = "reg.example:5000/shop/app:v1.3.0"
DIGEST = "sha256:" + 64 * "c"
SINCE = "2026-03-01T10:00:00+00:00"
BEFORE, AFTER = "2026-03-01T09:59:00Z", "2026-03-01T10:05:00Z"


@pytest.mark.parametrize(
    ("spec", "bad", "found"),
    [
        ({"values": {"image": {"tag": "v1.3.0"}}}, BAD, ["values.image.tag"]),
        ({"values": {"image": {"tag": "1.3.0"}}}, BAD, ["values.image.tag"]),
        ({"values": {"image": BAD}}, BAD, ["values.image"]),
        ({"values": {"tag": "v1.3.0-rc1", "other": "v11.3.0", "more": "1.3.0.1"}}, BAD, []),
        ({"images": [{"name": "shop/app", "newTag": "v1.3.0"}]}, BAD, ["images[shop/app].newTag"]),
        (
            {"images": [{"name": "a", "newTag": "v1"}, {"digest": DIGEST}]},
            f"shop/app@{DIGEST}",
            ["images[1].digest"],
        ),
        ({"source": {"helm": {"values": "image:\n  tag: v1.3.0\n"}}}, BAD, ["source.helm.values"]),
        ({"values": {"tag": 7}}, "shop/app:7", ["values.tag"]),
        ({"values": {"replicas": True}}, "shop/app:True", []),
        ({"values": {"image": "shop/app"}}, "shop/app", ["values.image"]),
    ],
)
def test_where_a_spec_names_an_image(spec: Any, bad: str, found: list[str]) -> None:
    """By tag or digest, as a word of its own, with or without the `v`."""
    assert sorted(places(spec, [bad])) == found


def judged(kind: OwnerKind, before: Any, now: Any, live: str = "v1.2.0", bad: str = BAD) -> tuple[bool, str]:
    hold = {
        "rollback": "r1",
        "since": SINCE,
        "bad": {"images": [bad] if bad else [], "sha": sha_of(template("v1.3.0"))},
        **wanted(kind, before, [bad] if bad else []),
    }
    verdict = judge(Case(kind, now, hold, WEB, workload(template(live)) if live else None))
    return verdict.resume, verdict.why


def values(tag: str | None, version: str = "1.0.0", **spec: Any) -> dict[str, Any]:
    image = {} if tag is None else {"tag": tag}
    return {"spec": {"chart": {"spec": {"chart": "shop", "version": version}}, "values": {"image": image}, **spec}}


@pytest.mark.parametrize(
    ("before", "now", "resumes", "why"),
    [
        (values("v1.3.0"), values("v1.2.0"), True, "spec.values.image.tag is v1.2.0 now"),
        (values("v1.3.0"), values("v1.3.1"), True, "v1.3.1"),
        (values("v1.3.0"), values("v1.3.0", "1.0.1"), False, "still names v1.3.0"),
        (values("v1.3.0"), values(None), False, "cannot be seen to name another"),
        (values("v1.3.0"), values("v1.2.0", canary={"tag": "v1.3.0"}), False, "spec.canary.tag still names"),
        (values(None), values(None), False, "still shop 1.0.0"),
        (values(None), values(None, "1.0.1"), True, "its chart is shop 1.0.1 now, and was shop 1.0.0"),
        (values(None, ">=1.0.0"), values(None, "1.0.1"), False, "not exact"),
        (values(None), values(None, "*"), False, "not exact"),
        (values(None), values(None, "1.0.1", valuesFrom=[{"kind": "Secret"}]), False, "valuesFrom"),
    ],
)
def test_a_helm_release(before: Any, now: Any, resumes: bool, why: str) -> None:
    """By its values, else by a chart of another exact version."""
    found = judged(HELM_RELEASE, before, now)
    assert found[0] is resumes, found
    assert why in found[1]


def kustomized(revision: str, **spec: Any) -> dict[str, Any]:
    return {"spec": {"path": "./prod", **spec}, "status": {"lastAttemptedRevision": revision}}


def new_tag(tag: str) -> dict[str, Any]:
    return {"images": [{"name": "reg.example:5000/shop/app", "newTag": tag}]}


@pytest.mark.parametrize(
    ("before", "now", "resumes"),
    [
        (kustomized("main@a"), kustomized("main@b"), False),
        (kustomized("main@a"), kustomized("main@b", path="./elsewhere"), False),
        (kustomized("main@a", **new_tag("v1.3.0")), kustomized("main@a", **new_tag("v1.2.0")), True),
        (kustomized("main@a", **new_tag("v1.3.0")), kustomized("main@b", **new_tag("v1.3.0")), False),
        (kustomized("main@a", **new_tag("v1.3.0")), kustomized("main@b"), False),
        (
            kustomized("main@a", postBuild={"substitute": {"TAG": "v1.3.0"}}),
            kustomized("main@a", postBuild={"substitute": {"TAG": "v1.3.1"}}),
            True,
        ),
    ],
)
def test_a_kustomization(before: Any, now: Any, resumes: bool) -> None:
    """By the images in its own spec; a new revision of its source proves nothing."""
    assert judged(KUSTOMIZATION, before, now)[0] is resumes


SOURCE = {"repoURL": "https://git.example/shop", "path": "prod", "targetRevision": "main"}


def app(
    revision: str = "b", status: str = "Synced", at: str = AFTER, compared: Any = None, **spec: Any
) -> dict[str, Any]:
    entry = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web", "status": status}
    wants = {"source": SOURCE, **spec}
    return {
        "spec": wants,
        "status": {
            "reconciledAt": at,
            "resources": [entry],
            "sync": {"revision": revision, "comparedTo": {"source": compared or wants["source"]}},
        },
    }


IGNORES = {"ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/template"]}]}
AT_TAG = {"source": {**SOURCE, "targetRevision": "v1.3.0"}}


@pytest.mark.parametrize(
    ("before", "now", "live", "resumes", "why"),
    [
        (app("a"), app("b"), "v1.2.0", True, "wants deployment web in shop"),
        (app("a"), app("a"), "v1.2.0", False, "the revision that it was paused at"),
        (app("a"), app("b", at=BEFORE), "v1.2.0", False, "not compared since"),
        (app("a"), app("b", at="soon"), "v1.2.0", False, "not compared since"),
        (app("a"), app("b", "OutOfSync"), "v1.2.0", False, "wants another"),
        (app("a"), app("b"), "", False, "wants another"),
        (app("a"), app("b"), "v1.3.0", False, "runs the bad release again"),
        (app("a"), app("b", **IGNORES), "v1.2.0", False, "ignoreDifferences"),
        (app("a"), app("b", compared={**SOURCE, "path": "dev"}), "v1.2.0", False, "says now"),
        (app("a", **AT_TAG), app("a"), "v1.2.0", True, "spec.source.targetRevision is main now"),
        (app("a", **AT_TAG), app("b", **AT_TAG), "v1.2.0", False, "still names v1.3.0"),
    ],
)
def test_an_application(before: Any, now: Any, live: str, resumes: bool, why: str) -> None:
    """By its own source, else by what Argo CD finds as the new revision wants it."""
    found = judged(APPLICATION, before, now, live)
    assert found[0] is resumes, found
    assert why in found[1]


@pytest.mark.parametrize(
    ("kind", "before", "now", "resumes"),
    [
        (KUSTOMIZATION, kustomized("main@a", **new_tag("v1")), kustomized("main@b", **new_tag("v2")), False),
        (HELM_RELEASE, values("v1"), values("v2"), False),
        (HELM_RELEASE, values("v1"), values("v1", "2.0.0"), True),
    ],
)
def test_a_release_that_differs_in_its_configuration_alone(
    kind: OwnerKind, before: Any, now: Any, resumes: bool
) -> None:
    """No image tells it from the good one, so no change of an image proves anything."""
    assert judged(kind, before, now, bad="")[0] is resumes
