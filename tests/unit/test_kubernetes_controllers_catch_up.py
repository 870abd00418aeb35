"""A controller that has not seen the newest spec is waited for, as long as there is hope that it will."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from testbed.kube_facts import deployment, replicaset, template

from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from workers.kubernetes import rollout
from workers.kubernetes.catching_up import require_caught_up
from workers.kubernetes.live import Live

V1 = template("v1")
QUOTA = {
    "type": "Progressing",
    "status": "False",
    "reason": "ReplicaSetCreateError",
    "message": "exceeded quota: q",
}
NO_PODS = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: q"}
WELL = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "fine"}


def web(*conditions: dict[str, str], seen: int = 2, written: int | None = 1000, **status: Any) -> Live:
    """Return a Deployment of generation 3 whose spec was written at a second, its status later."""
    found = deployment(
        V1, [replicaset(1, V1)], status={"observedGeneration": seen, "conditions": list(conditions), **status}
    )
    managed = [entry("kube-controller-manager", 9000, "f:status")]
    if written is not None:
        managed += [entry("shop-team", written, "f:spec"), entry("kubectl", written - 500, "f:spec")]
    found.workload["metadata"]["managedFields"] = managed  # type: ignore[index]
    return found


def entry(manager: str, second: int, field: str) -> dict[str, Any]:
    time = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"manager": manager, "time": time, "fieldsV1": {field: {}}}


@pytest.mark.parametrize(
    ("found", "after_s", "reason"),
    [
        (web(seen=3), 900, None),
        (web(QUOTA, seen=3), 900, None),
        (web(), 1, Reason.BACKOFF),
        (web(), 299, Reason.BACKOFF),
        (web(WELL), 301, Reason.UNKNOWN_STATE),
        (web(QUOTA), 9, Reason.BACKOFF),
        (web(QUOTA), 11, Reason.TARGET_REFUSED),
        (web(NO_PODS), 11, Reason.TARGET_REFUSED),
        (web(written=None), 9000, Reason.BACKOFF),
        (web(QUOTA), -60, Reason.BACKOFF),
    ],
    ids=[
        "has-seen-it",
        "has-seen-it-and-makes-no-more",
        "at-once",
        "for-a-while",
        "for-too-long",
        "a-refusal-of-before",
        "a-refusal",
        "no-pods",
        "nobody-knows-since-when",
        "a-clock-that-is-behind",
    ],
)
def test_how_long_a_controller_is_waited_for(found: Live, after_s: float, reason: Reason | None) -> None:
    """Counted from the last write of the spec, so that it is the same for whoever looks next."""
    if reason is None:
        require_caught_up(found, 1000 + after_s)
        return
    with pytest.raises(NotYet if reason is Reason.BACKOFF else Permanent) as said:
        require_caught_up(found, 1000 + after_s)
    assert said.value.reason is reason
    if reason is Reason.TARGET_REFUSED:
        assert "exceeded quota: q" in str(said.value)


@pytest.mark.parametrize("seen", [2, 3])
def test_a_rollout_that_is_refused_says_so(seen: int) -> None:
    """Whether its ReplicaSet cannot be made, or its pods."""
    verdict = rollout.judge(web(NO_PODS, seen=seen))
    assert isinstance(verdict, rollout.Waiting)
    assert "FailedCreate (exceeded quota: q)" in verdict.why
