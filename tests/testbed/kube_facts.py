"""Objects of the Kubernetes API as plain JSON, for what is pure: no cluster, and only what matters to a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rules.instances import WorkloadInstance, WorkloadKind
from workers.kubernetes.live import Live, live
from workers.kubernetes.templates import sha_of

Object = dict[str, Any]

DIGEST = "sha256:" + 64 * "a"
OTHER_DIGEST = "sha256:" + 64 * "b"
WEB = WorkloadInstance("eu", "shop", WorkloadKind.DEPLOYMENT, "web")


def template(tag: str = "v1", *, labels: Mapping[str, str] | None = None, **containers: str) -> Object:
    """Return a pod template of one container `app`, or of those that are given by name."""
    images = containers or {"app": f"shop/app:{tag}"}
    return {
        "metadata": {"labels": {"app": "web", **(labels or {})}},
        "spec": {"containers": [{"name": name, "image": image} for name, image in images.items()]},
    }


def workload(made: Object, *, uid: str = "w1", name: str = "web", **spec: Any) -> Object:
    """Return a workload whose controller has seen it; `status` and `annotations` are words of their own."""
    status, annotations = spec.pop("status", {}), spec.pop("annotations", None)
    metadata: Object = {"name": name, "uid": uid, "resourceVersion": "7", "generation": 3}
    if annotations is not None:
        metadata["annotations"] = dict(annotations)
    return {
        "metadata": metadata,
        "spec": {"replicas": 2, "template": made, "selector": {"matchLabels": {"app": "web"}}, **spec},
        "status": {"observedGeneration": 3, **status},
    }


def owned_by(uid: str, kind: str = "Deployment") -> list[Object]:
    return [{"uid": uid, "kind": kind, "name": "web", "controller": True}]


def replicaset(number: int, made: Object, *, made_hash: str = "", owner: str = "w1", **annotations: str) -> Object:
    """Return a ReplicaSet of a revision; its uid and its hash follow from the number."""
    made_hash = made_hash or f"h{number}"
    labelled = {**made, "metadata": {**made["metadata"], "labels": {**made["metadata"]["labels"]}}}
    labelled["metadata"]["labels"]["pod-template-hash"] = made_hash
    return {
        "metadata": {
            "name": f"web-{made_hash}",
            "uid": f"rs-{made_hash}",
            "labels": {"pod-template-hash": made_hash},
            "annotations": {"deployment.kubernetes.io/revision": str(number), **annotations},
            "ownerReferences": owned_by(owner),
        },
        "spec": {"template": labelled},
    }


def controller_revision(number: int, made: Object, *, name: str, **labels: str) -> Object:
    """Return a ControllerRevision; its data carries `$patch`, as the real ones do."""
    return {
        "metadata": {"name": name, "uid": f"cr-{name}", "labels": labels, "ownerReferences": owned_by("w1")},
        "revision": number,
        "data": {"spec": {"template": {**made, "$patch": "replace"}}},
    }


def pod(
    name: str,
    made_hash: str,
    *,
    ready: bool = True,
    digest: str = DIGEST,
    owner: str = "",
    label: str = "pod-template-hash",
    metadata: Mapping[str, Any] | None = None,
    **status: Any,
) -> Object:
    """Return a pod of a revision, with one container `app`; `status` replaces what is said of it."""
    container = {"name": "app", "ready": ready, "restartCount": 0, "imageID": f"shop/app@{digest}"}
    container |= {"state": {"running": {}}}
    said = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [container],
        **status,
    }
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "labels": {"app": "web", label: made_hash},
            "ownerReferences": owned_by(owner or f"rs-{made_hash}", "ReplicaSet"),
            **(metadata or {}),
        },
        "status": said,
    }


def deployment(
    now: Object, history: Sequence[Object], pods: Sequence[Object] = (), *, revision: int = 0, **more: Any
) -> Live:
    """Return a look at a Deployment."""
    number = revision or max(
        int(rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"]) for rs in history
    )
    annotations = {"deployment.kubernetes.io/revision": str(number), **more.pop("annotations", {})}
    made = workload(now, annotations=annotations, **more)
    return live(WorkloadKind.DEPLOYMENT, made, history, pods)


def marked(release: str, made: Object) -> dict[str, str]:
    """Return the annotations by which a template is known as one that we brought."""
    return {"rollback-controller.io/release": release, "rollback-controller.io/template": sha_of(made)}
