"""The cases of one alert under one rule, made from what is known: one for each instance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rules.campaigns import campaign_of
from rules.decisions import Reason
from rules.facts import AlertFacts, Campaign, Case, Fact, InstanceFacts, OtherAlert, ServiceFacts
from rules.guards.asking import as_sent
from rules.instances import WorkloadInstance
from rules.knownplaces import find
from rules.observations import Offer
from rules.to import SameAs, ScaleToZero, to_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rules.alerts import Alert
    from rules.catalogue import Catalogue
    from rules.facts import Sample
    from rules.rule import Rule
    from rules.targets import Located
    from rules.to import To
    from rules.world import World

_SCALED_TO_ZERO = "scaled-to-zero"


def case_of(world: World, rule: Rule, alert: Alert, siblings: Sequence[Alert], located: Located) -> Case:
    """Make the case of one instance. `siblings` are the other alerts of the notification, those that fire."""
    known = world.instances.get(located.instance.id)
    instance = _instance(world, rule, located, known)
    service = ServiceFacts(
        instance.service,
        instance.environment,
        Fact(world.peers(instance), world.source, world.now_ms),
        world.catalogue(instance.service, instance.environment),
        world.locks.get(instance.service),
    )
    return Case(
        rule=rule,
        now_ms=world.now_ms,
        instance=instance,
        service=service,
        alert=alert_facts(world, rule, alert, siblings),
        book=world.book,
        campaign=_campaign(world, rule, instance, service.catalogue),
        policy=world.policy,
        answers=_answers(world, rule, alert),
    )


def _instance(world: World, rule: Rule, located: Located, known: InstanceFacts | None) -> InstanceFacts:
    cluster = located.instance.cluster if isinstance(located.instance, WorkloadInstance) else ""
    if known is None:
        return InstanceFacts(located.instance.id, located.service, cluster=cluster)
    instance = replace(known, service=located.service or known.service, cluster=cluster)
    if known.observation is None:
        return instance
    offers = {**_offers(world, rule.to, instance), **known.observation.offers}
    return replace(instance, observation=replace(known.observation, offers=offers))


def _offers(world: World, to: Sequence[To], instance: InstanceFacts) -> dict[str, Offer]:
    """Say what the instance can be brought to besides its own releases."""
    offers: dict[str, Offer] = {}
    for entry in to:
        if isinstance(entry, SameAs):
            offers[to_word(entry)] = _same_as(world, entry, instance)
        elif isinstance(entry, ScaleToZero):
            offers[to_word(entry)] = Offer(_SCALED_TO_ZERO)
    return offers


def _same_as(world: World, entry: SameAs, instance: InstanceFacts) -> Offer:
    """Take what the one other instance of the service runs that carries these labels."""
    word = to_word(entry)
    found = [
        one
        for one in world.instances.values()
        if one.id != instance.id
        and (one.service, one.environment, one.cluster)
        == (instance.service, instance.environment, instance.cluster)
        and all(one.labels.get(label, "") in values for label, values in entry.labels.items())
    ]
    running = {one.running.value[0] for one in found if one.running is not None and one.running.value}
    if not running or len(running) > 1:
        said = "runs" if not running else f"runs one release ({', '.join(sorted(running))} run)"
        return Offer(refused=(Reason.NO_CANDIDATE, f"nothing that is {word} {said}; name a release instead"))
    (release,) = running
    if any(one.healthy is not None and one.healthy.value is False for one in found):
        return Offer(release, (Reason.STABLE_NOT_READY, f"what is {word} is not healthy itself; mend it first"))
    if instance.running is not None and release in instance.running.value:
        return Offer(release, (Reason.SAME_IMAGES, f"what is {word} runs {release} too; name another release"))
    return Offer(release)


def alert_facts(world: World, rule: Rule, alert: Alert, siblings: Sequence[Alert]) -> AlertFacts:
    """Put together what is known of the alert, and of what fires beside it."""
    in_body = (OtherAlert(one, None, since_ms=_since(world, rule, one), heard_ms=world.now_ms) for one in siblings)
    others = [one for one in (*in_body, *world.others) if not _same(one.alert, alert)]
    return AlertFacts(
        alert,
        onset(rule, alert, world),
        alert.starts_at_ms,
        heard_ms=world.now_ms,
        truncated=world.truncated,
        complete=not world.truncated or bool(world.complete),
        others=Fact(tuple(_placed(world, rule, others)), world.source, world.now_ms),
    )


def onset(rule: Rule, alert: Alert, world: World) -> Fact[int]:
    """Say when the trouble began: by Prometheus, else before the alerting rule's `for`, else when it was told."""
    told = (world.onsets.get(key) for key in (alert.fingerprint, alert.labels.get("alertname", ""), ""))
    if (found := next((one for one in told if one is not None), None)) is not None:
        return found
    if rule.when.alert_for_s is not None:
        return Fact(alert.starts_at_ms - round(rule.when.alert_for_s * 1000), "startsAt minus alert-for")
    return Fact(alert.starts_at_ms, "startsAt")


def _since(world: World, rule: Rule, alert: Alert) -> int:
    return onset(rule, alert, world).value if rule.when.alike(alert.labels) else alert.starts_at_ms


def _same(one: Alert, other: Alert) -> bool:
    return one is other or (bool(one.fingerprint) and one.fingerprint == other.fingerprint)


def _placed(world: World, rule: Rule, others: Iterable[OtherAlert]) -> Iterator[OtherAlert]:
    """Say of which kind each is; and where those of our kind are, whatever the rule selects."""
    for other in others:
        alike = rule.when.alike(other.alert.labels)
        instances = other.instances
        if alike and instances is None:
            instances = _whereabouts(world, rule, other.alert)
        yield replace(other, instances=instances, alike=alike)


def _whereabouts(world: World, rule: Rule, alert: Alert) -> tuple[str, ...] | None:
    """Find what an alert is about; None where its labels do not tell, as those that name a service only."""
    target = rule.target
    if target.hosts is not None and target.hosts.instance is None and target.running is None:
        return None
    unscoped = replace(rule, target=replace(target, only={}, except_={}, arrived_within_s=None))
    located, problem = find(world, unscoped, alert, ())
    if problem is not None or (target.kubernetes is not None and _by_selector_alone(rule, located)):
        return None
    return tuple(one.instance.id for one in located)


def _by_selector_alone(rule: Rule, located: Sequence[Located]) -> bool:
    within = rule.target.kubernetes
    return within is not None and within.selector is not None and rule.target.running is None and len(located) > 1


def _campaign(world: World, rule: Rule, instance: InstanceFacts, catalogue: Catalogue) -> Campaign:
    """Return the campaign that this instance belongs to, or would join."""
    names = instance.running.value if instance.running is not None else ()
    manifest = catalogue.manifest_of(names) if names else None
    release = manifest.version if manifest is not None else next(iter(names), "")
    return Campaign(
        campaign_of(rule.name, instance.service, instance.environment, release),
        tuple(
            member
            for known in world.campaigns
            if (known.rule, known.service) == (rule.name, instance.service)
            and known.environment in (None, instance.environment)
            and (known.release is None or known.release in {*names, release})
            for member in known.members
        ),
    )


def _answers(world: World, rule: Rule, alert: Alert) -> dict[str, Fact[tuple[Sample, ...]] | None]:
    """Look up what Prometheus says, by the query as it is sent."""
    if not world.asked:
        return {}
    caused = rule.guards.caused_by_release
    asked = [(requirement.promql, requirement.name) for requirement in rule.require]
    if caused is not None and caused.compare is not None:
        asked.append((caused.compare.query, "compare"))
    known = {_squeezed(text): answer for text, answer in world.queries.items()}
    answers: dict[str, Fact[tuple[Sample, ...]] | None] = {}
    for query, name in asked:
        if (sent := as_sent(query, alert)) is not None:
            keys = (_squeezed(key) for key in (sent, query, name))
            answers[sent] = next((known[key] for key in keys if key in known), None)
    return answers


def _squeezed(query: str) -> str:
    return " ".join(query.split())
