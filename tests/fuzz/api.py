"""Every other endpoint, whatever is asked by whom: a documented answer, and no change by a reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from fuzz.asking import Answer, Face, face
from fuzz.calls import REQUESTS, Asked
from fuzz.target import Check, Site, Target, hold

_STATUSES = frozenset({200, 201, 202, 308, 400, 401, 403, 404, 405, 409, 413, 415, 422})
_ASKS_WORKERS = frozenset({"/api/v1/explain", "/api/v1/rollbacks", "/api/v1/plans"})
"""Without a worker some of these are 503; what they leave is a question, which lapses."""
_LISTS = frozenset({"/api/v1/releases/<service>"})
"""A list of which a part is refused is registered up to there."""
_PLAIN = frozenset({"/metrics", "/livez", "/readyz", "/-/healthy", "/-/ready"})
_FITS = {"service": "shop", "name": "canary-errors"}
_MAY_CHANGE = frozenset({"operator", "approver"})
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
    before, body = asked.writes(), one.body(f"{method} {rule}")
    answer = asked.ask(
        *(method, _path(asked, one, rule)),
        query=b"&".join(_bytes(k) + b"=" + _bytes(v) for k, v in one.query),
        headers=(*one.headers, *_credentials(asked, one)),
        body=body,
    )
    changed = asked.writes() != before
    _is_documented(answer, one, rule, method, sent=len(body))
    _changed_only_what_it_may(answer, one, rule, method, changed=changed)
    return answer


def _is_documented(answer: Answer, one: Asked, rule: str, method: str, *, sent: int) -> None:
    said = f"{method} {rule} as {one.token}: {answer.status} {answer.body[:200]!r}"
    later = answer.status == 503 and rule in _ASKS_WORKERS and method == "POST"
    hold(answer.status in _STATUSES or later, said)
    if method != "HEAD" and answer.status >= 400:
        told = answer.json()
        hold(isinstance(told.get("error"), str) and len(told["error"]) > 8, f"no sentence: {said}")
        hold(len(answer.body) < 3 * sent + 3 * len(one.name) + 6_000, f"an endless answer: {said}")
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
    head, _, tail = rule.partition("<")
    variable, _, tail = tail.partition(">")
    if not variable:
        return _bytes(head + one.rest)
    name = one.name or _FITS.get(variable.rpartition(":")[2], "{id}")
    if name == "{id}":
        found = asked.redis.zrevrange("rc:history", 0, 0)
        name = found[0] if found else "r1"
    return _bytes(f"{head}{name}{tail}{one.rest}")


def _credentials(asked: Face, one: Asked) -> Sequence[tuple[str, str]]:
    if one.token == "nobody":
        return ()
    if one.token == "odd":
        return (("Authorization", _ODD[one.route % len(_ODD)]),)
    return (asked.bearer(one.token),)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


API = Target("api", 13, REQUESTS, _opened)
