"""How much of a service: no campaign touches too much of it, and enough of it stays healthy."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from rules.campaigns import members_of
from rules.decisions import Reason
from rules.facts import MemberState
from rules.guards.answers import Answer, UsedFact, Verdict, used
from rules.guards.elsewhere import troubled_alike
from rules.guards.wording import share

if TYPE_CHECKING:
    from rules.facts import Case, Peer

AFFECTED, HEALTHY = "affected", "min-healthy"
_ROUNDING = 1e-9
_NOBODY: frozenset[str] = frozenset()


def affected(case: Case, together: frozenset[str] = _NOBODY) -> Answer:
    """Hold the whole campaign where it would touch more of the service than one may; one is always allowed.

    `together` are instances that would join the campaign along with this one.
    """
    limit, peers = case.rule.guards.affected, _peers(case)
    touched = {member.instance for member in members_of(case.campaign)} | together | {case.instance.id}
    total = len({peer.id for peer in peers or ()} | touched)
    by_share = max(1, floor(limit.max_share * total + _ROUNDING)) if peers is not None else 1
    most = max(1, min(limit.max, by_share))
    facts = (
        UsedFact("instances of the campaign", str(len(touched)), "ledger"),
        used(
            "instances of the service", case.service.peers, case.now_ms, str(total) if peers is not None else None
        ),
    )
    if len(touched) <= most:
        of = total if peers is not None else "an unknown number of"
        detail = f"{len(touched)} of {of} instances, of at most {most}"
        return Answer(AFFECTED, Verdict.ALLOW, detail=detail, facts=facts)
    if peers is None:
        why = f"it is not known how many instances {case.service.name} has, so only one may be touched"
    elif most == limit.max:
        why = f"`affected` allows {limit.max} at most"
    else:
        why = f"`affected` allows {share(limit.max_share)} of {total}, which is {most}"
    detail = (
        f"the campaign would touch {len(touched)} instances of {case.service.name}, and {why}; nothing of it is "
        "changed: roll back by hand what has to be, or raise the limit"
    )
    return Answer(AFFECTED, Verdict.HOLD, Reason.TOO_MANY_AFFECTED, detail, facts)


def affected_alone(case: Case) -> Answer:
    """Ask `affected` of the campaign as the ledger knows it, and of what alerts and will join it."""
    return affected(case, troubled_alike(case))


def min_healthy(case: Case) -> Answer | None:
    """Hold where too few of the others are healthy while this one changes.

    What is not known to be healthy does not count as healthy; only for a campaign's first it does, if nobody ever
    looked at it. A first that is down itself goes: its service loses nothing.
    """
    needed_share = case.rule.guards.affected.min_healthy
    first = not any(
        member.state is not MemberState.WAITING and member.instance != case.instance.id
        for member in members_of(case.campaign)
    )
    peers = _peers(case)
    total = len({peer.id for peer in peers or ()} | {case.instance.id})
    others = [peer for peer in peers or () if peer.id != case.instance.id]
    healthy = sum(1 for peer in others if peer.healthy)
    unknown = sum(1 for peer in others if peer.healthy is None)
    unseen = sum(1 for peer in others if peer.healthy is None and peer.running is None)
    needed = floor(needed_share * total + _ROUNDING)
    said = f"{healthy} of {total} healthy" + (f", {unknown} unknown" if unknown else "")
    facts = (used("health of the others", case.service.peers, case.now_ms, said if peers is not None else None),)
    if first and case.instance.healthy is not None and case.instance.healthy.value is False:
        return Answer(
            HEALTHY, Verdict.ALLOW, detail="it is not healthy now: the service loses nothing", facts=facts
        )
    if first and (peers is None or (unseen and healthy + unseen >= needed)):
        detail = f"{said}; nobody has looked at them yet, and the first of a campaign may go"
        return Answer(HEALTHY, Verdict.ALLOW, detail=detail, facts=facts)
    if healthy >= needed:
        return Answer(HEALTHY, Verdict.ALLOW, detail=f"{said}, and {needed} have to be", facts=facts)
    unsaid = f" ({unknown} are not known to be healthy, and do not count)" if unknown else ""
    detail = (
        f"{healthy} other instances of {case.service.name} are healthy{unsaid}, and {share(needed_share)} of "
        f"{total} have to be, which is {needed}; see to the others first, or roll back by hand"
    )
    return Answer(HEALTHY, Verdict.HOLD, Reason.TOO_FEW_HEALTHY, detail, facts)


def _peers(case: Case) -> tuple[Peer, ...] | None:
    return None if case.service.peers is None else case.service.peers.value
