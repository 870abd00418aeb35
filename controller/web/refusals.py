"""What the web face answers when it does not do what it was asked: one shape, one sentence, what to do next."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from flask import Response


class Refusal(Exception):
    """A request that is answered with an error; `field` names the part of it that is wrong."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.field = field
        self.headers = headers or {}
        self.more = more or {}

    def to_response(self) -> Response:
        """Render it as `{"error": …, "field": …}`."""
        content: dict[str, object] = {"error": str(self), **self.more}
        if self.field is not None:
            content["field"] = self.field
        return json_response(content, self.status, self.headers)


def unavailable(message: str) -> Refusal:
    """Say "later" in the one way that Alertmanager understands: it repeats a 5xx and drops everything else."""
    return Refusal(503, message, headers={"Retry-After": "1"})


def json_response(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Render `content` as JSON; what is said here is of the moment and never cached."""
    response = Response(orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE), status, dict(headers or {}))
    response.mimetype = "application/json"
    response.headers["Cache-Control"] = "no-store"
    return response
