"""Bringing a canary to the images that the stable workload of its service runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.rule import Pin
from rules.services import service_said_by
from workers.kubernetes import images, rollout, templates
from workers.kubernetes.marks import labels_of
from workers.kubernetes.plan import Goal
from workers.kubernetes.pods import is_leaving, is_ready, why_not_ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rules.observations import Drop
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json


def service_of(template: Json) -> str:
    """Return the service that pods of a template belong to, empty where they do not say."""
    return service_said_by(labels_of(template))


def candidates(workloads: Iterable[Json], wanted: Mapping[str, tuple[str, ...]], live: Live) -> list[Json]:
    """Return the other workloads of the same service whose pods carry the wanted labels."""
    service = service_of(live.template)
    return [
        workload
        for workload in workloads
        if workload["metadata"]["uid"] != live.uid
        and service
        and service_of(workload["spec"]["template"]) == service
        and _carries(workload["spec"]["template"], wanted)
    ]


def one_of(found: list[Json], live: Live, words: str) -> Json | Drop:
    """Return the only candidate, or why there is none."""
    service = service_of(live.template)
    if not service:
        detail = f"the pods of {live.name} do not say of which service they are: label them app.kubernetes.io/name"
        return Reason.SERVICE_UNKNOWN, detail
    if not found:
        detail = (
            f"service {service} has no other workload in this namespace whose pods carry {words}: deploy it first"
        )
        return Reason.STABLE_NOT_READY, detail
    if len(found) > 1:
        names = ", ".join(sorted(workload["metadata"]["name"] for workload in found))
        detail = f"{names} of service {service} all carry {words}: say it so that one is left"
        return Reason.INSTANCE_AMBIGUOUS, detail
    return found[0]


def goal_of(stable: Live, live: Live, pin: Pin) -> Goal | Drop:
    """Say what brings a workload to the images of a stable one, which has to be whole and well for that."""
    if why := _why_not_whole(stable):
        detail = f"{stable.name} is not fully rolled out and healthy ({why}), so nothing is copied from it"
        return Reason.STABLE_NOT_READY, detail
    names, theirs = templates.images(live.template), templates.images(stable.template)
    if missing := templates.without_counterpart(live.template, theirs):
        detail = f"{stable.name} has no container {', '.join(missing)}, which {live.name} has: deploy by hand"
        return Reason.RELEASE_INCOMPLETE, detail
    digests = {name: digest for name, digest in _digests(stable).items() if name in names}
    if pin is Pin.AUTO and (unknown := [name for name in names if name not in digests]):
        detail = f"the pods of {stable.name} do not run one known digest of {', '.join(unknown)}: deploy by hand"
        return Reason.DIGEST_UNKNOWN, detail
    if _has_them(live, digests, theirs):
        detail = (
            f"{live.name} runs the images of {stable.name} already; only its configuration differs: deploy by hand"
        )
        return Reason.SAME_IMAGES, detail
    pinned = {name: images.pinned(theirs[name], digests[name]) for name in digests} if pin is Pin.AUTO else theirs
    template = templates.with_images(templates.writable(live.template), pinned)
    release = stable.running or stable.name
    return Goal(release, template, digests=digests, notes=(f"the images that {stable.name} runs",))


def _carries(template: Json, wanted: Mapping[str, tuple[str, ...]]) -> bool:
    labels = labels_of(template)
    return all(labels.get(label) in values for label, values in wanted.items())


def _why_not_whole(stable: Live) -> str:
    if not stable.is_caught_up or stable.current is None:
        return "its controller has not seen its newest template yet"
    verdict = rollout.judge(stable)
    if not isinstance(verdict, rollout.Done):
        return verdict.why
    pods = [pod for pod in stable.pods if not is_leaving(pod)]
    if not pods:
        return "it runs no pod"
    if not all(is_ready(pod) for pod in pods):
        return why_not_ready(pods)
    if {rollout.pod_hash(pod) for pod in pods} != {stable.current.on_pods}:
        return "its pods are of more than one revision"
    return ""


def _digests(workload: Live) -> dict[str, str]:
    """Return the digests that all pods of the present revision agree on."""
    pods = [pod for pod in workload.current.pods if not is_leaving(pod)] if workload.current else []
    return images.digests_of(pods, templates.images(workload.template))


def _has_them(live: Live, digests: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    """Whether these are the images of the bad release: by digest where its pods know it, else by name."""
    present = templates.images(live.template)
    own = _digests(live) | {
        name: named.digest for name, image in present.items() if (named := images.read_image(image)).digest
    }
    return all(
        own[name] == digests[name] if name in own and name in digests else _alike(present[name], theirs[name])
        for name in present
    )


def _alike(one: str, other: str) -> bool:
    """Whether two specs mean one image, however they spell it."""
    a, b = images.read_image(one), images.read_image(other)
    return (a.full_repository, a.tag or "latest", a.digest) == (b.full_repository, b.tag or "latest", b.digest)
