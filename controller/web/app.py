"""The Flask application: what is served, behind which door, and what every error becomes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from flask import Flask, Response, g, request
from prometheus_client.exposition import choose_encoder
from werkzeug.exceptions import HTTPException

from controller.ledger import LedgerUnavailable
from controller.settings import Role
from controller.settings.clusters import clusters_in_force
from controller.web.admission import Admission
from controller.web.answering import answering_blueprint
from controller.web.api import api_blueprint
from controller.web.audit import audit_blueprint
from controller.web.auth import Doorkeeper
from controller.web.bodies import read_body
from controller.web.hands import hands_blueprint
from controller.web.health import health_blueprint
from controller.web.log_limits import LogLimit
from controller.web.metrics import Metrics, StateCollector
from controller.web.receiver import Receiver
from controller.web.refusals import Refusal, json_response, unavailable
from controller.web.releases import releases_blueprint
from controller.web.reloading import reloading_blueprint
from controller.web.stopping import Stopping
from controller.web.why import why_blueprint
from rules.notifications import BadBody

if TYPE_CHECKING:
    from controller.ledger import Ledger
    from controller.settings import Settings
    from controller.settings.house import House

log = structlog.get_logger(__name__)

RECEIVER = "alertmanager"
"""The endpoint whose answers Alertmanager acts on."""


def create_app(settings: Settings, ledger: Ledger, house: House, stopping: Stopping | None = None) -> Flask:
    """Put the web face together; raises `SettingsError` when credentials cannot be used."""
    stopping = stopping or Stopping()
    app = Flask("controller.web", static_folder=None)
    app.url_map.strict_slashes = False
    metrics = Metrics()
    metrics.registry.register(StateCollector(ledger, house))
    log_limit = LogLimit()
    door = Doorkeeper(settings.auth, metrics.unauthorized)
    _measure(app, metrics)
    _refuse_when(stopping, app)
    _answer_errors(app, metrics, log_limit)
    admission = Admission(metrics.turned_away)
    _serve_receiver(app, settings, door, admission, Receiver(ledger, house, metrics, log_limit))
    _serve_metrics(app, metrics)
    app.register_blueprint(health_blueprint(ledger, house, stopping))
    app.register_blueprint(reloading_blueprint(house, door))
    clusters = {name: found.namespaces for name, found in clusters_in_force(settings.clusters).items()}
    app.register_blueprint(api_blueprint(ledger, house, door, clusters))
    app.register_blueprint(hands_blueprint(ledger, house, door, clusters))
    app.register_blueprint(releases_blueprint(ledger, house, door, clusters))
    app.register_blueprint(answering_blueprint(ledger, door))
    app.register_blueprint(why_blueprint(ledger, house, door))
    sealing = settings.audit.key_file is not None
    app.register_blueprint(audit_blueprint(ledger, door, sealing=sealing))
    return app


def _serve_receiver(
    app: Flask, settings: Settings, door: Doorkeeper, admission: Admission, receiver: Receiver
) -> None:
    most_bytes = int(settings.body_max)

    @app.post("/api/v1/alertmanager", endpoint=RECEIVER)
    def alertmanager() -> Response:
        sender = door.admit(request.headers.get("Authorization"), Role.ALERTS)
        with admission.admitted(request, most_bytes) as admit:
            body = read_body(request, most_bytes, admit)
            with admission.turn():
                status, content = receiver.receive(body, sender.name)
        return json_response(content, status)


def _serve_metrics(app: Flask, metrics: Metrics) -> None:
    @app.get("/metrics")
    def exposition() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(metrics.registry), content_type=content_type)


def _measure(app: Flask, metrics: Metrics) -> None:
    @app.before_request
    def start_the_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        metrics.seconds.labels(endpoint).observe(time.perf_counter() - g.started)
        if endpoint == RECEIVER:
            metrics.notifications.labels(str(response.status_code)).inc()
        return response


def _refuse_when(stopping: Stopping, app: Flask) -> None:
    @app.before_request
    def refuse_new_work() -> None:
        if stopping.is_set() and request.method not in ("GET", "HEAD"):
            raise unavailable("this server was asked to stop and takes nothing new: send it again")

    @app.after_request
    def leave(response: Response) -> Response:
        if stopping.is_set():
            response.headers["Connection"] = "close"
        return response


def _answer_errors(app: Flask, metrics: Metrics, log_limit: LogLimit) -> None:
    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        if request.endpoint == RECEIVER:
            _report(refusal, log_limit)
        return refusal.to_response()

    @app.errorhandler(BadBody)
    def bad_body(error: BadBody) -> Response:
        return refused(Refusal(400, str(error), field=error.field))

    @app.errorhandler(LedgerUnavailable)
    def ledger_unavailable(error: LedgerUnavailable) -> Response:
        return refused(unavailable(f"nothing was recorded: {error}"))

    @app.errorhandler(HTTPException)
    def http_exception(error: HTTPException) -> Response:
        response = json_response({"error": _words(error)}, error.code or 503)
        for name, value in error.get_headers():
            if name.lower() not in ("content-type", "content-length"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        # 503 and not 500, so that nobody mistakes it for an answer that was thought about; Alertmanager
        # repeats either, and the alert is not lost.
        metrics.unexpected.inc()
        log.error("http.unexpected_error", endpoint=request.endpoint, exc_info=error)
        return unavailable("something unexpected went wrong; its traceback is in the server's log").to_response()


def _words(error: HTTPException) -> str:
    """Say in our own words what is asked wrongly; every answer names what to do."""
    path = request.path[:80]
    if error.code == 404:
        return (
            f"there is nothing at {path}: docs/reference/http.md lists what is; alerts go to /api/v1/alertmanager"
        )
    if error.code == 405:
        return f"{request.method} is not allowed at {path}; the header Allow says what is"
    return error.description or error.name


def _report(refusal: Refusal, log_limit: LogLimit) -> None:
    """Log a refused notification, at most once a minute for each client and problem."""
    client = request.remote_addr or "unknown"
    problem = (refusal.field or "").partition("[")[0]
    held_back = log_limit.held_back(client, str(refusal.status), problem)
    if held_back is not None:
        log.warning(
            "notification.refused",
            client=client,
            status=refusal.status,
            problem=str(refusal),
            field=refusal.field,
            held_back=held_back,
        )
