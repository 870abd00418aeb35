"""Who is asking, and what they may do.

Credentials come from files and are looked at again whenever a file changes, so that rotation needs no restart:
write the new token beside the old one (another line, or another entry of the settings), move the callers over,
take the old one away. A file that becomes unreadable takes nobody's access away; it is reported.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from controller.settings import Role, SettingsError
from controller.settings.secrets import SecretUnreadable
from controller.web.refusals import Refusal

if TYPE_CHECKING:
    from prometheus_client import Counter

    from controller.settings import Auth

log = structlog.get_logger(__name__)

_INCLUDED: Final = {Role.OPERATE: frozenset({Role.READ})}


@dataclass(frozen=True, slots=True)
class Person:
    """Who authenticated: the name that records and the audit show, and the roles."""

    name: str
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        """Whether one of the roles is, or includes, `role`."""
        return role in self.roles or any(role in _INCLUDED.get(held, ()) for held in self.roles)


@dataclass(frozen=True, slots=True)
class _Credential:
    scheme: str
    digest: bytes
    person: Person


Signature = tuple[tuple[int, int, int], ...]


class Doorkeeper:
    """Tells who a request comes from. Thread-safe; a reload swaps one reference."""

    def __init__(self, auth: Auth, unauthorized: Counter) -> None:
        """Read every credential; raises `SettingsError` when one cannot be used."""
        self._auth = auth
        self._unauthorized = unauthorized
        self._lock = threading.Lock()
        self._files = _files(auth)
        self._signature = _signature(self._files)
        if auth.enabled and not self._files:
            raise SettingsError(
                "auth: nobody could speak to the server: no token and no login is named. Add one under "
                "auth.tokens (`rollbackctl init` writes them), or set auth.enabled: false."
            )
        try:
            self._credentials = _read(auth)
        except SecretUnreadable as error:
            raise SettingsError(f"auth: {error}") from error
        if not auth.enabled:
            log.warning("auth.disabled", consequence="anybody who reaches the server may do everything")
        _warn_of_open_files(self._files)

    def admit(self, authorization: str | None, role: Role) -> Person:
        """Return who is asking if they may act as `role`; raises a 401 or 403 `Refusal` otherwise."""
        if not self._auth.enabled:
            return Person("anonymous", frozenset(Role))
        if not authorization:
            self._unauthorized.labels("missing").inc()
            raise self._refusal("no credentials: send `Authorization: Bearer TOKEN`")
        person = self._identify(authorization)
        if person is None:
            self._unauthorized.labels("wrong").inc()
            raise self._refusal("these credentials are not known here; compare them with the server's file")
        if not person.may(role):
            self._unauthorized.labels("role").inc()
            raise Refusal(403, f"{person.name} lacks the role {role}; give it in the settings under auth")
        return person

    def refresh(self) -> bool:
        """Read the files again if one changed; true when other credentials are in force now."""
        signature = _signature(self._files)
        if signature == self._signature:
            return False
        with self._lock:
            self._signature = signature
            try:
                self._credentials = _read(self._auth)
            except SecretUnreadable as error:
                log.exception("auth.not_reloaded", problem=str(error), kept="the credentials read before")
                return False
        log.info("auth.reloaded", credentials=len(self._credentials))
        _warn_of_open_files(self._files)
        return True

    def _identify(self, authorization: str) -> Person | None:
        self.refresh()
        scheme, _, presented = authorization.partition(" ")
        digest = _presented_digest(scheme.lower(), presented.strip())
        found = None
        # No early exit: how long this takes must not tell which credential came close.
        for credential in self._credentials:
            same = hmac.compare_digest(credential.digest, digest)
            if same and credential.scheme == scheme.lower():
                found = credential.person
        return found

    def _refusal(self, message: str) -> Refusal:
        schemes = ['Bearer realm="rollback-controller"']
        if self._auth.basic:
            schemes.append('Basic realm="rollback-controller", charset="UTF-8"')
        return Refusal(401, message, headers={"WWW-Authenticate": ", ".join(schemes)})


def _presented_digest(scheme: str, presented: str) -> bytes:
    if scheme != "basic":
        return _digest(presented.encode("latin-1", "replace"))
    try:
        return _digest(base64.b64decode(presented, validate=True))
    except (binascii.Error, ValueError):
        return _digest(b"")


def _read(auth: Auth) -> tuple[_Credential, ...]:
    return tuple(_credentials(auth)) if auth.enabled else ()


def _credentials(auth: Auth) -> Iterator[_Credential]:
    for token in auth.tokens:
        person = Person(token.name, token.roles)
        for line in token.read().get_secret_value().split():
            yield _Credential("bearer", _digest(line.encode()), person)
    for login in auth.basic:
        pair = f"{login.username}:{login.read().get_secret_value()}"
        yield _Credential("basic", _digest(pair.encode()), Person(login.name, login.roles))


def _digest(secret: bytes) -> bytes:
    # Equal lengths for compare_digest; tokens are random, so that a plain hash tells nothing about them.
    return hashlib.sha256(secret).digest()


def _files(auth: Auth) -> tuple[Path, ...]:
    if not auth.enabled:
        return ()
    return (*(token.file for token in auth.tokens), *(login.password_file for login in auth.basic))


def _signature(files: tuple[Path, ...]) -> Signature:
    return tuple(_stat(file) for file in files)


def _stat(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _warn_of_open_files(files: tuple[Path, ...]) -> None:
    for file in files:
        with suppress(OSError):
            if file.stat().st_mode & 0o004:
                log.warning("auth.file_readable_by_others", file=str(file), fix=f"chmod o= {file}")
