"""The doctor's look at the server: it answers, it knows us, and what is posted to it comes to the ledger."""

from __future__ import annotations

import base64
import json
import os
import secrets
import urllib.error
import urllib.request
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING

from controller.cli.api import Api
from controller.cli.failures import Failed, Unreachable
from controller.cli.token import find_token
from controller.ledger import LedgerUnavailable
from controller.settings import Role
from controller.settings.secrets import SecretUnreadable
from rules.findings import Finding, Level, Section, from_message, warns, well, wrong
from rules.routing import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.ledger import Ledger
    from controller.settings import Settings

_TITLE = "Server"
_WITHIN_S = 5
_START = "Start `rollbackctl serve`, or set `url` to where it is."
_ANSWERED = "It runs, and cannot do what it should: mend what it says; its log says more."
_TOKEN = "Set `token-file` to a token with the role operate or read, or ROLLBACK_TOKEN_FILE."  # noqa: S105 - advice
TEST_ALERT = "RollbackControllerDoctor"
"""The name of the alert that is posted, always as resolved: no rule looks at what is over."""


def look_at_server(settings: Settings, ledger: Ledger | None) -> Section:
    """Ask it as the command line does, and post to it as Alertmanager does."""
    found = tuple(_api(settings))
    if not any(finding.fix == _START for finding in found):
        found += tuple(_receiver(settings, ledger))
    return Section(_TITLE, found)


def _api(settings: Settings) -> Iterator[Finding]:
    try:
        token = find_token(settings)
        api = Api(settings.server_url, token.secret, token.source) if token else Api(settings.server_url)
        status = api.get("status")
    except Unreachable as error:
        yield wrong(error.message.partition(". ")[0] + ".", _START)
        return
    except Failed as error:
        yield from_message(Level.WRONG, error.message, _ANSWERED)
        return
    known = f"the token of {token.source} is admitted" if token else "no token is needed"
    yield well(f"{settings.server_url} answers, and {known}.")
    for problem in status["rules"]["errors"]:
        yield wrong(f"It goes by older rules: {problem}", "Correct the file; it is read again by itself.")


def _receiver(settings: Settings, ledger: Ledger | None) -> Iterator[Finding]:
    """Post a resolved alert that nobody ever heard of, as Alertmanager would, and see whether it is remembered.

    It proves that the receiver takes a notification with Alertmanager's credentials, and that it writes into the
    Redis that we look at. It can touch nothing: a resolved alert meets no rule, and this one ends no episode.
    """
    try:
        login = _login(settings)
    except SecretUnreadable as error:
        yield from_message(Level.WARNS, f"No test alert was posted: {error}", _ALERTS)
        return
    if login is None and settings.auth.enabled:
        yield warns("No test alert was posted: no token with the role alerts can be read here.", _ALERTS)
        return
    fingerprint = secrets.token_hex(8)
    try:
        status = _post(settings.server_url + PATH, _test_alert(fingerprint), login)
        remembered = ledger is None or ledger.health.remembers(fingerprint)
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error
        yield wrong(f"A test alert could not be posted to {PATH}: {why}.", _START)
    except LedgerUnavailable as error:
        yield from_message(Level.WRONG, str(error), _ANSWERED)
    else:
        yield _about_answer(status, remembered=remembered)


_ALERTS = "Run the doctor where the server runs, as its user, or try it with `amtool alert add`."


def _about_answer(status: int, *, remembered: bool) -> Finding:
    if status in (401, 403):
        what = f"The receiver answered a test alert with {status}: Alertmanager is not admitted either."
        return wrong(what, "Compare the token's file with the one that Alertmanager reads, and its role alerts.")
    if status not in (200, 202):
        return wrong(
            f"The receiver answered a test alert with {status}.", "Look at the log of `rollbackctl serve`."
        )
    if not remembered:
        what = "The receiver took a test alert, and this Redis has not heard of it: the server has another one."
        return wrong(what, "Give the server and the workers the same `redis` in their settings.")
    return well("A test alert (resolved, so that no rule looks at it) was taken and is remembered.")


def _login(settings: Settings) -> str | None:
    """Return what Alertmanager would say of itself, where we may read it."""
    for token in settings.auth.tokens:
        if Role.ALERTS in token.roles and os.access(token.file, os.R_OK):
            return f"Bearer {token.read().get_secret_value().splitlines()[0]}"
    for basic in settings.auth.basic:
        if Role.ALERTS in basic.roles and os.access(basic.password_file, os.R_OK):
            word = f"{basic.username}:{basic.read().get_secret_value()}"
            return f"Basic {base64.b64encode(word.encode()).decode()}"
    return None


def _post(address: str, body: bytes, login: str | None) -> int:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    if login is not None:
        request.add_header("Authorization", login)
    try:
        with urllib.request.urlopen(request, timeout=_WITHIN_S) as answer:  # noqa: S310 - the settings' address
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def _test_alert(fingerprint: str) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    alert = {
        "status": "resolved",
        "labels": {"alertname": TEST_ALERT, "run": fingerprint},
        "annotations": {"summary": "rollbackctl doctor asks whether notifications arrive"},
        "startsAt": now,
        "endsAt": now,
        "generatorURL": "",
        "fingerprint": fingerprint,
    }
    body = {"version": "4", "status": "resolved", "receiver": "doctor", "truncatedAlerts": 0, "alerts": [alert]}
    return json.dumps(body).encode()
