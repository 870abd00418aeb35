"""The server as the command line sees it: JSON over HTTP, and errors as sentences."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from controller.cli.failures import Conflict, Failed, NotAdmitted, Unreachable, Unusable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import SecretStr

_PLAIN_S = 10.0
TOKEN_VARIABLE = "ROLLBACK_TOKEN"  # noqa: S105 - its name
PLANNING_S = 60.0
"""A dry run waits for workers, who wait for hosts."""


@dataclass(frozen=True, slots=True)
class Api:
    """One server and the token to show it, which was found in `source`."""

    url: str
    token: SecretStr | None = None
    source: str = ""

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """Read something; what is None is left out of the query."""
        asked = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        return self._call(self._address(path, asked), None, _PLAIN_S)

    def post(
        self, path: str, content: Mapping[str, object] | Sequence[object], timeout_s: float = _PLAIN_S
    ) -> dict[str, Any]:
        """Ask for something."""
        return self._call(self._address(path), json.dumps(content).encode(), timeout_s)

    def put(self, path: str, content: Mapping[str, object]) -> dict[str, Any]:
        """Keep something as it is."""
        return self._call(self._address(path), json.dumps(content).encode(), _PLAIN_S, "PUT")

    def delete(self, path: str, content: Mapping[str, object]) -> dict[str, Any]:
        """Take something away."""
        return self._call(self._address(path), json.dumps(content).encode(), _PLAIN_S, "DELETE")

    def _address(self, path: str, query: str = "") -> str:
        scheme = urllib.parse.urlsplit(self.url).scheme
        if scheme not in {"http", "https"}:
            raise Unusable(f"{self.url!r} is no address of a server: write http://HOST:PORT or https://HOST.")
        return f"{self.url}/api/v1/{path}" + (f"?{query}" if query else "")

    def _call(
        self, address: str, body: bytes | None, timeout_s: float, method: str | None = None
    ) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(address, body, headers, method=method)  # noqa: S310 - http(s)
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token.get_secret_value()}")
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - http(s), see _address
                return self._read(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error.code, error.read()) from error
        except (OSError, HTTPException) as error:
            cause = getattr(error, "reason", None) or error
            why = getattr(cause, "strerror", None) or cause
            raise Unreachable(
                f"The controller at {self.url} does not answer: {why}. "
                "Start it with `rollbackctl up` or `rollbackctl serve`, or say where it is with --url."
            ) from error

    def _read(self, body: bytes) -> dict[str, Any]:
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise Unreachable(f"What answers at {self.url} is not the controller. Check --url.")
        return content

    def _advice(self) -> str:
        """Say which token was shown: what wins hides the others."""
        if self.source == TOKEN_VARIABLE:
            return (
                f"The variable {TOKEN_VARIABLE} holds our token, and wins: set it to one that has the role, or "
                "unset it and set ROLLBACK_TOKEN_FILE to a file with one."
            )
        ours = f"Our token is that of {self.source}. " if self.source else ""
        return f"{ours}Set ROLLBACK_TOKEN_FILE to a file with a token that has the role."

    def _refused(self, code: int, body: bytes) -> Failed:
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        said = content.get("error") if isinstance(content, dict) else None
        if code in {401, 403}:
            return NotAdmitted(f"The controller does not admit us: {said or code}. {self._advice()}")
        if said is None:
            return Unreachable(f"What answers at {self.url} is not the controller ({code}). Check --url.")
        if code == 409:
            return Conflict(f"{said}")
        return Unreachable(f"The controller cannot: {said}") if code >= 500 else Failed(f"{said}")
