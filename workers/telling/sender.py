"""`python -m workers.telling.sender`: sends one message, and ends. A process of its own: a plugin may hang.

Standard input holds the message and the addresses as JSON. For each address a line of JSON is written as soon as
it is known what came of it. Neither an address nor what a plugin logs leaves this process: both may hold secrets.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apprise

DEADLINE_S = 45
"""Less than the minute for which the message is ours."""

_AT_ONCE = 8
_STATUS = re.compile(r"error\s*[=:]\s*(\d{3})|\bHTTP (\d{3})\b")
_TYPES = {
    "ended": apprise.NotifyType.INFO,
    "started": apprise.NotifyType.INFO,
    "storm": apprise.NotifyType.FAILURE,
    "undelivered": apprise.NotifyType.FAILURE,
}


class _Overheard(logging.Handler):
    """Keeps what plugins log, by thread: the only place where they say why something failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: dict[int, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.said.setdefault(threading.get_ident(), []).append(record.getMessage())


def main() -> int:
    """Send to every address at once; 0 when each was tried."""
    signal.alarm(DEADLINE_S + 5)  # whoever started us may be gone
    asked = json.load(sys.stdin)
    overheard = _Overheard()
    logger = logging.getLogger("apprise")
    logger.handlers[:], logger.propagate = [overheard], False

    def one(n: int, url: str) -> None:
        print(json.dumps({"n": n, "error": _send(url, asked, overheard)}), flush=True)  # noqa: T201 - the answer

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        tuple(pool.map(one, range(len(asked["urls"])), asked["urls"]))
    return 0


def _send(url: str, message: dict[str, Any], overheard: _Overheard) -> str:
    """Send to one address. Returns what went wrong in words of our own; empty: it was taken."""
    try:
        channel = apprise.Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
        if not isinstance(channel, apprise.NotifyBase):
            return "is no address that can be sent to; compare it with Apprise's documentation"
        channel.overflow_mode = apprise.OverflowMode.SPLIT  # rather in two pieces than not at all
        kind = _TYPES.get(message["kind"], apprise.NotifyType.WARNING)
        if channel.notify(body=message["body"], title=message["title"], notify_type=kind):
            return ""
    except (OSError, ValueError, TypeError, KeyError, AttributeError, apprise.exception.AppriseException) as error:
        return f"could not be sent to ({type(error).__name__}); is the address complete?"
    return _why(overheard.said.get(threading.get_ident(), []))


def _why(said: list[str]) -> str:
    text = " ".join(said)
    if found := _STATUS.search(text):
        status = found[1] or found[2]
        hint = "; is the address still valid?" if status in {"401", "403", "404"} else ""
        return f"answered {status}{hint}"
    if "onnection" in text:
        return "cannot be reached; is it up, and is the way there open?"
    return "did not take it; is the address complete and still valid?"


def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(
        app_id="rollback-controller",
        app_desc="rollback controller",
        app_url="",
        body_format=apprise.NotifyFormat.TEXT,
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        allow_templates=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        service_timeout=DEADLINE_S / 3,
    )


if __name__ == "__main__":
    sys.exit(main())
