"""What an Alertmanager's configuration does with alerts for us: which receivers post to us, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.durations import DurationError, parse_duration, write_duration
from rules.findings import Finding, warns, well, wrong

PATH = "/api/v1/alertmanager"
_HIDDEN = "<secret>"
_HOW = "Compare it with what `rollbackctl alertmanager-config` prints, then reload Alertmanager."


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of a receiver. `url` is empty where Alertmanager shows no addresses."""

    url: str
    send_resolved: bool
    max_alerts: int


def routing_findings(config: Any, receiver: str | None, group_interval_s: float) -> tuple[Finding, ...]:
    """Judge a configuration, read as YAML, for the receiver of the settings, or for any that posts to us.

    `group_interval_s` is what our settings take Alertmanager's to be.
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("receivers"), Sequence):
        return (
            warns("Its configuration cannot be read from its API: routes and receiver were not checked.", _HOW),
        )
    hooks = {
        str(one.get("name")): tuple(_webhooks(one)) for one in config["receivers"] if isinstance(one, Mapping)
    }
    ours = [receiver] if receiver is not None else [name for name in hooks if _posts_to_us(hooks[name])]
    if not ours:
        return (wrong(f"No receiver of its configuration has a webhook that ends with {PATH}.", _HOW),)
    routes = tuple(_routes(config.get("route"), "", "5m"))
    used = {name for name, _ in routes}
    found = [one for name in ours for one in _about(name, hooks.get(name), routed=name in used)]
    intervals = {interval for name, interval in routes if name in ours}
    return (*found, *_intervals_apart(sorted(intervals), group_interval_s))


def _about(name: str, hooks: tuple[Webhook, ...] | None, *, routed: bool) -> Iterator[Finding]:
    if not hooks:
        missing = "has no webhook" if hooks is not None else "is not in its configuration"
        yield wrong(f"The receiver {name} {missing}: it tells us nothing.", _HOW)
        return
    if not routed:
        yield wrong(f"No route leads to the receiver {name}: it tells us nothing.", _HOW)
    hidden = all(not hook.url for hook in hooks)
    if not hidden and not _posts_to_us(hooks):
        said = ", ".join(hook.url for hook in hooks)
        yield wrong(f"The receiver {name} posts to {said}, which does not end with {PATH}.", _HOW)
    for hook in hooks:
        if hook.url and not hook.url.endswith(PATH):
            continue
        if not hook.send_resolved:
            what = f"The receiver {name} has `send_resolved: false`: an alert's end is learned late, by asking."
            yield wrong(what, "Set `send_resolved: true` on its webhook, then reload Alertmanager.")
        if hook.max_alerts:
            what = f"The receiver {name} cuts notifications off after {hook.max_alerts} alerts (`max_alerts`)."
            yield warns(what, "Remove `max_alerts` from its webhook: what is cut off is learned late, by asking.")
    if routed:
        shown = " (Alertmanager does not show to which address)" if hidden else ""
        yield well(f"The receiver {name} has a route and a webhook{shown}.")


def _intervals_apart(intervals: Sequence[str], expected_s: float) -> Iterator[Finding]:
    """Tell of intervals that are not what verification counts with: it is too hasty then, or too slow."""
    for interval in intervals:
        try:
            seconds = parse_duration(interval)
        except DurationError:
            continue
        if seconds != expected_s:
            said = write_duration(expected_s)
            what = (
                f"A route to us has `group_interval: {interval}`, and our settings say {said}: whether a rollback "
                f"helped is judged {'too soon' if seconds > expected_s else 'later than it could be'}."
            )
            yield warns(what, f"Set `numbers: {{group-interval-s: {seconds:g}}}` in the settings.")


def _routes(route: Any, receiver: str, interval: str) -> Iterator[tuple[str, str]]:
    """Yield every route's receiver and interval; children inherit both."""
    if isinstance(route, Mapping):
        receiver = str(route.get("receiver") or receiver)
        interval = str(route.get("group_interval") or interval)
        yield receiver, interval
        for child in route.get("routes") or ():
            yield from _routes(child, receiver, interval)


def _posts_to_us(hooks: Sequence[Webhook]) -> bool:
    return any(hook.url.endswith(PATH) for hook in hooks)


def _webhooks(receiver: Mapping[str, Any]) -> Iterator[Webhook]:
    for hook in receiver.get("webhook_configs") or ():
        if isinstance(hook, Mapping):
            url = str(hook.get("url") or "").rstrip("/")
            yield Webhook(
                url="" if url == _HIDDEN else url,
                send_resolved=bool(hook.get("send_resolved", True)),
                max_alerts=int(hook.get("max_alerts") or 0),
            )
