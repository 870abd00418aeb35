"""What the small languages are spelt with: right words, nearly right ones, and one of them nine thousand times."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from fuzz import words
from fuzz.alerts import LABELS
from fuzz.target import pure
from fuzz.trees import WORDS

_ANY = st.text(max_size=12)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _of(*pieces: str, most: int = 12) -> st.SearchStrategy[str]:
    """Draw texts of these pieces: a few of them, some with anything in between, or one of them very often."""
    some = st.sampled_from(pieces)
    return (
        st.lists(some, min_size=1, max_size=4).map("".join)
        | st.lists(some | some | some | _ANY, max_size=most).map("".join)
        | st.sampled_from(WORDS)
        | st.builds(lambda a, b, c, n: a + b * n + c, some, some, some, st.sampled_from([2, 40, 600, 9000]))
    )


_TEMPLATE = (
    "{{",
    "}}",
    " ",
    "$labels.",
    "$annotations.",
    "a",
    "job",
    'index $labels "a.b"',
    "`",
    "-",
    "\n",
    "|",
    ".",
)
_PROMQL = (
    *("[1h:1m]", " offset 5m", " @ 0", " and on(a) ", " by (a) ", "{{ $labels.job }}", "\n"),
    *_words('up { } ( ) [5m] + - ^ sum rate( le ="a" =~".*" !~ , 1 0x1f NaN +x -( sum(x # \' " `'),
)
_UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(WORDS)


def _seq(*parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(piece for part in parts for piece in part)


WORD_TARGETS = (
    pure(
        "matchers",
        7,
        st.tuples(
            _of(
                *_seq(
                    "{}=~!,\"'\\ \n", ("a", "a=b", 'é!~"b"', "a.b", "=~", "!=", '"b"', '\\"', "\\x41", "(", ".*")
                )
            ),
            LABELS,
        ),
        words.matchers,
    ),
    pure(
        "regexes",
        5,
        st.tuples(
            _of(
                *_seq(
                    "()[]{}|*+?.^$\\-ab,",
                    ("\\pL", "\\p{Greek}", "\\P{^LC}", "(?i)", "(?P<n>", "{1000}", "{2,}", "\\Q"),
                ),
                most=9,
            ),
            _ANY,
        ),
        words.regexes,
    ),
    pure(
        "durations", 3, _of(*"0123456789.-+ ", "y", "w", "d", "h", "m", "s", "ms", "minutes", "٣"), words.durations
    ),
    pure(
        "timestamps",
        3,
        _of(
            *_words("2026-11-21T03:00:00Z 2026-11-21T03:00:00.5+01:00 2026-11-21T03:00:00 -11- T : 60 Z .5 +"),
            *(" ", "23:59", "24:00", "0001", "9999", "٣"),
        ),
        words.timestamps,
    ),
    pure(
        "instances",
        2,
        _of(
            *_words("hosts/ hosts/a/b/c kubernetes/ kubernetes/eu/shop/deployment/web / a daemonset"),
            "\n",
            most=4,
        ),
        words.instances,
    ),
    pure("templates", 4, st.tuples(_of(*_TEMPLATE), LABELS), words.templates),
    pure("promql", 5, st.tuples(_of(*_PROMQL), _UNICODE), words.promql),
    pure("expressions", 4, _of(*_PROMQL, most=20), words.expressions),
)
