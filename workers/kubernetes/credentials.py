"""How a cluster is reached and who we are there: read from a kubeconfig, or from the pod's service account.

The kubernetes library's own loader is not used for this. It writes client keys into /tmp and removes them at exit,
which a job's process never comes to; it keeps the line break at the end of a token file; it prefers `token` to
`tokenFile`, unlike kubectl; and where a plugin fails it goes on without any credentials.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import ConfigNode
from pydantic import SecretStr

from controller.settings.clusters import SERVICE_ACCOUNT
from controller.settings.secrets import SecretUnreadable, read_secret
from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes.failures import BadCertificate, shown, unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SETTINGS = "`clusters:` in the settings"
_NOT_SPOKEN = {
    "auth-provider": "`auth-provider`, which kubectl has given up too: use an `exec` plugin or a token",
    "as": "`as`: give us a user of our own, whose rights can be seen",
}


@dataclass(frozen=True, slots=True)
class Way:
    """A server, what proves that it is the right one, and what proves who we are."""

    server: str
    source: str
    """Where this was read, for messages."""
    ca: str | None = None
    tls_name: str | None = None
    insecure: bool = False
    proxy: str | None = None
    authorization: SecretStr | None = None
    token_file: Path | None = None
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    files: tuple[Path, ...] = ()
    """What it was read from, less the token's file; none where it does not come from files alone."""

    def stamp(self) -> tuple[object, ...]:
        """Return what changes when any of its files does."""
        return tuple(_stamp(file) for file in self.files)


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def in_cluster(folder: Path = SERVICE_ACCOUNT, environ: Mapping[str, str] = os.environ) -> Way:
    """Read what Kubernetes mounts into every pod."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not (host and port):
        why = "KUBERNETES_SERVICE_HOST is not set, so this is no pod of a cluster; name a `kubeconfig:` instead"
        raise Permanent(Reason.TARGET_MISCONFIGURED, f"in-cluster: {why}")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    ca = _text(folder / "ca.crt", "in-cluster", _SETTINGS)
    source = f"the service account in {folder}"
    return Way(server, source, ca=ca, token_file=folder / "token", files=(folder / "ca.crt",))


def kubeconfig(path: Path, context: str | None, named_by: str = _SETTINGS) -> Way:
    """Read one context of a kubeconfig, the current one where none is named. `named_by`: who says this path."""
    return _Kubeconfig(path, context, named_by).way()


def token_of(path: Path) -> SecretStr:
    """Read a bearer token; raises `Unauthorized`."""
    try:
        return SecretStr(f"Bearer {read_secret(path).get_secret_value()}")
    except SecretUnreadable as error:
        raise unauthorized("the token", str(error)) from error


class _Kubeconfig:
    def __init__(self, path: Path, context: str | None, named_by: str) -> None:
        self._path, self._named_by = path, named_by
        self._folder = path.absolute().parent
        self._whole = self._read()
        name = context or self._whole.get("current-context")
        if not isinstance(name, str) or not name:
            raise self._wrong("it has no `current-context`: name one with `context:` in the settings")
        self._source = f"context {name} of {path}"
        chosen = self._named("context", name)
        self._cluster = self._named("cluster", chosen.get("cluster"))
        self._user = self._named("user", chosen.get("user")) if chosen.get("user") else {}
        self._files = [path]

    def way(self) -> Way:
        server = self._word(self._cluster, "server")
        if server is None or urlsplit(server).scheme not in {"https", "http"}:
            raise self._wrong("its cluster names no `server:` with https://")
        authorization, token_file, certificate, key = self._who()
        if urlsplit(server).scheme == "http" and urlsplit(server).hostname not in _LOOPBACK and self._user:
            message = f"{self._source}: {server} is not encrypted, and credentials would go there: use https://"
            raise BadCertificate(Reason.CERTIFICATE, message)
        ca = self._content(self._cluster, "certificate-authority")
        return Way(
            server=server.rstrip("/"),
            source=self._source,
            ca=None if ca is None else ca.decode(errors="replace"),
            tls_name=self._word(self._cluster, "tls-server-name"),
            insecure=self._cluster.get("insecure-skip-tls-verify") is True,
            proxy=self._word(self._cluster, "proxy-url"),
            authorization=authorization,
            token_file=token_file,
            certificate=certificate,
            key=key,
            files=() if "exec" in self._user else tuple(self._files),
        )

    def _who(self) -> tuple[SecretStr | None, Path | None, bytes | None, bytes | None]:
        """Return the header, the token file, the certificate and its key: what of them there is."""
        for word, instead in _NOT_SPOKEN.items():
            if word in self._user:
                raise unauthorized(self._source, f"its user has {instead}")
        certificate, key = self._content(self._user, "client-certificate"), self._content(self._user, "client-key")
        if file := self._word(self._user, "tokenFile"):
            return None, self._folder / file, certificate, key
        if token := self._word(self._user, "token"):
            return SecretStr(f"Bearer {token.strip()}"), None, certificate, key
        if "exec" in self._user:
            return self._from_plugin()
        if (name := self._word(self._user, "username")) and (password := self._word(self._user, "password")):
            basic = base64.b64encode(f"{name}:{password}".encode()).decode()
            return SecretStr(f"Basic {basic}"), None, certificate, key
        return None, None, certificate, key

    def _from_plugin(self) -> tuple[SecretStr | None, Path | None, bytes | None, bytes | None]:
        try:
            plugin = ConfigNode("exec", self._user["exec"])
            status = ExecProvider(plugin, str(self._folder), ConfigNode("cluster", self._cluster)).run()
            if token := status.get("token"):
                return SecretStr(f"Bearer {token}"), None, None, None
            return None, None, status["clientCertificateData"].encode(), status["clientKeyData"].encode()
        except (ConfigException, OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise unauthorized(self._source, f"its exec plugin gave no credentials ({why})") from error

    def _read(self) -> dict[str, Any]:
        text = _text(self._path, "kubeconfig", self._named_by)
        try:
            whole = yaml.load(text, Loader=_LOADER)  # noqa: S506 - the safe one, in C where there is one
        except yaml.YAMLError as error:
            place = getattr(error, "problem_mark", None)
            line = f" in line {place.line + 1}" if place else ""
            raise self._wrong(f"it is not YAML{line}") from error
        if not isinstance(whole, dict):
            raise self._wrong("it is empty, or no kubeconfig")
        return whole

    def _named(self, kind: str, name: object) -> dict[str, Any]:
        """Find an entry of a list by its name; as for kubectl the first one counts."""
        entries = self._whole.get(f"{kind}s")
        known = [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
        for entry in known:
            if entry.get("name") == name and isinstance(entry.get(kind), dict):
                found: dict[str, Any] = entry[kind]
                return found
        names = ", ".join(str(e.get("name")) for e in known) or "none"
        raise self._wrong(f"it has no {kind} {shown(str(name))!r}; there is: {shown(names)}")

    def _word(self, part: Mapping[str, Any], key: str) -> str | None:
        value = part.get(key)
        return value if isinstance(value, str) and value else None

    def _content(self, part: Mapping[str, Any], key: str) -> bytes | None:
        """Return what `key`-data holds, or the file that `key` names."""
        if data := self._word(part, f"{key}-data"):
            try:
                return base64.b64decode(data, validate=False)
            except binascii.Error as error:
                raise self._wrong(f"`{key}-data` is not base64") from error
        file = self._word(part, key)
        if file is None:
            return None
        self._files.append(self._folder / file)
        return _text(self._folder / file, self._source, f"`{key}` there").encode()

    def _wrong(self, what: str) -> Permanent:
        message = f"the kubeconfig {self._path} cannot be used: {what}. Correct it, or {self._named_by}"
        return Permanent(Reason.TARGET_MISCONFIGURED, message)


def _text(path: Path, what: str, named_by: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        message = f"{what}: {path} does not exist: correct {named_by}"
        raise Permanent(Reason.TARGET_MISCONFIGURED, message) from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        message = f"{what}: {path} cannot be read: {why}. Correct its rights, or {named_by}"
        raise Permanent(Reason.TARGET_MISCONFIGURED, message) from error
