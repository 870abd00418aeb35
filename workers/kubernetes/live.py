"""One workload as it was at one moment, with its history and its pods. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.kubernetes import marks
from workers.kubernetes.history import Revision, current_of, earlier_releases, no_history, revisions
from workers.kubernetes.images import version_of
from workers.kubernetes.templates import first_image, sha_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.instances import WorkloadKind
    from rules.observations import Drop
    from workers.kubernetes.marks import Json


@dataclass(frozen=True, slots=True)
class Live:
    """What a look at a workload saw. `current` is the revision of the present template, `earlier` the others."""

    kind: WorkloadKind
    workload: Json
    revisions: tuple[Revision, ...]
    current: Revision | None
    earlier: tuple[Revision, ...]
    sha: str

    @property
    def uid(self) -> str:
        """The identity that a deleted and recreated workload does not keep."""
        return str(self.workload["metadata"]["uid"])

    @property
    def name(self) -> str:
        """The workload's own name."""
        return str(self.workload["metadata"]["name"])

    @property
    def template(self) -> Json:
        """The present pod template."""
        template: Json = self.workload["spec"]["template"]
        return template

    @property
    def replicas(self) -> int | None:
        """How many pods are asked for; None for what has one on each node."""
        replicas: int | None = self.workload["spec"].get("replicas")
        return replicas

    @property
    def is_paused(self) -> bool:
        """Whether changes of the template are not rolled out."""
        return bool(self.workload["spec"].get("paused"))

    @property
    def is_caught_up(self) -> bool:
        """Whether the controller has seen the present spec: before, status and history are about another."""
        observed = (self.workload.get("status") or {}).get("observedGeneration", 0)
        return int(observed) >= int(self.workload["metadata"].get("generation", 0))

    @property
    def running(self) -> str | None:
        """The name of the release that the present template is."""
        if marks.release_written(self.workload, self.sha) == marks.SCALED_TO_ZERO and not self.replicas:
            return marks.SCALED_TO_ZERO
        return self.name_of(self.current) if self.current else None

    @property
    def arrival(self) -> str:
        """What pins the arrival of the present template; a release that comes again has another number."""
        number, made_hash = (self.current.number, self.current.hash) if self.current else (0, "-")
        return f"{self.uid}/{number}/{made_hash}"

    @property
    def brought_by(self) -> str | None:
        """The rollback that wrote the present template; None where a deployer did."""
        written = marks.release_written(self.workload, self.sha)
        if written is None or written == marks.SCALED_TO_ZERO:
            return None
        return marks.annotations_of(self.workload).get(marks.ROLLBACK)

    @property
    def platform(self) -> str:
        """`GOOS/GOARCH` of the nodes that its pods may be placed on; empty where the template leaves it open."""
        wanted = (self.template.get("spec") or {}).get("nodeSelector") or {}
        arch = wanted.get("kubernetes.io/arch")
        return f"{wanted.get('kubernetes.io/os', 'linux')}/{arch}" if arch else ""

    @property
    def no_history(self) -> Drop | None:
        """Why there is nothing to go back to."""
        return no_history(self.workload, self.current, self.earlier)

    @property
    def pods(self) -> tuple[Json, ...]:
        """All pods of the workload."""
        return tuple(pod for revision in self.revisions for pod in revision.pods)

    def name_of(self, revision: Revision) -> str:
        """Return a revision's release name; a pinned or borrowed template keeps the name we brought it under."""
        kept_by = self.workload if revision is self.current and revision.sha == self.sha else revision.kept_by
        written = marks.release_written(kept_by, revision.sha)
        if written is not None and written != marks.SCALED_TO_ZERO:
            return written
        return f"{version_of(revision.template, first_image(revision.template))}+{revision.hash}"


def live(kind: WorkloadKind, workload: Json, kept: Sequence[Json], pods: Sequence[Json]) -> Live:
    """Put together what was read."""
    known = revisions(kind, workload, kept, pods)
    current = current_of(kind, workload, known)
    template = workload["spec"]["template"]
    earlier = earlier_releases(known, current, template)
    return Live(kind, workload, known, current, earlier, sha_of(template))
