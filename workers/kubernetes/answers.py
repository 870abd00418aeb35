"""What an answer means that is not what was asked for, in words that end with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from rules.decisions import Reason
from workers.kubernetes.failures import (
    ApiError,
    Asked,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    Refused,
    Throttled,
    shown,
    unauthorized,
)
from workers.kubernetes.rights import right_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.errors import RollbackError

_READ_OF_IT = 4096
_LONGEST_WAIT_S = 60.0
_WRITES = frozenset({"create", "patch", "delete"})


def as_failure(asked: Asked, status: int, headers: Mapping[str, str], body: bytes) -> RollbackError:
    """Translate an answer that is not good."""
    said = _said(body)
    if status == 429:
        return _throttled(asked, headers)
    if status == 403:
        return _not_allowed(asked, said)
    if 400 <= status < 500:
        return _refused(asked, status, said)
    redirected = f" to {shown(headers.get('Location', ''))}" if 300 <= status < 400 else ""
    return ApiError(Reason.API_ERROR, f"{asked}: answered {status}{redirected}: {said}; tried again")


def not_understood(asked: Asked, body: bytes) -> ApiError:
    """Translate an answer that claims to be good and is not JSON."""
    message = (
        f"{asked}: answered with something that is no JSON, as a proxy in between would: {shown(_text(body))}"
    )
    return ApiError(Reason.API_ERROR, f"{message}; tried again. Is that address the API server's?")


def _refused(asked: Asked, status: int, said: str) -> RollbackError:
    match status:
        case 401:
            why = f"the API server does not know us, with credentials that were just read again: {said}"
            return unauthorized(asked, why)
        case 404:
            reason = Reason.POD_GONE if asked.resource.resource == "pods" else Reason.WORKLOAD_UNKNOWN
            return NotFound(reason, f"{asked}: there is none; is the name or the namespace misspelt?")
        case 409:
            return Conflict(Reason.CHANGED_MEANWHILE, f"{asked}: {said}; it is read again")
        case 410:
            return Expired(Reason.API_ERROR, f"{asked}: {said}; it is read again from the start")
    message = f"{asked}: refused ({status}): {said}. Nothing was changed by it; look at what the message names"
    return Refused(Reason.TARGET_REFUSED, message)


def _not_allowed(asked: Asked, said: str) -> RollbackError:
    if "not yet ready to handle request" in said:
        return ApiError(Reason.API_ERROR, f"{asked}: the API server is still starting; tried again")
    if asked.verb in _WRITES and "cannot " not in said and said:
        # Not the Role: a quota, an admission plugin or a webhook.
        return _refused(asked, 403, said)
    where = asked.resource
    right = right_for(asked.verb, where.group, where.resource)
    role = f"a Role in {where.namespace} or a ClusterRole" if where.namespace else "a ClusterRole"
    line = f"this line to {role} that is bound to this user: {right.line}"
    add = f"Add {line}"
    if where.namespace and asked.verb not in _WRITES:
        # With rights in some namespaces only, one that does not exist is forbidden too; who writes has read there.
        add = f"Is the name right, and does namespace {where.namespace} exist? If so, add {line}"
    message = f"{asked}: not allowed: {said}. {add}"
    return Forbidden(Reason.FORBIDDEN, message)


def _throttled(asked: Asked, headers: Mapping[str, str]) -> Throttled:
    said = headers.get("Retry-After", "")
    wait_s = float(said) if said.isascii() and said.isdigit() else 1.0
    wait_s = min(max(wait_s, 0.5), _LONGEST_WAIT_S)
    message = f"{asked}: the API server has too much to do; asked again in {wait_s:g} s"
    return Throttled(Reason.THROTTLED, message, retry_after_s=wait_s)


def _said(body: bytes) -> str:
    """Return the server's own words, out of its Status object where it sent one."""
    try:
        status: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    message = status.get("message") if isinstance(status, dict) else None
    return shown(message if isinstance(message, str) else _text(body)) or "without a word"


def _text(body: bytes) -> str:
    return body[:_READ_OF_IT].decode(errors="replace")
