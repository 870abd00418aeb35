"""What fires now in an Alertmanager, as the notification that it would send."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from controller.cli.failures import Unreachable, Unusable
from rules.notifications import parse_notification

if TYPE_CHECKING:
    from rules.alerts import Alert
    from rules.notifications import Notification

_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Firing:
    """What would be told, as a body and as what it says; `silent` fires too, silenced or inhibited."""

    body: bytes
    told: Notification
    silent: tuple[Alert, ...] = ()


def firing(url: str, receiver: str | None) -> Firing:
    """Ask for all alerts that fire."""
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise Unusable(f"{url!r} is no address of an Alertmanager: write http://HOST:9093, with its path prefix.")
    asked = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}
    if receiver is not None:
        asked["receiver"] = re.escape(receiver)  # Alertmanager anchors it
    entries = _ask(f"{url.rstrip('/')}/api/v2/alerts?{urllib.parse.urlencode(asked)}", url)
    silent = [entry for entry in entries if _is_silent(entry)]
    body = _body([entry for entry in entries if entry not in silent], receiver)
    return Firing(body, parse_notification(body), parse_notification(_body(silent, receiver)).alerts)


def _is_silent(entry: dict[str, Any]) -> bool:
    status = entry.get("status")
    return isinstance(status, dict) and status.get("state") == "suppressed"


def _body(entries: list[dict[str, Any]], receiver: str | None) -> bytes:
    alerts = [{**entry, "status": "firing"} for entry in entries]
    return json.dumps({"version": "4", "receiver": receiver or "", "alerts": alerts}).encode()


def _ask(address: str, url: str) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(address, timeout=_WITHIN_S) as answer:  # noqa: S310 - http(s), see `firing`
            entries = json.loads(answer.read())
    except (OSError, HTTPException) as error:
        cause = getattr(error, "reason", None) or error
        raise Unreachable(f"The Alertmanager at {url} does not answer: {cause}. Check --alertmanager.") from error
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unreachable(f"What answers at {url} is no Alertmanager. Check --alertmanager, and its path prefix.")
    return entries
