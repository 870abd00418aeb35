"""Waves: which instance of a campaign may go next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.campaigns import members_of, sizes
from rules.decisions import Reason
from rules.facts import MemberState
from rules.guards.answers import Answer, UsedFact, Verdict
from rules.guards.wording import listed

if TYPE_CHECKING:
    from rules.facts import Campaign, Case, Member
    from rules.limits import Waves

WAVES = "waves"
_CLUSTER = "cluster"


def waves(case: Case) -> Answer:
    """Ask whether it is this instance's turn within its campaign."""
    return slot(case.rule.waves, case.campaign, case.instance.id, case.instance.cluster)


def slot(waves: Waves, campaign: Campaign, instance: str, cluster: str = "") -> Answer:
    """Tell whether it is this instance's turn: allow, wait for the wave before, or hold where one did not recover.

    `cluster` is needed where the instance is no member yet.
    """
    members = members_of(campaign)
    failed = [member.instance for member in members if member.state is MemberState.NOT_RECOVERED]
    if failed:
        detail = (
            f"the campaign stopped: {listed(failed)} did not recover after going back; look at why with "
            "`rollbackctl why`, and go on by hand if it should"
        )
        return Answer(WAVES, Verdict.HOLD, Reason.CAMPAIGN_STOPPED, detail, _facts(members))
    mine = next((member for member in members if member.instance == instance), None)
    if mine is not None and mine.state is MemberState.STARTED:
        return Answer(WAVES, Verdict.ALLOW, detail="it has its place in a wave already", facts=_facts(members))
    others = [member for member in members if member.instance != instance]
    if waves.by == _CLUSTER:
        return _by_cluster(waves, members, mine.cluster if mine else cluster)
    return _by_instance(waves, others)


def _by_instance(waves: Waves, others: list[Member]) -> Answer:
    """Judge the one that asks among the others: a wave opens once everything before it is recovered."""
    recovered = sum(1 for member in others if member.state is MemberState.RECOVERED)
    begun = recovered + sum(1 for member in others if member.state is MemberState.STARTED)
    total = len(others) + 1
    before = 0
    number, size = 0, 0
    for number, size in enumerate(sizes(waves, total), start=1):  # noqa: B007  the wave that is open is told
        if begun < size:
            break
        before = size
    facts = _facts(tuple(others))
    if recovered >= before:
        detail = f"wave {number} has room: {begun} of {size} begun"
        return Answer(WAVES, Verdict.ALLOW, detail=detail, facts=facts)
    detail = (
        f"wave {number} opens once all {before} before it are recovered ({recovered} are); "
        "follow it with `rollbackctl status`"
    )
    return Answer(WAVES, Verdict.WAIT, Reason.WAVE, detail, facts)


def _by_cluster(waves: Waves, members: tuple[Member, ...], mine: str) -> Answer:
    """Take whole clusters, in the order in which they joined."""
    clusters = list(dict.fromkeys((*(member.cluster for member in members), mine)))
    unfinished = {member.cluster for member in members if member.state is not MemberState.RECOVERED}
    facts = _facts(members)
    for size in sizes(waves, len(clusters)):
        if mine in clusters[:size]:
            return Answer(WAVES, Verdict.ALLOW, detail=f"it is the turn of {listed(clusters[:size])}", facts=facts)
        if going := [cluster for cluster in clusters[:size] if cluster in unfinished]:
            detail = (
                f"{mine} waits until everything in {listed(going)} is recovered; "
                "follow it with `rollbackctl status`"
            )
            return Answer(WAVES, Verdict.WAIT, Reason.WAVE, detail, facts)
    return Answer(WAVES, Verdict.ALLOW, detail="every other cluster is recovered", facts=facts)


def _facts(members: tuple[Member, ...]) -> tuple[UsedFact, ...]:
    counts = {state: sum(1 for member in members if member.state is state) for state in MemberState}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return (UsedFact("members of the campaign", said or "none yet", "ledger"),)
