"""A look over whatever this machine reaches, for a person who asks what is wrong: it changes nothing.

Asked of a worker and not of whoever types the command: what counts is what workers reach, with their credentials.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from controller.settings.secrets import SecretUnreadable
from rules.errors import RollbackError
from rules.findings import Finding, Level, Section, counted, from_message, warns, well, wrong
from rules.instances import HostInstance
from rules.routing import routing_findings
from workers.site import Site
from workers.terms import Terms

if TYPE_CHECKING:
    from rules.rule import Rule, When
    from workers.monitoring.alertmanager import Alertmanager
    from workers.monitoring.prometheus import Prometheus

_AT_ONCE = 8
_HOSTS_WITHIN_S = 20
_OF_HOSTS = "Look with `ssh` from the worker machine; docs/how-to/hosts.md has what it needs."
_OF_ALERTMANAGER = "Correct `alertmanager` in the settings."
_OF_PROMETHEUS = "Correct `prometheus` in the settings."
_OF_RULES = "Bring the servers' rule files, settings and version to the machines of the workers."
_OF_SEALS = "Give every worker machine the same key; docs/explanation/audit.md has the command that makes one."
_NAMED_MOST = 12


def check(site: Site) -> dict[str, Any]:
    """Look, and answer with sections of findings, as `rules.findings` writes them."""
    site.house.refresh()
    sections = [
        Section("Rules, as a worker sees them", tuple(_rules(site))),
        Section("Seals, as a worker sees them", tuple(_seals(site))),
        Section("Alertmanager, as a worker sees it", tuple(_alertmanager(site))),
        Section("Prometheus, as a worker sees it", tuple(_prometheus(site))),
        Section("Clusters, as a worker sees them", tuple(site.check_clusters())),
        Section("Hosts, as a worker sees them", tuple(_hosts(site))),
    ]
    return {"by": platform.node(), "sections": [one.written() for one in sections if one.findings]}


def _rules(site: Site) -> Iterator[Finding]:
    """Say whether this worker has the rules by which servers go: what it does not know, it cannot carry out."""
    for problem in site.house.errors:
        yield wrong(f"It goes by older rules: {problem}", "Correct the file; it is read again by itself.")
    in_force = site.ledger.spreading.in_force()
    unknown = len(in_force - site.house.digests)
    if unknown:
        what = (
            f"Servers go by {counted(unknown, 'rule')} that this worker does not know: alerts under them wait for "
            "one that does. For two minutes after a change that means nothing."
        )
        yield warns(what, _OF_RULES)
    elif in_force:
        yield well(f"It knows the {counted(len(in_force), 'rule')} by which servers go.")


def _seals(site: Site) -> Iterator[Finding]:
    """Say whether what workers plan is sealed. Only they have the key: whoever asks us has none to look at."""
    try:
        keys = site.keys()
    except SecretUnreadable as e:
        yield from_message(Level.WRONG, f"No rollback begins, and none is sealed: {e}", _OF_SEALS)
        return
    if not keys:
        what = (
            "No `audit.key-file` in the settings: plans are not sealed, so who writes to Redis writes them, too."
        )
        yield warns(what, _OF_SEALS)
        return
    older = f", beside {counted(len(keys) - 1, 'older key')}" if len(keys) > 1 else ""
    yield well(f"Plans, steps and what ended are sealed with key {keys[-1].name}{older}.")


def _alertmanager(site: Site) -> Iterator[Finding]:
    if site.alertmanager is None:
        what = "No `alertmanager` in the settings: what its notifications miss stays missed."
        yield warns(what, "Add `alertmanager: {url: …, receiver: …}`; docs/reference/settings.md has it.")
        return
    with closing(site.alertmanager()) as asked:
        try:
            yield from _about_alertmanager(asked, site.numbers.group_interval_s)
        except RollbackError as e:
            yield from_message(Level.WRONG, str(e), _OF_ALERTMANAGER)


def _about_alertmanager(asked: Alertmanager, group_interval_s: float) -> Iterator[Finding]:
    standing = asked.standing()
    yield well(f"Alertmanager {standing.version} answers, up for {counted(round(standing.up_s / 60), 'minute')}.")
    if not standing.in_order:
        yield warns(
            "It is still settling with the others of its cluster.",
            "Look again in a minute; if it stays so, compare `--cluster.peer` of all of them.",
        )
    asked.knows_us()
    yield from routing_findings(_read(standing.config), asked.receiver, group_interval_s)
    listed = asked.listed()
    silent = sum(not one.told for one in listed)
    yield well(f"It lists {counted(len(listed), 'firing alert')} for us, {silent} of them silenced or inhibited.")
    if standing.keeps_back and any(one.muted is None for one in listed):
        yield warns(
            "Its routes have time intervals, and this version does not say which alerts they mute: nothing new is "
            "learned by asking.",
            "Use Alertmanager 0.28 or later, or take the intervals off the routes that lead to us.",
        )


def _read(config: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(config)
    except (YAMLError, ValueError):
        return None


def _prometheus(site: Site) -> Iterator[Finding]:
    if site.prometheus is None:
        what = (
            "No `prometheus` in the settings: when trouble began, and whether it is over, is known less exactly."
        )
        yield warns(what, "Add `prometheus: {url: …}`; docs/reference/settings.md has it.")
        return
    with closing(site.prometheus()) as asked:
        try:
            yield from _about_prometheus(asked, site.house.rules.rules)
        except RollbackError as e:
            yield from_message(Level.WRONG, str(e), _OF_PROMETHEUS)


def _about_prometheus(asked: Prometheus, rules: Iterable[Rule]) -> Iterator[Finding]:
    names = sorted({rule.name for rule in asked.alerting_rules()})
    if not names:
        what = "Prometheus answers, and has no alerting rules: whether those of our rules exist was not checked."
        yield warns(what, "Set `prometheus.url` to the one that judges the alerting rules, not a store.")
        return
    yield well(f"Prometheus answers, and has {counted(len(names), 'alerting rule')}.")
    known = ", ".join(names[:_NAMED_MOST]) + (", …" if len(names) > _NAMED_MOST else "")
    for rule in rules:
        if not any(_may_be_called(rule.when, name) for name in names):
            what = f"The rule {rule.name} matches by `alertname` none of the alerts that Prometheus has: {known}."
            yield warns(what, f"Correct `when:` of {rule.name}, or load the alerting rule into Prometheus.")


def _may_be_called(when: When, name: str) -> bool:
    """Tell whether an alert of this name could match; other labels are known only when it fires."""
    lists = [(*when.matchers, *matchers) for matchers in when.any_of] or [when.matchers]
    about = [[one for one in matchers if one.name == "alertname"] for matchers in lists]
    return any(all(one.matches({"alertname": name}) for one in matchers) for matchers in about)


def _hosts(site: Site) -> Iterator[Finding]:
    inventory = site.house.inventory
    instances = [
        HostInstance(inventory.name, service.name, host.name)
        for service in inventory.services.values()
        for host in service.hosts
    ]
    if not instances:
        return
    troubles, late = _look_at(site, instances)
    reached = len(instances) - len(troubles) - len(late)
    if reached:
        yield well(f"{reached} of {len(instances)} instances on hosts can be looked at.")
    for label, message in troubles.items():
        yield from_message(Level.WRONG, f"{label}: {message}", _OF_HOSTS)
    if late:
        named = ", ".join(late[:_NAMED_MOST])
        yield wrong(f"Not looked at within {_HOSTS_WITHIN_S} s: {named}.", _OF_HOSTS)


def _look_at(site: Site, instances: list[HostInstance]) -> tuple[dict[str, str], list[str]]:
    """Return what went wrong, by instance, and whose turn did not come."""
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="check")
    asked = {pool.submit(_observe, site, instance): instance for instance in instances}
    troubles: dict[str, str] = {}
    try:
        for done in as_completed(list(asked), timeout=_HOSTS_WITHIN_S):
            label = asked.pop(done).label
            try:
                done.result()
            except RollbackError as e:
                troubles[label] = str(e)
    except TimeoutError:
        pass
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return troubles, sorted(one.label for one in asked.values())


def _observe(site: Site, instance: HostInstance) -> None:
    with closing(site.reach(instance, "", Terms(), time.time)) as driver:
        driver.observe()
