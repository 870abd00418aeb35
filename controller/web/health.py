"""Health endpoints, in the words of both families: Kubernetes (`/livez`, `/readyz`) and Prometheus (`/-/…`).

Alive never asks Redis: restarting this process would not heal Redis. Ready does.
A complaint about how Redis is set up is a warning and not a failure: refusing alerts would not make them safer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from controller.ledger import LedgerUnavailable

if TYPE_CHECKING:
    from controller.ledger import Ledger
    from controller.settings.house import House
    from controller.web.stopping import Stopping


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `/readyz?verbose`."""

    name: str
    mark: str
    says: str

    def __str__(self) -> str:
        return f"[{self.mark}]{self.name} {self.says}"


def health_blueprint(ledger: Ledger, house: House, stopping: Stopping) -> Blueprint:
    """Serve the health endpoints; none of them asks for credentials."""
    health = Blueprint("health", __name__)

    @health.get("/livez")
    @health.get("/-/healthy")
    def livez() -> Response:
        return _plain("ok\n")

    @health.get("/readyz")
    @health.get("/-/ready")
    def readyz() -> Response:
        verbose = "verbose" in request.args
        checks = [_takes_work(stopping), _ledger_answers(ledger), _rules_are_loaded(house)]
        failed = any(check.mark == "-" for check in checks)
        if verbose and not failed:
            checks.extend(_complaints(ledger))
        if not (verbose or failed):
            return _plain("ok\n")
        lines = [*map(str, checks), f"readyz check {'failed' if failed else 'passed'}", ""]
        return _plain("\n".join(lines), 503 if failed else 200)

    return health


def _takes_work(stopping: Stopping) -> Check:
    if stopping.is_set():
        return Check("work", "-", "failed: this server was asked to stop; send to another, or wait for the next")
    return Check("work", "+", "ok")


def _ledger_answers(ledger: Ledger) -> Check:
    try:
        ledger.health.ping()
    except LedgerUnavailable as error:
        return Check("redis", "-", f"failed: {error}")
    return Check("redis", "+", "ok")


def _rules_are_loaded(house: House) -> Check:
    if not house.errors:
        return Check("rules", "+", f"ok: {len(house.rules.rules)} in force")
    first, more = house.errors[0], len(house.errors) - 1
    also = f" (and {more} more)" if more else ""
    return Check("rules", "!", f"warning: the rules read before stay in force: {first}{also}")


def _complaints(ledger: Ledger) -> Iterator[Check]:
    try:
        complaints = ledger.health.complaints() + ledger.health.silence()
    except LedgerUnavailable as error:
        yield Check("redis-setup", "!", f"warning: cannot be looked at: {error}")
        return
    for complaint in complaints:
        yield Check("redis-setup", "!", f"warning: {complaint}")
    if not complaints:
        yield Check("redis-setup", "+", "ok")


def _plain(text: str, status: int = 200) -> Response:
    return Response(text, status, {"Cache-Control": "no-store"}, mimetype="text/plain")
