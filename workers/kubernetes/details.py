"""What was seen of a workload, as facts for the journal and for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.kubernetes.ownership import ownership_of
from workers.kubernetes.pods import is_ready, why_not_ready

if TYPE_CHECKING:
    from workers.kubernetes.live import Live


def details_of(live: Live) -> dict[str, object]:
    """Return the facts: what each revision is, and how its pods are."""
    metadata = live.workload["metadata"]
    return {
        "uid": live.uid,
        "generation": metadata.get("generation"),
        "resource_version": metadata["resourceVersion"],
        "replicas": live.replicas,
        "paused": live.is_paused,
        "notes": list(ownership_of(live.workload).notes),
        "revisions": {
            live.name_of(revision): {
                "revision": revision.number,
                "pods": len(revision.pods),
                "ready": sum(map(is_ready, revision.pods)),
            }
            for revision in live.revisions
            if revision.pods or revision is live.current
        },
        "problem": why_not_ready(live.pods),
    }
