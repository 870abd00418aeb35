"""A cluster, for one job: paths in, JSON out, and every failure with its reason."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from rules.decisions import Reason
from rules.errors import RollbackError
from workers.kubernetes.answers import as_failure, not_understood
from workers.kubernetes.api import Answer, Api, Call
from workers.kubernetes.credentials import Way, in_cluster, kubeconfig
from workers.kubernetes.failures import ApiError, Asked, BadCertificate, Expired, Unreachable
from workers.kubernetes.paths import read_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from controller.settings.clusters import ClusterSettings
    from controller.settings.numbers import Numbers

Json: TypeAlias = dict[str, Any]
Query: TypeAlias = str | int | bool

_PAGE = 500
_PAGES_MAX = 1000
_STARTING_S = 1.5
_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"


class Cluster:
    """One cluster: nothing is read before the first call, and one client serves until `close`.

    Not for several threads. Every exchange takes at most `timeout_s`. None is repeated, save what we
    are not allowed: that is asked again with fresh credentials, and once the server has read its own rules.
    """

    def __init__(
        self,
        name: str,
        way: Callable[[], Way],
        *,
        timeout_s: float,
        namespaces: Sequence[str] = (),
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.namespaces = tuple(namespaces)
        """The namespaces we are to look at; none means every one."""
        self._way = way
        self._timeout_s = timeout_s
        self._wait = wait
        self._api: Api | None = None
        self._prepared: Way | None = None
        self._stamp: tuple[object, ...] = ()

    def prepare(self) -> None:
        """Build the client before there is anything to ask; connects to nothing.

        It is used while the files it was built from are as they were. What goes wrong is said when it is used.
        """
        with contextlib.suppress(RollbackError):
            way = self._way()
            stamp = way.stamp()
            if way.files and self._way() == way:  # what was read is what was stamped
                self._stamp, self._prepared = stamp, way
                self._api = Api(way, self._timeout_s)

    def get(self, path: str, **query: Query) -> Json:
        """Read one object."""
        return self._json("get", "GET", path, query)

    def list(self, path: str, **query: Query) -> Json:
        """Read a list to its end, page by page; its `items` hold all of them. `limit` is the size of a page."""
        try:
            return self._pages(path, query)
        except Expired:
            return self._pages(path, query)

    def text(self, path: str, **query: Query) -> str:
        """Read what is no JSON: the log of a container."""
        return self._answer("get", "GET", path, query).body.decode(errors="replace")

    def patch(self, path: str, body: Sequence[Json], *, field_manager: str, dry_run: bool = False) -> Json:
        """Apply a JSON Patch: all or nothing. A dry run is judged as the patch itself is, and writes nothing."""
        query = {"fieldManager": field_manager} | ({"dryRun": "All"} if dry_run else {})
        return self._json("patch", "PATCH", path, query, body=[*body], content_type=_JSON_PATCH)

    def create(self, path: str, body: Json) -> Json:
        """Create an object in the list that `path` leads to."""
        return self._json("create", "POST", path, {}, body=body, content_type=_JSON)

    def delete(self, path: str, *, uid: str, grace_s: int | None = None) -> None:
        """Delete an object while it still is the one with this uid; `Conflict` where it is another by now."""
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        self._answer("delete", "DELETE", path, {}, body=body, content_type=_JSON)

    def close(self) -> None:
        """Let go of the connection; a later call opens a new one."""
        api, self._api = self._api, None
        if api is not None:
            api.close()

    def _json(self, verb: str, method: str, path: str, query: Mapping[str, Query], **sent: Any) -> Json:
        answer = self._answer(verb, method, path, query, **sent)
        with contextlib.suppress(orjson.JSONDecodeError):
            found = orjson.loads(answer.body)
            if isinstance(found, dict):
                return found
        raise not_understood(self._asked(verb, path), answer.body)

    def _pages(self, path: str, query: Mapping[str, Query]) -> Json:
        items: list[Json] = []
        first: Json | None = None
        for page in self._each_page(path, query):
            first = first or page
            items += page.get("items") or []
        return {**(first or {}), "items": items}

    def _each_page(self, path: str, query: Mapping[str, Query]) -> Iterator[Json]:
        more: dict[str, Query] = {}
        for _ in range(_PAGES_MAX):
            page = self._json("list", "GET", path, {"limit": _PAGE, **query, **more})
            yield page
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            more = {"continue": following}
        message = f"{self._asked('list', path)}: it has no end after {_PAGES_MAX} pages; tried again"
        raise ApiError(Reason.API_ERROR, message)

    def _answer(self, verb: str, method: str, path: str, query: Mapping[str, Query], **sent: Any) -> Answer:
        asked = self._asked(verb, path)
        call = Call(asked, method, path, {key: _written(value) for key, value in query.items()}, **sent)
        answer = self._reached().exchange(call)
        if answer.status == 401:
            self.close()  # so that the credentials are read again
            answer = self._reached().exchange(call)
        if answer.status in {401, 403}:
            self._wait_for_its_rules(asked, answer.status)
            answer = self._reached().exchange(call)
        if 200 <= answer.status < 300:
            return answer
        raise as_failure(asked, answer.status, answer.headers, answer.body)

    def _wait_for_its_rules(self, asked: Asked, status: int) -> None:
        """Return when a "no" counts: a server that just started knows nobody and allows nothing, for a moment.

        That moment has been seen; the server says itself when it is over, unless it does not tell us even that.
        """
        try:
            ready = self._reached().exchange(Call(asked, "GET", "/readyz", {})).status
        except (ApiError, Unreachable):
            ready = 500
        if ready >= 500:
            message = f"{asked}: answered {status} while the API server is starting; tried again"
            raise ApiError(Reason.API_ERROR, message)
        if ready != 200:
            self._wait(_STARTING_S)

    def _reached(self) -> Api:
        prepared, self._prepared = self._prepared, None
        if prepared is not None and prepared.stamp() != self._stamp:
            self.close()
        if self._api is None:
            self._api = Api(self._way(), self._timeout_s)
        return self._api

    def _asked(self, verb: str, path: str) -> Asked:
        resource = read_path(path)
        return Asked(self.name, "list" if verb == "get" and resource.name is None else verb, resource)


def connect_cluster(name: str, settings: ClusterSettings, numbers: Numbers) -> Cluster:
    """Return the cluster that the settings call `name`; nothing is read before it is asked for something."""
    return Cluster(
        name, lambda: _way(name, settings), timeout_s=numbers.call_timeout_s, namespaces=settings.namespaces
    )


def warm() -> None:
    """Load, before a process forks for its jobs, what the first call of each would load anew."""
    Api(Way("https://127.0.0.1:6443", "nowhere"), 1).close()


def _way(name: str, settings: ClusterSettings) -> Way:
    if settings.kubeconfig is None:
        way = in_cluster()
    else:
        way = kubeconfig(settings.kubeconfig, settings.context, f"`clusters.{name}.kubeconfig` in the settings")
    if way.insecure and not settings.insecure_skip_tls_verify:
        message = (
            f"cluster {name}: {way.source} says `insecure-skip-tls-verify`: anybody in between could read our "
            "token and do what we may. Give it the cluster's `certificate-authority`. If it must be so, set "
            f"`clusters.{name}.insecure-skip-tls-verify: true` in the settings"
        )
        raise BadCertificate(Reason.CERTIFICATE, message)
    return way


def _written(value: Query) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
