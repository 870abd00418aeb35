"""What can go wrong between us and an API server, and how the words of strangers are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import NotYet, Permanent, Transient

if TYPE_CHECKING:
    from workers.kubernetes.paths import Resource

_SHOWN = 400
_CREDENTIAL = re.compile(
    r"(?i:\b(?:bearer|basic))\s+[\w.~+/=-]{8,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*|-----BEGIN.*?(?:-----END[^-]*-----|$)",
    re.DOTALL,
)


class NotFound(Permanent):
    """There is no such object, or no such API."""


class Forbidden(Permanent):
    """We are known, and may not."""


class Unauthorized(Permanent):
    """We are not known."""


class Refused(Permanent):
    """The server, or an admission webhook, does not take what we sent."""


class BadCertificate(Permanent):
    """The server's certificate or ours does not convince the other side."""


class Conflict(Transient):
    """The object changed between our read and our write, or is there already."""


class Expired(Transient):
    """The list that we were reading page by page is no longer kept."""


class Throttled(NotYet):
    """The server asks us to come back later; nothing is wrong with the request."""


class ApiError(Transient):
    """The server failed, or something that is no API server answered."""


class Unreachable(Transient):
    """No answer came. A write may have been done nevertheless: look before it is repeated."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, for messages: of which cluster, and what was asked for."""

    cluster: str
    verb: str
    resource: Resource

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.verb} {self.resource} (cluster {self.cluster})"


def unauthorized(asked: Asked | str, why: str) -> Unauthorized:
    """Say that the credentials do not do."""
    message = f"{asked}: {shown(why)}. Renew its credentials, or correct `clusters:` in the settings"
    return Unauthorized(Reason.UNAUTHORIZED, message)


def shown(text: str) -> str:
    """Cut what a stranger said to one printable line, without anything that looks like a credential."""
    line = _CREDENTIAL.sub("(not shown)", " ".join(text.split()))
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
