"""What people are told reads well on a phone: what, why, what stays, how to answer; no stranger steers it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.telling import About, Kind, Member, Message, texts
from rules.telling.cleaning import clean

NOW = 1_764_000_000_000  # 2025-11-24 16:00 UTC
HOUR = 3_600_000
ABOUT = About(
    service="shop",
    rule="canary-errors",
    environment="prod",
    instances=("shop on web2",),
    from_release="v1.3.0",
    to_release="v1.2.2",
    rollback="r00001abcd",
    campaign="c1",
    alert="HighErrorRate",
    summary="5 % of answers are errors",
    judgement={
        "guards": [
            {
                "guard": "caused-by-release",
                "verdict": "allow",
                "facts": [
                    {"name": "arrival", "value": "v1.3.0, 15:40 UTC", "source": "host", "age_s": 1200.0},
                    {"name": "errors", "value": "v1.3.0 0.05, v1.2.2 0.001", "source": "Prometheus", "age_s": 2.0},
                ],
            },
            {"guard": "cooldown", "verdict": "allow", "facts": [{"name": "arrival", "value": "x", "source": ""}]},
        ]
    },
    untouched=("shop on web1 keeps v1.2.2",),
    channels=("oncall",),
)

ASKED = """\
Instance: shop on web2
Alert: HighErrorRate - 5 % of answers are errors
Rule: canary-errors
Why a person is asked: the rule's mode is ask

Known:
- arrival: v1.3.0, 15:40 UTC (host, 20 min ago)
- errors: v1.3.0 0.05, v1.2.2 0.001 (Prometheus, 2 s ago)
- arrival: x
Stays as it is: shop on web1 keeps v1.2.2

Yes: rollbackctl approve r00001abcd --to v1.2.2
No: rollbackctl deny r00001abcd --reason WHY
It waits for an answer, until 17:00 UTC (in 60 min). Without one nothing is changed.
To take it back afterwards: rollbackctl undo r00001abcd"""


def test_a_plan_asks_with_all_that_an_answer_needs() -> None:
    """What, from what to what, why it is sure, old against new, what stays, how to answer and until when."""
    message = texts.asked(ABOUT, detail="the rule's mode is ask", now_ms=NOW, until_ms=NOW + HOUR)
    assert message.title == "Approve? shop (prod): v1.3.0 → v1.2.2"
    assert message.body == ASKED
    assert (message.kind, message.channels, message.rollback) == (Kind.ASKED, ("oncall",), "r00001abcd")
    assert (message.campaign, message.service) == ("c1", "shop")


@pytest.mark.parametrize(
    ("reason", "until_ms", "words"),
    [
        ("frozen", NOW + 50 * HOUR, "when the freeze window ends, until 2025-11-26 18:00 UTC (in 2 d)."),
        ("paused-by-person", None, "when somebody says `rollbackctl resume`, or when the pause ends."),
        ("campaign-stopped", None, "It does not go on by itself"),
        ("monitoring-blind", None, "judged anew every minute, and you are asked if that lasts longer than 30"),
    ],
)
def test_a_hold_says_what_ends_it(reason: str, until_ms: int | None, words: str) -> None:
    """And where all of it can be read."""
    message = texts.held(ABOUT, reason=reason, detail="why it waits", now_ms=NOW, until_ms=until_ms)
    assert words in message.body
    assert "It waits: why it waits" in message.body
    assert message.body.endswith("rollbackctl why r00001abcd")
    assert message.kind is Kind.HELD


def test_a_campaign_is_summed_up_once() -> None:
    """Counts by outcome; of those that did not recover, each with why."""
    good = texts.ended(ABOUT, [Member("shop on web2", "recovered"), Member("shop on web3", "recovered")])
    assert good.title == "Recovered: shop (prod): v1.3.0 → v1.2.2"
    assert "Outcome: 2 recovered" in good.body
    assert "Nothing to do." in good.body
    many = [Member(f"shop on web{n}", "ineffective", "still firing") for n in range(12)]
    bad = texts.ended(ABOUT, [Member("shop on web99", "recovered"), *many])
    assert bad.title.startswith("NOT recovered: shop")
    assert "Outcome: 12 ineffective, 1 recovered" in bad.body
    assert "- shop on web0: ineffective. still firing" in bad.body
    assert "and 2 more" in bad.body
    assert "Somebody should look" in bad.body


def test_the_other_kinds_say_what_to_do() -> None:
    """One message each, with the command that helps."""
    storm = texts.storm([f"s{n}" for n in range(12)], detail="more than 10 services")
    assert storm.title == "Storm: 12 services alert at once"
    assert "and 2 more" in storm.body
    assert "rollbackctl promote canary" in texts.demoted("canary", why="it did not help", rollback="r1").body
    assert "rollbackctl history" in texts.lost("oncall", 7).body
    assert texts.lost("oncall", 7).channels == ("oncall",)
    assert "rollbackctl status" in texts.undelivered("oncall", "t", "answered 401", ("chat",)).body
    assert "rollbackctl undo r00001abcd" in texts.started(ABOUT).body


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain", "plain"),
        ("two\nlines\r\x00\x1b[31m", "two lines [31m"),
        ("<!channel> @here", "‹!channel› ＠here"),  # noqa: RUF001
        ("[click](http://evil.example)", "[click] (http: //evil.example)"),
        ("`code`", "'code'"),
        ("a\u202egnp.exe", "a gnp.exe"),
        ("registry/shop@sha256:ab", "registry/shop@sha256:ab"),
        ("x" * 200, "x" * 119 + "…"),
        ("", ""),
    ],
)
def test_what_strangers_wrote_is_made_harmless(text: str, said: str) -> None:
    """No mention, no link, no control character, not long; a digest stays readable."""
    assert clean(text) == said


def every(about: About) -> list[Message]:
    """Return each text about something."""
    return [
        texts.asked(about, detail=about.summary, now_ms=NOW, until_ms=None),
        texts.held(about, reason="frozen", detail=about.summary, now_ms=NOW),
        texts.started(about),
        texts.ended(about, [Member(about.alert, about.summary, about.alert)]),
        texts.storm([about.service, about.alert], detail=about.summary),
        texts.demoted(about.rule, why=about.summary, rollback="r1"),
        texts.undelivered(about.service, about.alert, about.summary, ()),
    ]


@given(st.text(max_size=400), st.lists(st.text(max_size=60), max_size=40))
def test_whatever_strangers_wrote_a_message_stays_a_message(text: str, names: list[str]) -> None:
    """Printable lines, bounded, with the way to answer at its end."""
    facts = [{"name": name, "value": text, "source": text, "age_s": 1.0} for name in names]
    about = About(
        service=text,
        rule=text,
        environment=text,
        instances=tuple(names),
        from_release=text,
        to_release=text,
        rollback="r1",
        alert=text,
        summary=text,
        judgement={"guards": [{"facts": facts}]},
        untouched=tuple(names),
    )
    for message in every(about):
        assert len(message.body) < 4_000
        assert all(c.isprintable() or c == "\n" for c in message.title + message.body)
        assert "\n" not in message.title
        assert not any(mark in message.title + message.body for mark in ("<", ">", "](", "://"))
    assert every(about)[0].body.endswith("rollbackctl undo r1")
