"""The facts that guards and choice rest on, each with where it comes from and how old it is. Unknown is None.

Times are milliseconds since the epoch, by one clock: Redis' in a running installation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from rules.catalogue import NOTHING_KNOWN, Catalogue
from rules.limits import NO_POLICY, Policy

if TYPE_CHECKING:
    from rules.alerts import Alert
    from rules.observations import Observation
    from rules.rule import Mode, Rule

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Fact(Generic[T_co]):
    """A value, who says so, and when it was so. `at_ms` None: it is written somewhere, and has no age."""

    value: T_co
    source: str
    at_ms: int | None = None


class Hand(StrEnum):
    """Who brought a release to an instance."""

    DEPLOY = "deploy"
    """Somebody or something outside: a pipeline, kubectl, a GitOps controller."""
    ROLLBACK = "rollback"
    """Our own hand, for a rule. It is no arrival that a rule acts on."""
    PERSON = "person"
    """Our own hand, for a person: their rollback, pin or forward move outranks rules."""
    GUARD = "guard"
    """A guard on the host itself, which fell back from what did not start. Not ours, and no rule goes further."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A release coming to an instance: after `after_ms` (last seen without it), and no later than `by_ms`."""

    by_ms: int
    after_ms: int | None = None
    hand: Hand = Hand.DEPLOY
    who: str = ""
    """The person, or the rollback's id; of a guard, the release that it left."""

    @property
    def earliest_ms(self) -> int:
        """The earliest time at which it may have come; without a look before it, the time it was first seen."""
        return self.by_ms if self.after_ms is None else self.after_ms


@dataclass(frozen=True, slots=True)
class LastChange:
    """The last time that an instance was rolled back by a rule."""

    at_ms: int
    rollback: str
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """One instance. `running` is every word that names its release, the release's name first; empty: nothing runs.

    `made_by` is the rollback that acted on this arrival already. `left` are releases it was just rolled back from.
    `platform` is `GOOS/GOARCH`. `labels` are those that a rule selects by.
    """

    id: str
    service: str = ""
    environment: str = ""
    cluster: str = ""
    running: Fact[tuple[str, ...]] | None = None
    arrival: Fact[Arrival] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    healthy: Fact[bool] | None = None
    scraped: Fact[bool] | None = None
    last_change: Fact[LastChange] | None = None
    made_by: str | None = None
    left: frozenset[str] = frozenset()
    platform: str = ""
    observation: Observation | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """An instance of the same service and environment, this one included. `running` as in `InstanceFacts`.

    `arrived_ms` is when what runs there came at the latest; `labels` are those that a rule selects by.
    """

    id: str
    running: tuple[str, ...] | None = None
    healthy: bool | None = None
    arrived_ms: int | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class OtherAlert:
    """An open alert beside the one that is judged. `instances` is None where they are not known.

    `alike`: it is of the same kind, by the rule's matchers on `alertname`, whatever its other labels.
    """

    alert: Alert
    instances: tuple[str, ...] | None = None
    alike: bool = False
    since_ms: int | None = None
    heard_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """The alert, when its trouble began, and what else fires.

    `onset` says its source. `began_ms` is when the episode opened, `heard_ms` when it was last heard.
    `complete` is False where the absence of an alert proves nothing: the notification was truncated and nobody
    else could be asked. `others` are open alerts that the ledger, the notification or Alertmanager knows of.
    """

    alert: Alert
    onset: Fact[int]
    began_ms: int
    heard_ms: int | None = None
    truncated: int = 0
    complete: bool = True
    others: Fact[tuple[OtherAlert, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """Somebody deploys this service now."""

    by: str
    why: str = ""
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What an instance belongs to. `peers` are all its instances in this environment, as seen last."""

    name: str
    environment: str = ""
    peers: Fact[tuple[Peer, ...]] | None = None
    catalogue: Catalogue = NOTHING_KNOWN
    lock: Fact[Lock] | None = None


@dataclass(frozen=True, slots=True)
class CampaignStart:
    """A campaign that has begun to change things."""

    id: str
    rule: str
    service: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Pause:
    """A person stopped rules: everywhere (`scope` empty), or for `service NAME` or `rule NAME`."""

    scope: str
    by: str
    why: str = ""
    until_ms: int | None = None
    """None: until it is resumed."""


@dataclass(frozen=True, slots=True)
class Demotion:
    """A rule that may only ask, until a person promotes it."""

    why: str
    at_ms: int
    rollback: str = ""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Rollbacks of a service went wrong again and again: rules leave it alone until a person resumes it."""

    why: str
    at_ms: int
    rollbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that guards count, as of one version. `storm` names the services matched lately, and when.

    `breakers` are those that are open, by service.
    """

    version: str = "0"
    starts: tuple[CampaignStart, ...] = ()
    pauses: tuple[Pause, ...] = ()
    demoted: Mapping[str, Demotion] = field(default_factory=dict)
    storm: Mapping[str, int] = field(default_factory=dict)
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    at_ms: int | None = None


class MemberState(StrEnum):
    """Where one instance of a campaign is."""

    WAITING = "waiting"
    """Nothing was changed yet."""
    STARTED = "started"
    """Committed, changing, or being verified."""
    RECOVERED = "recovered"
    NOT_RECOVERED = "not-recovered"
    """Ineffective, inconclusive, failed or held: the campaign stops."""
    LEFT = "left"
    """Ended without a change: it counts as no member."""


@dataclass(frozen=True, slots=True)
class Member:
    """One instance of a campaign."""

    instance: str
    state: MemberState
    cluster: str = ""
    rollback: str = ""
    earlier: bool = False
    """It was done before the release came anew: it proves nothing for the waves of now."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """All rollbacks of one release of one service under one rule. `members` in the order in which they joined."""

    id: str = ""
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of a PromQL answer."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


Answers = Mapping[str, "Fact[tuple[Sample, ...]] | None"]
"""What Prometheus said, by query as it was sent. None, or absent: it could not be asked."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything one judgement rests on: one rule, one alert, one instance. The same case gives the same answer.

    `alert` is None for what a person asked for; then only the guards that bind persons are asked, without those in
    `overridden`. `mode` is what the rule may do now: its own, under the policy's ceiling, unless it was demoted.
    """

    rule: Rule
    now_ms: int
    instance: InstanceFacts
    service: ServiceFacts
    alert: AlertFacts | None = None
    book: Book = Book()
    campaign: Campaign = Campaign()
    policy: Policy = NO_POLICY
    answers: Answers = field(default_factory=dict)
    overridden: frozenset[str] = frozenset()

    @property
    def mode(self) -> Mode:
        """What the rule may do now: its own mode, under the policy's ceiling, and to ask once it was demoted."""
        allowed = ceiling(self.rule.mode, self.policy)
        return _lower(allowed, "ask") if self.rule.name in self.book.demoted else allowed


def ceiling(mode: Mode, policy: Policy) -> Mode:
    """Return what a rule of this mode may do under a policy."""
    return _lower(mode, policy.ceiling)


def _lower(mode: Mode, word: str) -> Mode:
    order = [*type(mode)]
    return min(mode, type(mode)(word), key=order.index)
