"""Are instances that do not run the release troubled alike? Then the release is not the cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.facts import MemberState
from rules.guards.answers import UsedFact, Verdict, used
from rules.guards.names import Release, Same, names_another, running, words_of
from rules.guards.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rules.facts import Case, OtherAlert, Peer


@dataclass(frozen=True, slots=True)
class Found:
    """What one part of a guard found."""

    verdict: Verdict
    reason: Reason = Reason.ALLOWED
    detail: str = ""
    facts: tuple[UsedFact, ...] = ()


def alike_alerts(case: Case) -> Iterator[OtherAlert]:
    """Yield the open alerts of the same kind beside the judged one."""
    if case.alert is None or case.alert.others is None:
        return
    fingerprint = case.alert.alert.fingerprint
    for other in case.alert.others.value:
        if not other.alert.firing or (fingerprint and other.alert.fingerprint == fingerprint):
            continue
        if other.alike or case.rule.when.alike(other.alert.labels):
            yield other


def _is_about_ours(case: Case, other: OtherAlert) -> bool:
    """Whether an alert names the running release: where another one runs, it lingers and says nothing."""
    ours = running(case)
    return ours is not None and any(ours.is_called(word) for _, word in words_of(other.alert.labels))


def elsewhere(case: Case) -> Found:
    """Refuse where a peer with another release alerts alike, hold where its release is not known."""
    alerts = list(alike_alerts(case))
    troubled = {
        one: other
        for other in alerts
        for one in other.instances or ()
        if one != case.instance.id and not (_is_about_ours(case, other) and not _runs_ours(case, one))
    }
    for one in _rolled_back_now(case):
        troubled.pop(one, None)
    facts = _facts(case, len(alerts))
    if troubled and case.service.peers is None:
        detail = (
            f"{listed(sorted(troubled))} alert alike, and it is not known which instances {case.service.name} has "
            "and what they run; run `rollbackctl doctor` to see what is not observed"
        )
        return Found(Verdict.HOLD, Reason.RELEASE_UNKNOWN, detail, facts)
    return _judged(case, troubled, alerts, facts)


def _judged(
    case: Case, troubled: Mapping[str, OtherAlert], alerts: list[OtherAlert], facts: tuple[UsedFact, ...]
) -> Found:
    peers = {peer.id: peer for peer in case.service.peers.value} if case.service.peers else {}
    runs = {one: _same(case, peers[one]) for one in sorted(troubled) if one in peers}
    other = [one for one, same in runs.items() if same is Same.NO]
    named = [said for alert in alerts if (said := _names_other_release(case, alert))]
    if other or named:
        where = [f"{one} ({_name(peers[one])})" for one in other] or named
        detail = (
            f"the same trouble is where this release does not run: {listed(where)}; look for a cause that "
            "they have in common"
        )
        return Found(Verdict.REFUSE, Reason.ALSO_ON_OTHER_RELEASES, detail, facts)
    old = [one for one, same in runs.items() if same is Same.YES and _ran_for_long(case, peers[one])]
    if old:
        detail = (
            f"the same trouble is where a release of this name has long been running: {listed(old)}; look for a "
            "cause that they have in common"
        )
        return Found(Verdict.REFUSE, Reason.ALSO_ON_OTHER_RELEASES, detail, facts)
    unknown = [one for one, same in runs.items() if same is Same.UNKNOWN]
    if unknown:
        detail = (
            f"{listed(unknown)} alert alike, and it is not known which release they run; register their "
            "manifests, or run `rollbackctl doctor` to see why they are not observed"
        )
        return Found(Verdict.HOLD, Reason.RELEASE_UNKNOWN, detail, facts)
    return Found(Verdict.ALLOW, detail=_alone(alerts, runs), facts=facts)


def troubled_alike(case: Case) -> frozenset[str]:
    """Return the other instances that this rule would take back as well: alerting, selected, with this release."""
    peers = {peer.id: peer for peer in case.service.peers.value} if case.service.peers is not None else {}
    scope = case.rule.target.scope
    return frozenset(
        one
        for other in alike_alerts(case)
        if case.rule.when.matches(other.alert.labels)
        for one in other.instances or ()
        if one in peers and _runs_ours(case, one) and scope.selects(peers[one].labels or {})
    )


def _runs_ours(case: Case, instance: str) -> bool:
    peers = case.service.peers.value if case.service.peers is not None else ()
    return any(peer.id == instance and _same(case, peer) is Same.YES for peer in peers)


def _ran_for_long(case: Case, peer: Peer) -> bool:
    """Whether what runs there came so long before the trouble that it is no suspect itself.

    One version may have two configurations, of which only one came lately.
    """
    caused = case.rule.guards.caused_by_release
    if caused is None or case.alert is None or peer.arrived_ms is None:
        return False
    return case.alert.onset.value - peer.arrived_ms > caused.within_s * 1000


def needs_absence(case: Case) -> bool:
    """Whether the judgement rests on alerts that do not fire: not where every instance runs the release anyway."""
    peers = case.service.peers
    if peers is None:
        return True
    return any(_same(case, peer) is not Same.YES for peer in peers.value if peer.id != case.instance.id)


def _same(case: Case, peer: Peer) -> Same:
    ours = running(case)
    if ours is None or peer.running is None:
        return Same.UNKNOWN
    if not peer.running:
        return Same.NO
    return ours.same_as(Release.of(peer.running, case.service.catalogue))


def _rolled_back_now(case: Case) -> Iterator[str]:
    """Yield the members of this campaign whose change is under way: their alert is about what they ran before."""
    for member in case.campaign.members:
        if member.state is MemberState.STARTED:
            yield member.instance


def _names_other_release(case: Case, other: OtherAlert) -> str | None:
    """Say which release an alert of this service names where nobody knows its instances; None if it is not clear.

    Only a release that a peer runs now counts: a release that is gone may just have an alert that lingers.
    """
    labels = other.alert.labels
    if other.instances is not None or case.service.peers is None:
        return None
    if case.service.name not in (
        labels.get(label) for label in ("service", "app", "app.kubernetes.io/name", "job")
    ):
        return None
    named = names_another(case, labels)
    if named is None:
        return None
    catalogue = case.service.catalogue
    runs = any(
        peer.running and Release.of(peer.running, catalogue).is_called(named[1])
        for peer in case.service.peers.value
    )
    return f"{named[1]} (named by an alert's label {named[0]})" if runs else None


def _alone(alerts: list[OtherAlert], runs: Mapping[str, Same]) -> str:
    vague = sum(1 for other in alerts if other.instances is None)
    if vague:
        return f"{vague} alerts of the same kind name no instance that is known, and prove nothing"
    if runs:
        return f"every instance that alerts alike runs it too: {listed(runs)}"
    return "no other instance of the service alerts alike"


def _name(peer: Peer) -> str:
    return peer.running[0] if peer.running else "nothing runs there"


def _facts(case: Case, alike: int) -> tuple[UsedFact, ...]:
    others = case.alert.others if case.alert else None
    peers = case.service.peers
    return (
        used("alerts of the same kind", others, case.now_ms, str(alike)),
        used("instances of the service", peers, case.now_ms, str(len(peers.value)) if peers else None),
    )
