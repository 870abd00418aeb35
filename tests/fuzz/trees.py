"""Changes a tree of plain data at a few places: other types, other values of the same key, keys lost and added."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from fuzz.corpus import values

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**40, 10**400),
    *(0.5, -0.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *("", " ", "0", "~", "on", "017", "1e3", "null", "\x00", "\x1b[2J", "\u202e", "\ufeff", "é" * 300, "x" * 5000),
    *("\ud800", "\U0001f600", "a\nb", "a/b", "../..", "-", "{{", "{{ $labels.x }}", "${x}", "%s", "'", '"', "\\"),
    *([], {}, [[]], [None], {"": ""}, {"a": {"a": {"a": {}}}}, ["a"] * 300, [[[[[[[["deep"]]]]]]]]),
)
WORDS: tuple[str, ...] = (
    *("0s", "5m", "1h30m", "292y", "293y", "9" * 5000 + "s", "-5m", "1.5h", "1ms", "90d", "auto", "off", "100%"),
    *("0%", "101%", "50.5%", "1e9%", "10x", "0x", "act", "ask", "observe", "previous", "stable", "scale-to-zero"),
    *('alertname="A"', 'a=~"(b*)*c"', 'a=~"x{1000}"', 'a!~"["', "{}", 'a="b",c!="d"', 'é="ü"', '"a b"=c', "a=~b"),
    *(
        "{{ $labels.instance }}",
        "{{ $annotations.a }}",
        '{{ index $labels "a.b" }}',
        "{{ .Labels }}",
        "{{- $labels.a -}}",
    ),
    *(
        "2026-11-21T03:00:00Z",
        "2026-11-21T03:00:00.123456789+23:59",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ),
    *(
        "-30m",
        "+2h",
        "now",
        "+292y",
        "-291y",
        "22:00",
        "24:00",
        "25:61",
        "Europe/Berlin",
        "../../etc/passwd",
        "Europe",
    ),
    *(
        "a\x00b",
        "UTC",
        "FREQ=SECONDLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;COUNT=0",
        "mon",
        "sat-sun",
    ),
    *(
        "hosts/default/shop/web2",
        "kubernetes/eu/shop/deployment/web",
        "hosts///",
        "deployment/web",
        "web2",
        "shop",
    ),
    *(
        "sha256:" + "a" * 64,
        "linux/amd64",
        "/opt/x",
        "/",
        "http://[::1",
        "http://{address}:8080/",
        "redis://x:y/0",
    ),
    *(
        'up{job="{{ $labels.job }}"}',
        "up + ",
        "sum(rate(x[5m])) by (a)",
        "== 0",
        "> 1e999",
        "< nan",
        "*",
        "[a, b]",
    ),
)
_OPS = (
    "same-key",
    "same-key",
    "same-key",
    "odd",
    "word",
    "gone",
    "add",
    "add",
    "twice",
    "in-list",
    "in-mapping",
    "swap",
    "rename",
)


class Edit(NamedTuple):
    """One change of a tree; `where` and `what` count around what there is."""

    op: str
    where: int
    what: int


_COUNTS = st.integers(0, 9999)
EDITS = st.lists(st.builds(Edit, st.sampled_from(_OPS), _COUNTS, _COUNTS), max_size=4)


def edited(tree: Any, edits: Sequence[Edit]) -> Any:
    """Return a tree with changes; the one that is given stays as it is."""
    root = [copy.deepcopy(tree)]
    for edit in edits:
        places = list(_places(root))
        if places:
            _change(*places[edit.where % len(places)], edit)
    return root[0] if root else None


def _places(tree: Any) -> Any:
    """Name every place of a tree: what holds it, and under which key."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def _change(holder: Any, key: Any, edit: Edit) -> None:
    value = holder[key]
    instead = {
        "odd": lambda: _picked(ODD, edit.what),
        "same-key": lambda: _picked(values().get(str(key)) or ODD, edit.what),
        "word": lambda: _picked(WORDS, edit.what),
        "in-list": lambda: [value] * (1 + edit.what % 3),
        "in-mapping": lambda: {_picked(tuple(values()), edit.what): value},
    }
    if edit.op in instead:
        holder[key] = instead[edit.op]()
    elif edit.op == "gone":
        del holder[key]
    elif edit.op == "add" and isinstance(value, dict):
        added = _picked(tuple(values()), edit.what)
        value[added] = _picked(values()[added], edit.what // 7)
    else:
        _move(holder, key, edit)


def _move(holder: Any, key: Any, edit: Edit) -> None:
    """Keep the value, elsewhere or under another name."""
    if isinstance(holder, list) and edit.op == "twice":
        holder.insert(key, holder[key])
    elif isinstance(holder, dict) and edit.op == "rename":
        holder[_picked((*WORDS, "", "-", key.upper()), edit.what)] = holder.pop(key)
    elif edit.op == "swap":
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        other = keys[edit.what % len(keys)]
        holder[key], holder[other] = holder[other], holder[key]


def _picked(among: Sequence[Any], number: int) -> Any:
    return copy.deepcopy(among[number % len(among)])
