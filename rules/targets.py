"""From an alert to the instances a rule means. Labels are only ever looked up in the inventory."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from rules.addresses import canonical, without_port
from rules.decisions import Decision, Outcome, Reason
from rules.instances import HostInstance, Instance, read_instance
from rules.observations import is_called
from rules.services import service_said_by
from rules.templates import LabelMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from rules.alerts import Alert
    from rules.rule import Rule
    from rules.services import Host, Inventory, Service


@dataclass(frozen=True, slots=True)
class Located:
    """An instance that an alert led to, and the service it belongs to.

    `besides` says what was left out beside it, and why; it is for the decision's detail.
    """

    instance: Instance
    service: str
    besides: str = ""

    @property
    def host(self) -> str:
        """The host's name; empty for a workload of a cluster."""
        return self.instance.host if isinstance(self.instance, HostInstance) else ""


Found: TypeAlias = tuple[tuple[Located, ...], Decision | None]
"""Instances, or none and the decision that says why."""


Place: TypeAlias = tuple["Service", "Host"]


class _CannotTellError(Exception):
    """Carries the decision out of the look-up; its words are made for who reads them."""

    def __init__(self, outcome: Outcome, reason: Reason, detail: Callable[[], str]) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.detail = detail

    @property
    def decision(self) -> Decision:
        return Decision(self.outcome, self.reason, self.detail())


def find_instances(rule: Rule, alert: Alert, inventory: Inventory) -> Found:
    """Find what the alert is about and the rule selects, by what the inventory says; nothing live is asked.

    `target.running` needs live facts: `keep_running` applies it.
    """
    try:
        places = _places(rule, alert, inventory)
    except LabelMissing as missing:
        return (), Decision(Outcome.REFUSE, Reason.LABEL_MISSING, str(missing))
    except _CannotTellError as error:
        return (), error.decision
    selected = [(service, host) for service, host in places if _selected(rule, host)]
    if not selected:
        return (), Decision(Outcome.NO_MATCH, Reason.NOT_SELECTED, _not_selected(rule, places))
    found = tuple(HostInstance(inventory.name, service.name, host.name) for service, host in selected)
    return tuple(Located(instance, instance.service) for instance in found), None


def services_of(rule: Rule, alert: Alert, inventory: Inventory) -> frozenset[str]:
    """Return the services whose instances the alert is about; none where that cannot be told.

    What `find_instances` finds, without the words for people: it is asked of every alert that comes in.
    """
    try:
        places = _places(rule, alert, inventory)
    except (LabelMissing, _CannotTellError):
        return frozenset()
    return frozenset(service.name for service, host in places if _selected(rule, host))


def keep_running(
    rule: Rule, alert: Alert, running: Mapping[str, Collection[str]]
) -> tuple[tuple[str, ...], Decision | None]:
    """Keep the instances (by id) that run the release the rule's `running` names; all of them without one.

    `running` holds every word that names what an instance runs: its release's name first, then the others.
    """
    if rule.target.running is None:
        return tuple(running), None
    try:
        wanted = rule.target.running.expand(alert.labels, alert.annotations)
    except LabelMissing as missing:
        return (), Decision(Outcome.REFUSE, Reason.LABEL_MISSING, str(missing))
    kept = tuple(instance for instance, names in running.items() if is_called(wanted, names))
    if kept or not running:
        return kept, None
    seen = ", ".join(
        f"{read_instance(i).label}: {next(iter(names), 'no release')}" for i, names in running.items()
    )
    detail = f"the alert names release {wanted}, which runs on none of its instances ({seen})"
    return (), Decision(Outcome.REFUSE, Reason.STALE, detail)


def with_besides(detail: str, located: Iterable[Located]) -> str:
    """Add to a decision's detail what was left out beside the instances that it is about."""
    return "; ".join(filter(None, dict.fromkeys([detail, *(one.besides for one in located)])))


def _places(rule: Rule, alert: Alert, inventory: Inventory) -> list[Place]:
    template = rule.target.hosts.instance if rule.target.hosts else None
    if template is None:
        service = _service(rule, alert, inventory)
        return [(service, host) for host in service.hosts]
    value = template.expand(alert.labels, alert.annotations)
    if rule.target.service is not None:
        return _on_one_host(value, [_service(rule, alert, inventory)], inventory)
    return _on_one_host(value, inventory.services.values(), inventory)


def _service(rule: Rule, alert: Alert, inventory: Inventory) -> Service:
    if rule.target.service is not None:
        name = rule.target.service.expand(alert.labels, alert.annotations)
    else:
        name = service_said_by(alert.labels)
    if not name:
        detail = "no service is named: give the rule `target.service`, or the alert a label app"
        raise _CannotTellError(Outcome.HOLD, Reason.SERVICE_UNKNOWN, lambda: detail)
    if name not in inventory.services:
        raise _CannotTellError(
            Outcome.HOLD,
            Reason.SERVICE_UNKNOWN,
            lambda: f"service {name} is not in the inventory{_near(name, inventory.services)}; add it",
        )
    return inventory.services[name]


def _on_one_host(value: str, services: Iterable[Service], inventory: Inventory) -> list[Place]:
    """Return the one place that `value` names."""
    places = _named(value, services, inventory)
    if len(places) == 1:
        return places
    if not places:
        raise _CannotTellError(Outcome.REFUSE, Reason.HOST_UNKNOWN, lambda: _unknown(value, inventory))
    names = ", ".join(f"{service.name} on {host.name}" for service, host in places)
    detail = f"{value} names several instances ({names}); tell them apart with `target.service` or `instance`"
    raise _CannotTellError(Outcome.HOLD, Reason.INSTANCE_AMBIGUOUS, lambda: detail)


def _named(value: str, services: Iterable[Service], inventory: Inventory) -> list[Place]:
    """Find hosts by their own `instance`, which tells services on one host apart; else by name or address."""
    among = {service.name for service in services}
    own = [place for place in inventory.by_instance.get(value, ()) if place[0].name in among]
    if own:
        return own
    words = dict.fromkeys((value, canonical(value), canonical(without_port(value))))
    found = {
        (service.name, host.name): (service, host)
        for word in words
        for service, host in inventory.by_word.get(word, ())
        if service.name in among
    }
    order = {name: at for at, name in enumerate(inventory.services)} if len(found) > 1 else {}
    return sorted(found.values(), key=lambda place: (order.get(place[0].name, 0), place[0].hosts.index(place[1])))


def _selected(rule: Rule, host: Host) -> bool:
    return rule.target.scope.selects(host.labels)


def _not_selected(rule: Rule, places: Iterable[Place]) -> str:
    names = ", ".join(f"{service.name} on {host.name} ({_labels(host)})" for service, host in places)
    only = [f"only {label}={'|'.join(values)}" for label, values in rule.target.only.items()]
    without = [f"except {label}={'|'.join(values)}" for label, values in rule.target.except_.items()]
    return f"the rule selects {', '.join(only + without) or 'hosts'}; the alert is about {names or 'no host'}"


def _labels(host: Host) -> str:
    return ", ".join(f"{label}={value}" for label, value in host.labels.items()) or "no labels"


def _unknown(value: str, inventory: Inventory) -> str:
    elsewhere = [
        f"{service.name} on {host.name}" for service, host in _named(value, inventory.services.values(), inventory)
    ]
    if elsewhere:
        return f"{value} is in the inventory only as {', '.join(elsewhere)}; add it, or correct the rule"
    hosts = {name for s in inventory.services.values() for host in s.hosts for name in (host.name, host.address)}
    near = _near(without_port(value), hosts)
    return f"{value} names no host of the inventory{near}; add the host, or give it `instance: {value}`"


def _near(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), n=1, cutoff=0.75)
    return f" (did you mean {close[0]}?)" if close else ""
