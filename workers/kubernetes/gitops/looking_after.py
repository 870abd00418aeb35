"""Looking after the owners that were paused: each goes on once what it wants no longer names the bad release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from controller.ledger import State
from rules.errors import Permanent
from rules.instances import WorkloadInstance, read_instance
from workers.kubernetes import marks, paths
from workers.kubernetes.failures import NotFound
from workers.kubernetes.gitops.desire import Case, Verdict, judge
from workers.kubernetes.gitops.finding import path_of, require_gone
from workers.kubernetes.gitops.holding import is_ours, read_paused
from workers.kubernetes.gitops.kinds import KINDS
from workers.kubernetes.gitops.steps import release
from workers.kubernetes.templates import sha_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from controller.ledger import Ledger
    from controller.ledger.suspensions import Suspension
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.marks import Json

log = structlog.get_logger(__name__)

_WRITTEN_WITHIN_S = 900
"""A pause is noted before it is written; so long it may take, takeovers included."""
_UNDER_WAY = frozenset({State.PLANNED, State.WAITING, State.ACTING, State.PARKED, State.UNDOING})


def look_after_paused(cluster: Cluster, ledger: Ledger) -> None:
    """Look at each owner that a rollback paused in this cluster, and let it go on where it may.

    Part of the observer's sweep: called at each turn, under the claim of the cluster; without anything paused it
    costs one read of the ledger. What one owner does not let us do is written down and does not stop the others.
    Raises `Transient` where the cluster does not answer.
    """
    for suspension in ledger.suspensions.list():
        if suspension.cluster != cluster.name:
            continue
        try:
            ended = _look(cluster, ledger, suspension)
        except Permanent as e:
            ledger.suspensions.say(suspension.instance, suspension.rollback, str(e))
            continue
        if ended:
            ledger.suspensions.forget(suspension.instance, suspension.rollback)
            log.info("gitops.resumed", owner=suspension.owner, instance=suspension.instance, because=ended)


def _look(cluster: Cluster, ledger: Ledger, suspension: Suspension) -> str:
    """Return why the pause is over; empty where it goes on."""
    values = _values(suspension)
    try:
        owner = cluster.get(path_of(values))
    except NotFound:
        require_gone(cluster, KINDS[suspension.kind], suspension.path)
        return "the owner is gone"
    if suspension.asked_by:
        found = release(cluster, values, suspension.instance, suspension.rollback, every=True)
        return f"{suspension.asked_by} asked for it: {found}"
    state = _state(ledger, suspension)
    paused = read_paused(owner) if owner["metadata"]["uid"] == suspension.uid else None
    hold = paused.holds.get(suspension.instance) if paused else None
    if hold is None or hold["rollback"] != suspension.rollback:
        fresh = state in _UNDER_WAY or suspension.age_s < _WRITTEN_WITHIN_S
        return "" if fresh else "no pause of this rollback is on the owner any more"
    verdict = _judged(cluster, suspension, owner, hold, state)
    if verdict.resume:
        return f"{verdict.why}: {release(cluster, values, suspension.instance, suspension.rollback)}"
    ledger.suspensions.say(suspension.instance, suspension.rollback, verdict.why)
    return ""


def _judged(
    cluster: Cluster, suspension: Suspension, owner: Json, hold: Mapping[str, Any], state: State | None
) -> Verdict:
    if is_ours(KINDS[suspension.kind], owner) is None:
        return Verdict(resume=True, why="somebody resumed it, or changed the field")
    if state in _UNDER_WAY:
        return Verdict(resume=False, why=f"its rollback is {state}")
    instance = read_instance(suspension.instance)
    if not isinstance(instance, WorkloadInstance):
        return Verdict(resume=False, why="this version does not know what it was paused for: resume it")
    try:
        workload: Json | None = cluster.get(paths.workload(instance))
    except NotFound:
        workload = None
    if state is State.ENDED and workload is not None and _is_untouched(workload, hold):
        return Verdict(resume=True, why="its rollback ended without changing the workload")
    return judge(Case(KINDS[suspension.kind], owner, hold, instance, workload))


def _is_untouched(workload: Json, hold: Mapping[str, Any]) -> bool:
    by_us = marks.annotations_of(workload).get(marks.ROLLBACK) == hold["rollback"]
    return not by_us and sha_of(workload["spec"]["template"]) == hold["bad"]["sha"]


def _state(ledger: Ledger, suspension: Suspension) -> State | None:
    record = ledger.rollbacks.get(suspension.rollback)
    return None if record is None else State(record.state)


def _values(suspension: Suspension) -> dict[str, str]:
    return {word: getattr(suspension, word) for word in ("kind", "namespace", "name", "path", "uid")}
