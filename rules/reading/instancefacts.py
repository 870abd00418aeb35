"""An instance in a facts file: what runs there, since when and by whose hand, and what it could go back to."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, WithJsonSchema, model_validator

from rules.facts import Arrival, Hand, LastChange
from rules.reading.factfields import FactSection, Labels, Maybe, Moment, Names, Time, instead, short, unknown
from rules.reading.fieldtypes import Prose, Text, one_of, say
from rules.reading.releasefacts import ReasonWord, ReleaseFacts

if TYPE_CHECKING:
    from collections.abc import Sequence


class ArrivalFacts(FactSection):
    """When a release came: after one look without it, and no later than the first look with it."""

    after: Annotated[
        Time | None, Field(description="Last seen without it; without this, the moment `by` itself.")
    ] = None
    by: Annotated[Time, Field(description="First seen with it.")]

    def between(self, now_ms: int) -> tuple[int | None, int]:
        """Return both ends."""
        by_ms = self.by.at(now_ms)
        after_ms = None if self.after is None else self.after.at(now_ms)
        return (None if after_ms is None else min(after_ms, by_ms)), by_ms


class BroughtFacts(FactSection):
    """Whose hand brought what runs."""

    hand: Annotated[
        Hand,
        one_of(Hand),
        WithJsonSchema({"enum": [hand.value for hand in Hand]}),
        Field(
            description="deploy (anything outside), rollback (ours, for a rule) or person (ours, for a person)."
        ),
    ]
    who: Annotated[Prose, Field(description="The person, or the rollback's id.")] = ""


class HistoryFacts(FactSection):
    """One arrival of a release at this instance."""

    release: Annotated[Text, Field(description="What came.")]
    at: Annotated[ArrivalFacts | None, short("by"), Field(description="When: a time, or {after, by}.")] = None
    by: Annotated[BroughtFacts, short("hand"), Field(description="Whose hand: deploy, rollback or person.")] = (
        BroughtFacts(hand=Hand.DEPLOY)
    )


class LastChangeFacts(FactSection):
    """The last time that a rule rolled this instance back."""

    at: Annotated[Time, Field(description="When it began.")]
    campaign: Annotated[Prose, Field(description="Its campaign; inside one there is no cooldown.")] = ""
    rollback: Annotated[Prose, Field(description="Its id.")] = "earlier"

    def read(self, now_ms: int) -> LastChange:
        """Return it as the core knows it."""
        return LastChange(self.at.at(now_ms), self.rollback, self.campaign)


class OfferFacts(FactSection):
    """What the instance can be brought to besides its own releases."""

    release: Annotated[Text | None, Field(description="What it would run then.")] = None
    refused: Annotated[ReasonWord | None, Field(description="Why it cannot be done.")] = None
    note: Annotated[Prose, Field(description="What a person should know.")] = ""


def _releases(value: Any) -> Any:
    """Take a list, old to new; of a mapping, the keys are the names."""
    if isinstance(value, dict):
        return [
            {**(entry or {}), "name": name} if isinstance(entry, dict | None) else entry
            for name, entry in value.items()
        ]
    return value


ReleaseList = Annotated[
    list[Annotated[ReleaseFacts, short("name")]],
    instead(_releases, type="object"),
]
"""Releases, from the oldest to the newest."""


def _pods(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    return (
        dict.fromkeys(value, "") if isinstance(value, list) and all(isinstance(v, str) for v in value) else value
    )


class InstanceFacts(FactSection):
    """One instance. What is left out, or null, is not known; healthy and scraped are true unless told."""

    service: Annotated[
        Text | None, Field(description="Its service; else its labels', the inventory's, or the only one.")
    ] = None
    environment: Annotated[Prose | None, Field(description="Its environment; else what its labels say.")] = None
    cluster: Annotated[Text | None, Field(description="Its cluster, where the key above does not say it.")] = None
    namespace: Annotated[Text | None, Field(description="Its namespace, where the key above does not say it.")] = (
        None
    )
    labels: Annotated[
        Labels,
        Field(default_factory=dict, description="What a rule selects by: of the pod template, or the inventory."),
    ]
    running: Annotated[
        Names | None, unknown, Field(description="What runs, the release's name first; [] where nothing does.")
    ] = None
    releases: Annotated[ReleaseList | None, Field(description="What it has, from the oldest to the newest.")] = (
        None
    )
    arrived: Annotated[
        ArrivalFacts | None,
        short("by"),
        unknown,
        Field(description="When what runs came: a time, or {after, by}."),
    ] = None
    brought_by: Annotated[
        BroughtFacts | None, short("hand"), Field(description="Whose hand brought it; deploy if it is left out.")
    ] = None
    history: Annotated[
        list[HistoryFacts] | None,
        Field(description="All arrivals, the oldest first, in place of the fields above: the last one runs."),
    ] = None
    healthy: Annotated[Maybe, Field(description="Whether it is healthy.")] = True
    scraped: Annotated[Maybe, Field(description="Whether monitoring still sees it.")] = True
    platform: Annotated[Prose, Field(description="GOOS/GOARCH, like linux/amd64.")] = ""
    left: Annotated[Names, Field(default_factory=list, description="Releases that it was just rolled back from.")]
    last_rolled_back: Annotated[
        LastChangeFacts | None, short("at"), Field(description="When a rule rolled it back last.")
    ] = None
    made_by: Annotated[
        Text | None, Field(description="The rollback that acted on this arrival of what runs already.")
    ] = None
    offers: Annotated[
        dict[str, Annotated[OfferFacts, short("release")]],
        Field(
            default_factory=dict, description="By entry of `to`, like `same-as track=stable` or `scale-to-zero`."
        ),
    ]
    barred: Annotated[
        ReasonWord | None,
        Field(description="What stands in the way of a change: unreachable, gitops-owned, paused, …"),
    ] = None
    pods: Annotated[
        dict[str, Prose],
        instead(_pods, type=["string", "array"]),
        Field(
            default_factory=dict, description="Its pods: names, or NAME: RELEASE where one runs something older."
        ),
    ]
    seen: Annotated[Time, Field(description="When all this was so; it is the age of the facts.")] = Moment(
        0, relative=True
    )

    @model_validator(mode="after")
    def _says_it_once(self) -> InstanceFacts:
        both = [key for key in ("running", "arrived", "brought_by") if key in self.model_fields_set]
        if self.history is not None and both:
            say(f"`history` says it already; remove `{both[0].replace('_', '-')}`, or `history`")
        return self

    def names(self) -> tuple[str, ...] | None:
        """Return every word that names what runs; None where that is not known, nothing where nothing runs."""
        if self.running is not None:
            return tuple(self.running)
        return (self.history[-1].release,) if self.history else None

    def ordered(self, registered: Sequence[ReleaseFacts] = ()) -> tuple[ReleaseFacts, ...]:
        """Return what it has, from the oldest to the newest.

        Without a list that is what came here so far, else what is `registered` of its service, if that runs too.
        """
        if self.releases is not None:
            return tuple(self.releases)
        running = (self.names() or ())[:1]
        if self.history is None and any(one.name in (self.names() or ()) for one in registered):
            return tuple(ReleaseFacts(name=one.name) for one in registered)
        # What came twice stands where it came first: going back made nothing newer.
        came = [one.release for one in self.history or ()] or running
        return tuple(ReleaseFacts(name=name) for name in dict.fromkeys(came))

    def arrival(self, now_ms: int) -> Arrival | None:
        """Return how what runs came here, as far as that is known."""
        last = self.history[-1] if self.history else None
        came = last.at if last is not None else self.arrived or self._arrived_by_list()
        if came is None:
            return None
        brought = last.by if last is not None else self.brought_by or BroughtFacts(hand=Hand.DEPLOY)
        after_ms, by_ms = came.between(now_ms)
        return Arrival(by_ms, after_ms, brought.hand, brought.who)

    def _arrived_by_list(self) -> ArrivalFacts | None:
        names = self.names() or ()
        found = next((one for one in self.releases or () if one.name in names), None)
        return ArrivalFacts(by=found.arrived) if found and found.arrived else None

    def last_change(self, now_ms: int) -> LastChange | None:
        """Return when a rule rolled it back last."""
        if self.last_rolled_back is not None:
            return self.last_rolled_back.read(now_ms)
        ours = [one for one in self.history or () if one.by.hand is Hand.ROLLBACK and one.at is not None]
        if not ours or ours[-1].at is None:
            return None
        return LastChange(ours[-1].at.between(now_ms)[1], ours[-1].by.who or "earlier")

    def just_left(self) -> frozenset[str]:
        """Return what it was rolled back from, less what came again since, unless that is what runs now."""
        left, came = set(self.left), self.history or []
        for before, after in pairwise(came):
            if after is not came[-1]:
                left.discard(after.release)
            if after.by.hand is Hand.ROLLBACK:
                left.add(before.release)
        return frozenset(left)
