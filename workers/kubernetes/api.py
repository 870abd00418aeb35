"""One exchange with an API server, through the official client. Raw: JSON goes out, bytes come in.

Its typed models are not used, importing them costs a third of a second. Nothing is repeated here, no redirect is
followed, and a call has one deadline from its first byte to its last.
"""

from __future__ import annotations

import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import structlog
import urllib3
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from rules.decisions import Reason
from workers.kubernetes.connecting import as_failure, too_slow
from workers.kubernetes.credentials import Way, token_of
from workers.kubernetes.failures import ApiError, Asked, BadCertificate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubernetes.client.rest import RESTResponse
    from urllib3.response import BaseHTTPResponse

log = structlog.get_logger(__name__)

ANSWER_CAP = 64 << 20
"""Bytes of one answer. A page of five hundred pods is a tenth of it."""

_ACCEPT = "application/json, */*"  # with less, what goes wrong is answered 406
_AGENT = "rollback-controller"
_BEARER = "BearerToken"
_PART = 1 << 16


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    asked: Asked
    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever it is."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Api:
    """One client of one API server. A token that lives in a file is read again when the file changes."""

    def __init__(self, way: Way, timeout_s: float) -> None:
        self._way = way
        self._timeout_s = timeout_s
        self._token_seen: tuple[int, int] | None = None
        self._client = _client(way)
        if way.token_file is not None:
            self._client.configuration.refresh_api_key_hook = self._refresh

    def exchange(self, call: Call) -> Answer:
        """Send, and return the whole answer; raises where none comes."""
        deadline = time.monotonic() + self._timeout_s
        try:
            response = self._send(call).response
            body = _read(response, deadline)
        except TimeoutError as error:
            raise too_slow(call.asked, self._way.server, self._timeout_s) from error
        except (ApiException, HTTPError, OSError) as error:
            raise as_failure(call.asked, self._way.server, error) from error
        if body is None:
            message = f"{call.asked}: the answer is larger than {ANSWER_CAP >> 20} MiB; tried again"
            raise ApiError(Reason.API_ERROR, message)
        return Answer(response.status, response.headers, body)

    def close(self) -> None:
        """Let go of the connections, at once: the library's own way leaves them to the garbage collector."""
        pools = self._client.rest_client.pool_manager.pools
        for key in pools.keys():  # noqa: SIM118 - it is no mapping that can be walked through
            if (pool := pools.get(key)) is not None:
                pool.close()
        self._client.close()

    def _send(self, call: Call) -> RESTResponse:
        headers = {"Accept": _ACCEPT} | ({"Content-Type": call.content_type} if call.content_type else {})
        path = f"{call.path}?{urlencode(call.query)}" if call.query else call.path
        request = self._client.param_serialize(
            call.method, path, header_params=headers, body=call.body, auth_settings=["BearerToken"]
        )
        return self._client.call_api(*request, _request_timeout=self._timeout_s)

    def _refresh(self, configuration: Configuration) -> None:
        """Read a token's file again where it changed; the library asks before every call."""
        file = self._way.token_file
        if file is None:
            return
        try:
            found = file.stat()
            seen = (found.st_ino, found.st_mtime_ns)
        except OSError:
            seen = None  # reading it says what is wrong
        if seen is None or seen != self._token_seen:
            configuration.api_key[_BEARER] = token_of(file).get_secret_value()
            self._token_seen = seen


def _client(way: Way) -> ApiClient:
    configuration = Configuration(host=way.server)
    configuration.retries = False  # here nothing is repeated; whether a call may be is the runner's business
    configuration.verify_ssl = not way.insecure
    configuration.tls_server_name = way.tls_name
    if way.proxy:
        configuration.proxy, configuration.no_proxy = way.proxy, ""  # said for this cluster: it holds
    if way.authorization is not None:
        configuration.api_key[_BEARER] = way.authorization.get_secret_value()
    elif way.token_file is not None:
        configuration.api_key[_BEARER] = ""
    client = ApiClient(configuration)
    client.user_agent = _AGENT
    if way.server.startswith("https"):
        client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = _tls(way)
    return client


def _tls(way: Way) -> ssl.SSLContext:
    """Trust the cluster's CA and nobody else; the system's bundle costs 20 ms and is read only where none is said.

    With a context of our own the strict checks of newer Pythons do not apply, which many clusters' CAs do not
    pass, and the key is not read again for each connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if way.insecure:
        log.warning("cluster.not_verified", server=way.server, source=way.source)
        urllib3.disable_warnings(InsecureRequestWarning)  # said once, above
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if way.insecure:
            pass
        elif way.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=way.ca)
    except (ssl.SSLError, ValueError) as error:
        message = f"{way.source}: its certificate authority is no certificate in PEM: correct it there"
        raise BadCertificate(Reason.CERTIFICATE, message) from error
    if way.certificate is not None:
        _show(context, way)
    return context


def _show(context: ssl.SSLContext, way: Way) -> None:
    """Give the context our certificate; OpenSSL takes it from files only, which are gone again at once."""
    with tempfile.TemporaryDirectory(prefix="rollback-") as folder:
        certificate, key = Path(folder, "certificate"), Path(folder, "key")
        certificate.write_bytes(way.certificate or b"")
        key.write_bytes(way.key or b"")
        try:
            context.load_cert_chain(certificate, key, password="")
        except (ssl.SSLError, ValueError) as error:
            message = f"{way.source}: its client certificate and key do not belong together, or are no PEM"
            raise BadCertificate(Reason.CERTIFICATE, f"{message}: correct them there") from error


def _read(response: BaseHTTPResponse, deadline: float) -> bytes | None:
    """Read to the end; None if that is too far away. Raises `TimeoutError` where it is too late."""
    whole = bytearray()
    try:
        while part := _part(response, deadline):
            whole += part
            if len(whole) > ANSWER_CAP:
                response.close()
                return None
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return bytes(whole)


def _part(response: BaseHTTPResponse, deadline: float) -> bytes:
    """Read what is there; the socket's own time limit would begin anew with every byte."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    if (sock := getattr(response.connection, "sock", None)) is not None:
        sock.settimeout(left_s)
    return response.read1(_PART)
