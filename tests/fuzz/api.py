"""Every other endpoint, whatever is asked by whom: a documented answer, and no change by a reader."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from hypothesis import strategies as st

from fuzz import pieces
from fuzz.asking import Answer, Face, face
from fuzz.bodies import HEADERS, REAL
from fuzz.target import Check, Site, Target, hold
from fuzz.trees import EDITS, WORDS, Edit, edited

_STATUSES = frozenset({200, 201, 202, 308, 400, 401, 403, 404, 405, 409, 413, 415, 422})
_ASKS_WORKERS = frozenset({"/api/v1/explain", "/api/v1/rollbacks", "/api/v1/plans"})
"""Without a worker some of these are 503; what they leave is a question, which lapses."""
_LISTS = frozenset({"/api/v1/releases/<service>"})
"""A list of which a part is refused is registered up to there."""
_PLAIN = frozenset({"/metrics", "/livez", "/readyz", "/-/healthy", "/-/ready"})
_METHODS = (*[""] * 9, "GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "X\xff")
"""Mostly the one that the route is there for."""
_MAY_CHANGE = frozenset({"operator", "approver"})
_TOKENS = ("operator", "operator", "operator", "approver", "reader", "alertmanager", "basic", "nobody", "odd")
_ODD = (
    "Bearer",
    "Bearer ",
    "Basic ====",
    "Basic YTpi",
    "Digest x",
    "\xff\xfe",
    "Bearer \xe9" * 900,
    "bearer  x y",
    "",
)
BODIES: tuple[Any, ...] = (
    {"service": "shop", "instances": ["web2"], "to": ["previous"], "reason": "it fails", "dry_run": False},
    {"service": "shop", "all": True, "override": ["cooldown", "known-bad"], "to": [{"version": "v1.2.0"}]},
    {"service": "shop", "only": {"track": ["canary"]}, "to": [{"same-as": {"track": "stable"}}], "dry_run": True},
    {"service": "web", "instances": ["deployment/web"], "cluster": "eu", "namespace": "shop", "gitops": "force"},
    {"instances": ["hosts/default/shop/web2"], "to": ["last-known-good"]},
    {"scope": "service shop", "for": "4h", "reason": "sale"},
    {"scope": "", "reason": "all of it"},
    {"all": True},
    {"reason": "deploy", "ttl": "60s"},
    {"token": "t0k3n", "ttl": "10s"},
    {"force": True, "reason": "gone"},
    {"owner": "eu/Application/argocd/shop", "reason": "go on"},
    {"reason": "yes", "to": "v1.2.0"},
    {"reason": "no", "false_alarm": True, "override": []},
    {"release": "v1.2.0", "mark": "good", "why": "ran for a week", "environment": "production"},
    {"release": "v1.2.0", "environment": ""},
    {
        "version": "v1.3.0",
        "commit": "4f1c9e2",
        "built-at": "2026-11-21T03:00:00Z",
        "digests": ["sha256:" + "ab" * 32],
    },
    [{"version": "v1.3.0", "cannot-go-back-past": "v1.2.0"}, {"version": "v1.4.0", "irreversible": True}],
    REAL[1],
)


class Asked(NamedTuple):
    """One request. `route` counts around the routes there are; what is variable in it becomes `name`."""

    route: int
    name: str
    method: str
    query: tuple[tuple[str, str], ...]
    body: bytes
    token: str
    headers: tuple[tuple[str, str], ...]
    rest: str


def _written(base: int, edits: Sequence[Edit], changes: Sequence[pieces.Change]) -> bytes:
    return pieces.changed(json.dumps(edited(BODIES[base], edits)).encode(), changes, pieces.JSON)


_NAMES = st.sampled_from(["shop", "shop", "canary-errors", "{id}", "{id}", "r1", "1", "v1.2.0"]) | st.sampled_from(
    WORDS
)
_QUERIES = ("limit", "state", "service", "fingerprint", "ids", "release", "environment", "verbose", "x", "")
REQUESTS = st.lists(
    st.builds(
        Asked,
        st.integers(0, 999),
        _NAMES | st.text(max_size=6),
        st.sampled_from(_METHODS),
        st.lists(
            st.tuples(st.sampled_from(_QUERIES), _NAMES | st.sampled_from(["1", "500", "٣"])), max_size=2
        ).map(tuple),
        st.builds(
            _written,
            st.integers(0, len(BODIES) - 1),
            st.just([]) | EDITS,
            st.just([]) | st.just([]) | pieces.CHANGES,
        ),
        st.sampled_from(_TOKENS),
        st.just(()) | HEADERS,
        st.sampled_from(["", "", "", "", "/", "//", "/x", "/../status", "\x00", "\xff", "%2f"]),
    ),
    min_size=1,
    max_size=4,
)


@contextmanager
def _opened(site: Site) -> Iterator[Check]:
    with face(site) as asked:
        routes = _routes(asked)

        def check(case: Sequence[Asked]) -> bool:
            asked.forget()
            statuses = []
            for one in case:
                method, rule = routes[one.route % len(routes)]
                statuses.append(_ask(asked, one, rule, one.method or method).status)
            return min(statuses) < 400

        yield check


def _routes(asked: Face) -> list[tuple[str, str]]:
    """Name every method and path that there is but the receiver's, which is a target of its own."""
    rules = asked.web.app.url_map.iter_rules()
    found = {(method, str(rule.rule)) for rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}}
    return sorted(found - {("POST", "/api/v1/alertmanager")})


def _ask(asked: Face, one: Asked, rule: str, method: str) -> Answer:
    before = asked.writes()
    answer = asked.ask(
        *(method, _path(asked, one, rule)),
        query=b"&".join(_bytes(k) + b"=" + _bytes(v) for k, v in one.query),
        headers=(*one.headers, *_credentials(asked, one)),
        body=one.body,
    )
    changed = asked.writes() != before
    _is_documented(answer, one, rule, method)
    _changed_only_what_it_may(answer, one, rule, method, changed=changed)
    return answer


def _is_documented(answer: Answer, one: Asked, rule: str, method: str) -> None:
    said = f"{method} {rule} as {one.token}: {answer.status} {answer.body[:200]!r}"
    later = answer.status == 503 and rule in _ASKS_WORKERS and method == "POST"
    hold(answer.status in _STATUSES or later, said)
    if method != "HEAD" and answer.status >= 400:
        told = answer.json()
        hold(isinstance(told.get("error"), str) and len(told["error"]) > 8, f"no sentence: {said}")
        hold(len(answer.body) < 3 * len(one.body) + 3 * len(one.name) + 6_000, f"an endless answer: {said}")
    elif method not in ("HEAD", "OPTIONS") and answer.status < 300 and rule not in _PLAIN:
        answer.json()


def _changed_only_what_it_may(answer: Answer, one: Asked, rule: str, method: str, *, changed: bool) -> None:
    if not changed or (rule in _ASKS_WORKERS and method == "POST"):
        return
    said = f"{method} {rule} as {one.token} changed something, and was answered {answer.status}"
    hold(one.token in _MAY_CHANGE, said)
    hold(method in ("POST", "PUT", "DELETE"), said)
    hold(answer.status < 400 or rule in _LISTS, said)


def _path(asked: Face, one: Asked, rule: str) -> bytes:
    name = one.name
    if name == "{id}":
        found = asked.redis.zrevrange("rc:history", 0, 0)
        name = found[0] if found else "r1"
    head, variable, tail = rule.partition("<")
    return _bytes(f"{head}{name}{tail.partition('>')[2]}{one.rest}" if variable else rule + one.rest)


def _credentials(asked: Face, one: Asked) -> Sequence[tuple[str, str]]:
    if one.token == "nobody":
        return ()
    if one.token == "odd":
        return (("Authorization", _ODD[one.route % len(_ODD)]),)
    return (asked.bearer(one.token),)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


API = Target("api", 13, REQUESTS, _opened)
