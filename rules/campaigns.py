"""Campaigns: which rollbacks belong together, who counts as a member, and how large each wave is."""

from __future__ import annotations

import hashlib
import json
from math import floor
from typing import TYPE_CHECKING

from rules.facts import MemberState

if TYPE_CHECKING:
    from rules.facts import Campaign, Member
    from rules.limits import Waves

_ROUNDING = 1e-9
"""A third of three is one, though floats say a little less."""


def campaign_of(rule: str, service: str, environment: str, release: str) -> str:
    """Return the id of the campaign that takes a release of a service back under a rule."""
    text = json.dumps([rule, service, environment, release], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def members_of(campaign: Campaign) -> tuple[Member, ...]:
    """Return the members that count, in the order in which they joined; the latest of each instance.

    Who recovered before the release came anew is none: it opens no wave. Who did not still stops the campaign.
    """
    return tuple(member for member in latest_of(campaign) if not _is_over(member))


def latest_of(campaign: Campaign) -> tuple[Member, ...]:
    """Return the latest of each instance that ever joined; those that left without a change, too."""
    return tuple({member.instance: member for member in campaign.members}.values())


def _is_over(member: Member) -> bool:
    recovered_before = member.earlier and member.state is MemberState.RECOVERED
    return member.state is MemberState.LEFT or recovered_before


def went_back(campaign: Campaign, instance: str, *, ever: bool = True) -> bool:
    """Whether this instance was rolled back in this campaign before; then the release arrived there anew.

    Without `ever`: since the release came anew.
    """
    done = (MemberState.RECOVERED, MemberState.NOT_RECOVERED)
    return any(
        member.instance == instance and member.state in done and (ever or not member.earlier)
        for member in campaign.members
    )


def sizes(waves: Waves, total: int) -> tuple[int, ...]:
    """Return the cumulative size of each wave of so many: none smaller than the one before, the last all."""
    out: list[int] = []
    for step in (*waves.steps, 1.0):
        size = floor(step * total + _ROUNDING) if isinstance(step, float) else step
        out.append(max(1, *out[-1:], min(size, total)))
    return tuple(dict.fromkeys(out))
