"""What fires now in an Alertmanager, as the notification that it would send."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from controller.cli.failures import Unreachable, Unusable
from rules.notifications import parse_notification

if TYPE_CHECKING:
    from rules.notifications import Notification

_WITHIN_S = 10.0


def firing(url: str, receiver: str | None) -> tuple[bytes, Notification]:
    """Ask for all alerts that fire and are told; silenced and inhibited ones are left out, as from a POST."""
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise Unusable(f"{url!r} is no address of an Alertmanager: write http://HOST:9093, with its path prefix.")
    asked = {"active": "true", "silenced": "false", "inhibited": "false", "unprocessed": "false"}
    if receiver is not None:
        asked["receiver"] = re.escape(receiver)  # Alertmanager anchors it
    entries = _ask(f"{url.rstrip('/')}/api/v2/alerts?{urllib.parse.urlencode(asked)}", url)
    alerts = [{**entry, "status": "firing"} for entry in entries]
    body = json.dumps({"version": "4", "receiver": receiver or "", "alerts": alerts}).encode()
    return body, parse_notification(body)


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
