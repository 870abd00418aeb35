"""Reading rules and inventory again because somebody asks: all of it, or nothing and every error at its place."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from controller.settings import Role
from controller.web.refusals import json_response

if TYPE_CHECKING:
    from controller.settings.house import House
    from controller.web.auth import Doorkeeper


def reloading_blueprint(house: House, door: Doorkeeper) -> Blueprint:
    """Serve `/-/reload`, as Prometheus does. Workers see by themselves, before each job, that files changed."""
    blueprint = Blueprint("reloading", __name__)

    @blueprint.post("/-/reload")
    def reload() -> Response:
        door.admit(request.headers.get("Authorization"), Role.OPERATE)
        if errors := house.reload():
            said = (
                "the rules and the inventory read before stay in force; correct what is listed, and reload again"
            )
            return json_response({"error": said, "errors": [asdict(error) for error in errors]}, 500)
        rules, inventory = house.reading.rules, house.reading.inventory
        shown = [{"name": rule.name, "digest": rule.digest, "source": rule.source} for rule in rules.rules]
        return json_response({"rules": shown, "services": sorted(inventory.services)})

    return blueprint
