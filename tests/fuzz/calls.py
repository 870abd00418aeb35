"""Requests to the API: mostly ones that fit their route, each changed somewhere."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

from fuzz import pieces
from fuzz.bodies import HEADERS, REAL
from fuzz.trees import EDITS, WORDS, Edit, edited

_METHODS = (*[""] * 30, "GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "X\xff")
"""Mostly the one that the route is there for."""
_TOKENS = (*["operator"] * 6, *["approver"] * 2, *["reader"] * 3, "alertmanager", "basic", "nobody", "odd")
_ANY: tuple[Any, ...] = ({}, [], {"all": True}, {"reason": "yes"}, {"token": "t0k3n", "ttl": "10s"})
FITTING: dict[str, tuple[Any, ...]] = {
    "POST /api/v1/rollbacks": (
        {"service": "shop", "instances": ["web2"], "to": ["previous"], "reason": "it fails", "dry_run": False},
        {"service": "shop", "all": True, "override": ["cooldown", "known-bad"], "to": [{"version": "v1.2.0"}]},
        {
            "service": "shop",
            "only": {"track": ["canary"]},
            "to": [{"same-as": {"track": "stable"}}],
        },
        {
            "service": "web",
            "instances": ["deployment/web"],
            "cluster": "eu",
            "namespace": "shop",
            "gitops": "force",
        },
    ),
    "POST /api/v1/plans": ({"instances": ["hosts/default/shop/web2"], "to": ["last-known-good"]},),
    "POST /api/v1/explain": (REAL[1], REAL[2]),
    "POST /api/v1/pauses": (
        {"scope": "service shop", "for": "4h", "reason": "sale"},
        {"scope": "", "reason": "all of it"},
    ),
    "DELETE /api/v1/pauses": ({"scope": "", "reason": "over"}, {"all": True}, {"scope": "service shop"}),
    "DELETE /api/v1/suspensions": ({"owner": "eu/Application/argocd/shop", "reason": "go on"},),
    "POST /api/v1/locks/<service>": ({"reason": "deploy", "ttl": "60s"}, {}),
    "PUT /api/v1/locks/<service>": ({"token": "t0k3n", "ttl": "10s"},),
    "DELETE /api/v1/locks/<service>": ({"force": True, "reason": "gone"}, {"token": "t0k3n"}),
    "POST /api/v1/rollbacks/<ident>/approve": ({"reason": "yes", "to": "v1.2.0"}, {}),
    "POST /api/v1/rollbacks/<ident>/deny": ({"reason": "no"},),
    "POST /api/v1/rollbacks/<ident>/undo": ({"reason": "no", "false_alarm": True, "override": []}, {}),
    "POST /api/v1/releases/<service>/marks": (
        {"release": "v1.2.0", "mark": "good", "why": "ran for a week", "environment": "production"},
        {"release": "v1.2.0", "mark": "bad"},
    ),
    "PUT /api/v1/releases/<service>/stable": ({"release": "v1.2.0", "environment": ""}, {"release": None}),
    "POST /api/v1/releases/<service>": (
        {"version": "v1.3.0", "commit": "4f1c9e2", "built_at": "2026-11-21T03:00:00Z"},
        [{"version": "v1.3.0", "cannot_go_back_past": "v1.2.0"}, {"version": "v1.4.0", "irreversible": True}],
    ),
}


class Asked(NamedTuple):
    """One request. `route` counts around the routes there are; `name` is for what is variable."""

    route: int
    name: str
    method: str
    query: tuple[tuple[str, str], ...]
    base: int
    edits: tuple[Edit, ...]
    changes: tuple[pieces.Change, ...]
    token: str
    headers: tuple[tuple[str, str], ...]
    rest: str

    def body(self, route: str) -> bytes:
        """Return what is sent to a route: changed from what fits there."""
        there = FITTING.get(route, ()) * 3 + _ANY
        tree = edited(there[self.base % len(there)], self.edits)
        return pieces.changed(json.dumps(tree).encode(), self.changes, pieces.JSON)


_NAMES = ("shop", "canary-errors", "{id}", "r1", "1", "v1.2.0")
_QUERIES = ("limit", "state", "service", "fingerprint", "ids", "release", "environment", "verbose", "x", "")
_VALUES = st.sampled_from([*_NAMES, "500", "٣"]) | st.sampled_from(WORDS)
_NONE: st.SearchStrategy[Any] = st.just(())

_RIGHT = st.builds(
    lambda route, base, token: Asked(route, "", "", (), base, (), (), token, (), ""),
    st.integers(0, 9999),
    st.integers(0, 2),
    st.sampled_from(_TOKENS),
)
_CHANGED = st.builds(
    Asked,
    st.integers(0, 9999),
    st.sampled_from(["", "", "", *_NAMES]) | st.sampled_from(WORDS) | st.text(max_size=6),
    st.sampled_from(_METHODS),
    _NONE | st.lists(st.tuples(st.sampled_from(_QUERIES), _VALUES), max_size=2).map(tuple),
    st.integers(0, 99),
    _NONE | EDITS.map(tuple),
    _NONE | _NONE | pieces.CHANGES.map(tuple),
    st.sampled_from(_TOKENS),
    _NONE | _NONE | HEADERS,
    st.sampled_from([*[""] * 30, "/", "//", "/x", "/../status", "\x00", "\xff", "%2f"]),
)
REQUESTS = st.lists(_RIGHT | _CHANGED, min_size=1, max_size=5)
"""Some that are right as they are: what comes after one meets what it made."""
