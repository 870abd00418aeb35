"""The catalogue over the API: pipelines register builds, people mark them, and both ask what is thought of one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field

from controller.ledger.catalogue import Contradiction
from controller.settings import Role
from controller.web.bodies import read_body
from controller.web.inputs import Name, Sentence, read_count, read_input
from controller.web.refusals import Refusal, json_response
from controller.web.shelf import Shelf, manifest_shown
from rules.marks import Mark
from rules.reading.manifestmodels import LIMIT, ManifestError, names_a_newer_one, read_manifests

if TYPE_CHECKING:
    from controller.ledger import Ledger
    from controller.settings.house import House
    from controller.web.auth import Doorkeeper
    from rules.reading.manifestmodels import ManifestModel

_MOST_BYTES = 2**20
_MOST_LISTED = 500
_MARKS = {"good": Mark.KNOWN_GOOD, "bad": Mark.KNOWN_BAD, "unknown": Mark.UNKNOWN}
_NAME = r"^[^/\x00-\x1f]*$"
_LONGEST_NAME = 253

Environment = Annotated[str, Field(max_length=_LONGEST_NAME, pattern=_NAME)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class MarkAsked(_Strict):
    """A person, or a pipeline, says what a release is worth; `unknown` takes that back."""

    release: Name
    mark: Literal["good", "bad", "unknown"]
    why: Sentence = ""
    environment: Environment = ""


class StableAsked(_Strict):
    """What is `stable` from now on; null takes the pointer away."""

    release: Name | None
    environment: Environment = ""


def releases_blueprint(
    ledger: Ledger, house: House, door: Doorkeeper, clusters: Mapping[str, Sequence[str]]
) -> Blueprint:
    """Serve the catalogue; every view asks the door first."""
    releases = Releases(ledger, house, door, clusters)
    blueprint = Blueprint("releases", __name__, url_prefix="/api/v1/releases")
    for method, path, view in (
        ("GET", "/<service>", releases.list_releases),
        ("POST", "/<service>", releases.register),
        ("POST", "/<service>/marks", releases.mark),
        ("PUT", "/<service>/stable", releases.point),
        ("GET", "/<service>/verdict", releases.verdict),
        ("GET", "/<service>/ready", releases.ready),
        ("GET", "/<service>/log", releases.list_log),
    ):
        blueprint.add_url_rule(path, view.__name__, view, methods=[method])
    return blueprint


class Releases:
    """The views; each method is one."""

    def __init__(
        self, ledger: Ledger, house: House, door: Doorkeeper, clusters: Mapping[str, Sequence[str]]
    ) -> None:
        self._ledger = ledger
        self._house = house
        self._door = door
        self._clusters = clusters

    def _admit(self, role: Role) -> str:
        name = self._door.admit(request.headers.get("Authorization"), role).name
        service = (request.view_args or {}).get("service", "")
        if not re.fullmatch(_NAME, service) or len(service) > _LONGEST_NAME:
            raise Refusal(400, "the service must be a name of at most 253 characters", field="service")
        return name

    def list_releases(self, service: str) -> Response:
        """Show the newest releases, what is thought of each, and where it runs."""
        self._admit(Role.READ)
        limit = read_count(request, "limit", default=5, most=_MOST_LISTED)
        shown = self._shelf(service, _environment()).releases(limit)
        return json_response({**shown, **self._note(service)})

    def register(self, service: str) -> Response:
        """Register one build or several; those before one that is refused are registered."""
        by = self._admit(Role.OPERATE)
        models = _read(service)
        self._refuse_newer_limits(service, models)
        done = [self._register(service, model, by, index) for index, model in enumerate(models)]
        return json_response(
            {"releases": done, **self._note(service)},
            201 if any(one["registered"] == "new" for one in done) else 200,
        )

    def mark(self, service: str) -> Response:
        """Say what a release is worth, and show what is thought of it then."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, MarkAsked)
        before = self._shelf(service, asked.environment)
        known = before.knows(asked.release)
        self._ledger.catalogue.mark(
            service, asked.release, _MARKS[asked.mark], by=by, why=asked.why, environment=asked.environment
        )
        verdict = self._shelf(service, asked.environment).verdict(asked.release)
        return json_response({**verdict, "known": known, **self._note(service)})

    def point(self, service: str) -> Response:
        """Declare what is `stable`."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, StableAsked)
        shelf = self._shelf(service, asked.environment)
        before = self._ledger.catalogue.point(service, asked.environment, asked.release or "", by)
        said = {"service": service, "environment": asked.environment, "release": asked.release}
        known = asked.release is None or shelf.knows(asked.release)
        return json_response({**said, "before": before or None, "known": known, **self._note(service)})

    def verdict(self, service: str) -> Response:
        """Say what is thought of one release."""
        self._admit(Role.READ)
        release = request.args.get("release", "")
        if not release:
            raise Refusal(400, "say which release: ?release=NAME", field="release")
        return json_response({**self._shelf(service, _environment()).verdict(release), **self._note(service)})

    def ready(self, service: str) -> Response:
        """Say whether there is something to go back to."""
        self._admit(Role.READ)
        shelf = self._shelf(service, _environment())
        return json_response({**shelf.ready(self._ledger, request.args.get("release", "")), **self._note(service)})

    def list_log(self, service: str) -> Response:
        """Show who said what of this service's releases, the newest first."""
        self._admit(Role.READ)
        limit = read_count(request, "limit", default=100, most=_MOST_LISTED)
        entries = self._ledger.catalogue.log(service, limit)
        shown = [
            {name: getattr(one, name) for name in ("at", "by", "what", "release", "environment", "why")}
            for one in entries
        ]
        return json_response({"service": service, "log": shown})

    def _shelf(self, service: str, environment: str) -> Shelf:
        return Shelf.of(self._ledger, service, environment)

    def _register(self, service: str, model: ManifestModel, by: str, index: int) -> dict[str, Any]:
        manifest = model.manifest(service)
        try:
            done = self._ledger.catalogue.register(manifest, by, reversible=model.is_reversible)
        except Contradiction as error:
            more = {"index": index, "stands": manifest_shown(error.stands), "says": manifest_shown(manifest)}
            raise Refusal(409, str(error), field=error.field, more=more) from error
        return {"version": manifest.version, "registered": done}

    def _refuse_newer_limits(self, service: str, models: Sequence[ManifestModel]) -> None:
        manifests = [model.manifest(service) for model in models]
        known = {one.version: one for one in (*self._ledger.catalogue.manifests(service), *manifests)}
        for index, manifest in enumerate(manifests):
            if names_a_newer_one(manifest, known):
                raise Refusal(
                    400,
                    f"{manifest.version}: {LIMIT}: {manifest.cannot_go_back_past} was built no earlier than "
                    f"{manifest.version} itself; name the oldest release that may still run",
                    field=LIMIT,
                    more={"index": index},
                )

    def _note(self, service: str) -> dict[str, str]:
        """Warn of a name that is probably misspelt; which services a cluster has, only the cluster knows."""
        if self._clusters or service in self._house.inventory.services:
            return {}
        there = ", ".join(sorted(self._house.inventory.services)[:20]) or "none"
        return {"note": f"the inventory has no service {service[:80]!r}; it has: {there}"}


def _environment() -> str:
    environment = request.args.get("environment", "")
    if len(environment) > _LONGEST_NAME or not re.fullmatch(_NAME, environment):
        raise Refusal(400, "environment must be a name of at most 253 characters", field="environment")
    return environment


def _read(service: str) -> tuple[ManifestModel, ...]:
    try:
        content = orjson.loads(read_body(request, _MOST_BYTES))
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is no JSON: {error}; send a manifest, or a list", field="body") from error
    try:
        return read_manifests(content, service)
    except ManifestError as error:
        more = {} if error.index is None else {"index": error.index}
        where = f"manifest {error.index}: " if error.index is not None else ""
        field = f"{error.field}: " if error.field else ""
        raise Refusal(400, f"{where}{field}{error}", field=error.field or "body", more=more) from error
