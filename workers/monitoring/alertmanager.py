"""Alertmanager: which alerts fire now, silenced and inhibited ones included."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode

import orjson

from rules.alerts import Alert
from rules.notifications import parse_timestamp
from workers.monitoring.exchange import Answer, Exchange, shown
from workers.monitoring.standing import Standing, read_standing

if TYPE_CHECKING:
    from controller.settings.monitoring import AlertmanagerSettings

_OK = 200
_NO_LEAVE = frozenset({401, 403})
_FINGERPRINT = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires, and whether Alertmanager would tell anybody.

    A silenced or inhibited alert fires none the less; that it resolves may never be told. `muted` is one that a
    route's time interval keeps back: None where the version does not say. `processed` is false while it has
    just come in.
    """

    alert: Alert
    silenced: bool = False
    inhibited: bool = False
    muted: bool | None = None
    processed: bool = True

    @property
    def told(self) -> bool:
        """Whether Alertmanager would notify of it."""
        return self.processed and not (self.silenced or self.inhibited or self.muted)


class Alertmanager:
    """Asks one Alertmanager. Cheap to build; whoever builds it closes it. Not for several threads at once.

    Its address is the settings', never one that a notification names. Everything here raises `Transient`
    (monitoring-blind) where it does not answer as it should.
    """

    def __init__(self, settings: AlertmanagerSettings) -> None:
        self._exchange = Exchange("Alertmanager", settings)
        self._receiver = settings.receiver

    @property
    def receiver(self) -> str | None:
        """Our receiver's name there, as the settings have it; None where every alert concerns us."""
        return self._receiver

    def firing(self) -> tuple[Alert, ...]:
        """Return every alert that fires now and is routed to us, whoever is told of it."""
        return tuple(one.alert for one in self.listed())

    def listed(self, *, everyones: bool = False) -> tuple[Firing, ...]:
        """Return the same, and say which are silenced or inhibited; `everyones`: whoever they are routed to."""
        wanted = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}
        if self._receiver is not None and not everyones:
            wanted["receiver"] = re.escape(self._receiver)  # Alertmanager anchors it
        entries = self._get(f"/api/v2/alerts?{urlencode(wanted)}")
        try:
            return tuple(_firing(entry) for entry in entries if everyones or self._ours(entry))
        except (KeyError, TypeError, ValueError) as error:
            self._not_its_api(error)

    def standing(self) -> Standing:
        """Say which process answers, for how long it has run, and how it is set up."""
        answer = self._ask("/api/v2/status")
        try:
            return read_standing(orjson.loads(answer.body), answer.date)
        except (KeyError, TypeError, ValueError) as error:
            self._not_its_api(error)

    def knows_us(self) -> None:
        """Raise `Transient` unless it has the receiver that the settings name."""
        try:
            names = [receiver["name"] for receiver in self._get("/api/v2/receivers")]
        except (KeyError, TypeError) as error:
            self._not_its_api(error)
        if self._receiver is not None and self._receiver not in names:
            known = shown(", ".join(map(str, names)))
            hint = f"It has: {known}. Set `alertmanager.receiver` to the one that notifies us."
            self._exchange.blind(f"has no receiver {self._receiver}", hint)

    def _get(self, path: str) -> Any:
        answer = self._ask(path)
        try:
            return orjson.loads(answer.body)
        except ValueError as error:
            self._not_its_api(error)

    def _ask(self, path: str) -> Answer:
        answer = self._exchange.ask(path)
        if answer.status in _NO_LEAVE:
            hint = "Check `alertmanager.token-file`, or `username` and `password-file`."
            self._exchange.blind(f"does not let us ask ({answer.status})", hint)
        if answer.status != _OK:
            hint = "Is `alertmanager.url` its address, with its path prefix?"
            said = shown(answer.body[:1000].decode(errors="replace"))
            self._exchange.blind(f"could not answer ({answer.status}): {said}", hint)
        return answer

    def _not_its_api(self, error: Exception) -> NoReturn:
        hint = "Is `alertmanager.url` the address of an Alertmanager, with its path prefix?"
        self._exchange.blind("answers with something else than its API does", hint, error)

    def close(self) -> None:
        """Let go of the connections."""
        self._exchange.close()

    def _ours(self, entry: Any) -> bool:
        if self._receiver is None:
            return True
        return any(receiver["name"] == self._receiver for receiver in entry["receivers"])


def complete_for(heard: Iterable[Alert], firing: Iterable[Alert]) -> bool:
    """Tell whether the absence of an alert from `firing` proves that it does not fire, as far as that can be told.

    It does where Alertmanager knows every alert that was heard firing: else it is not the one that notified us, or
    it has lost what it knew.
    """
    known = {alert.fingerprint for alert in firing}
    return all(alert.fingerprint in known for alert in heard if alert.firing)


def _firing(entry: Any) -> Firing:
    fingerprint, starts_at_ms = entry["fingerprint"], parse_timestamp(entry["startsAt"])
    if starts_at_ms is None or not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError("no fingerprint or no time")
    status = entry["status"]
    alert = Alert(
        fingerprint=fingerprint,
        status="firing",
        labels={str(name): str(value) for name, value in entry["labels"].items()},
        annotations={str(name): str(value) for name, value in entry["annotations"].items()},
        starts_at_ms=starts_at_ms,
        generator_url=str(entry.get("generatorURL") or ""),
    )
    return Firing(
        alert,
        silenced=bool(status["silencedBy"]),
        inhibited=bool(status["inhibitedBy"]),
        muted=bool(status["mutedBy"]) if "mutedBy" in status else None,
        processed=status["state"] != "unprocessed",
    )
