"""Any case that guards may be asked of, as strategies: most are odd, the quiet ones have little against them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from rules.catalogue import Catalogue, Manifest
from rules.decisions import Outcome
from rules.facts import (
    Arrival,
    Book,
    Campaign,
    CampaignStart,
    Case,
    Demotion,
    Hand,
    InstanceFacts,
    LastChange,
    Lock,
    Member,
    MemberState,
    OtherAlert,
    Pause,
    Peer,
    Sample,
    ServiceFacts,
)
from rules.guards.calendar import window
from rules.limits import (
    Affected,
    CausedByRelease,
    Compare,
    Condition,
    Limits,
    Policy,
    Requirement,
    StormBrake,
)
from rules.marks import Mark, Marked
from rules.matchers import parse_matchers
from rules.observations import Observation, ReleaseSeen
from rules.rule import Mode, Signal
from rules.to import LastKnownGood, Previous, Stable, Version
from testbed.judged import DAY, HOUR, MINUTE, NOW, RULE, alert, alert_facts, fact, guarded

NAMES = ("v1", "v2", "v3", "v4", "v5")
IDS = ("web1", "web2", "web3", "web4")
ACTS = (Outcome.ROLL_BACK, Outcome.ASK, Outcome.OBSERVE)
ALWAYS = window("always", timezone="UTC", from_="00:00", to="24:00")
QUERY = "errors"

name = st.sampled_from(NAMES)
time = st.integers(NOW - DAY, NOW + HOUR)
words = st.lists(name, max_size=2, unique=True).map(tuple)
share = st.floats(0.01, 1.0)


def maybe(some: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | some


manifest = st.builds(
    Manifest,
    service=st.just("shop"),
    version=name,
    passed_smoke_test=st.sampled_from([None, True, False]),
    irreversible=st.booleans(),
    built_at_ms=maybe(time),
)
catalogue = st.builds(
    Catalogue,
    manifests=st.lists(manifest, max_size=3, unique_by=lambda one: one.version).map(tuple),
    marks=st.dictionaries(name, st.builds(Marked, st.sampled_from(Mark), st.sampled_from(["kim", "rollback r0"]))),
    stable=maybe(name),
)
arrival = st.builds(
    lambda by, before, hand: Arrival(by, None if before is None else by - before, hand),
    time,
    maybe(st.integers(0, 2 * HOUR)),
    st.sampled_from([Hand.DEPLOY] * 4 + [Hand.PERSON, Hand.ROLLBACK, Hand.GUARD]),
)


@st.composite
def instances(draw: st.DrawFn) -> InstanceFacts:
    running = draw(name)
    releases = tuple(
        ReleaseSeen(one, (NAMES.index(one),)) for one in NAMES if one == running or draw(st.booleans())
    )
    known = draw(st.integers(0, 9)) > 0
    return InstanceFacts(
        draw(st.sampled_from(IDS)),
        "shop",
        running=fact((running,)) if known else None,
        arrival=draw(maybe(arrival.map(fact))),  # type: ignore[arg-type]
        labels=draw(st.dictionaries(st.just("rollback"), st.sampled_from(["yes", "no"]))),
        scraped=draw(maybe(st.booleans().map(fact))),  # type: ignore[arg-type]
        last_change=draw(maybe(st.builds(LastChange, time, st.just("r"), st.just("")).map(fact))),  # type: ignore[arg-type]
        made_by=draw(st.sampled_from([None, None, None, "r1"])),
        left=draw(st.frozensets(name, max_size=2)),
        observation=Observation(running, "a", 0, releases) if known else None,
    )


peer = st.builds(Peer, st.sampled_from(IDS), maybe(words), maybe(st.booleans()))
others = st.builds(
    OtherAlert,
    st.builds(
        lambda kind, version, at: alert(f"o{at}", at, alertname=kind, **({"version": version} if version else {})),
        st.sampled_from(["HighErrorRate", "DatabaseDown", "ProbeFailing"]),
        maybe(name),
        time,
    ),
    maybe(st.lists(st.sampled_from(IDS), max_size=2).map(tuple)),
)
start = st.builds(
    CampaignStart, st.sampled_from("abcdefgh"), st.sampled_from(["canary", "other"]), st.just("shop"), time
)
rules = st.builds(
    lambda mode, to, unless, also, for_s, within, compare, limits, require: replace(
        guarded(
            caused_by_release=CausedByRelease(3600, 60, Compare("version", QUERY) if compare else None)
            if within
            else None,
            limits=limits,
            affected=Affected(3, 0.5, 0.25),
        ),
        mode=mode,
        to=to,
        when=replace(
            RULE.when,
            unless=Signal(parse_matchers('alertname="DatabaseDown"')) if unless else None,
            also=Signal(parse_matchers('alertname="ProbeFailing"'), within_s=600) if also else None,
            for_s=for_s,
        ),
        require=(Requirement("errors", QUERY, Condition("<", 5)),) if require else (),
    ),
    st.sampled_from(Mode),
    st.lists(
        st.just(LastKnownGood()) | st.just(Previous()) | st.just(Stable()) | name.map(Version),
        min_size=1,
        max_size=3,
    ).map(tuple),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 600.0]),
    st.booleans(),
    st.booleans(),
    st.builds(Limits, st.integers(1, 3), st.integers(3, 6)),
    st.booleans(),
)
books = st.builds(
    Book,
    starts=st.lists(start, max_size=5).map(tuple),
    pauses=st.lists(
        st.builds(
            Pause, st.sampled_from(["", "service shop", "rule other"]), st.just("kim"), until_ms=maybe(time)
        ),
        max_size=1,
    ).map(tuple),
    demoted=st.dictionaries(st.just("canary"), st.builds(Demotion, st.just("why"), time), max_size=1),
    storm=st.dictionaries(st.sampled_from("abcd"), time),
)
campaigns = st.lists(st.builds(Member, st.sampled_from(IDS), st.sampled_from(MemberState)), max_size=4).map(
    lambda members: Campaign("c", tuple(members))
)
alerts = st.builds(
    lambda at, onset, beside, complete, version: replace(
        alert_facts(alert("f", at, **({"version": version} if version else {})), *beside, onset_ms=min(at, onset)),
        complete=complete,
    ),
    time,
    time,
    st.lists(others, max_size=3),
    st.booleans(),
    maybe(name),
)
samples = st.lists(
    st.builds(
        Sample,
        st.sampled_from([0.0, 1.0, 9.0, float("nan"), float("inf")]),
        name.map(lambda one: {"version": one}),
    )
)
cases = st.builds(
    Case,
    rule=rules,
    now_ms=st.just(NOW),
    instance=instances(),
    service=st.builds(
        ServiceFacts,
        st.just("shop"),
        peers=maybe(st.lists(peer, max_size=4, unique_by=lambda one: one.id).map(lambda some: fact(tuple(some)))),
        catalogue=catalogue,
        lock=maybe(st.builds(Lock, st.just("ci"), until_ms=maybe(time)).map(fact)),
    ),
    alert=alerts,
    book=books,
    campaign=campaigns,
    policy=st.builds(
        Policy,
        ceiling=st.sampled_from(["observe", "ask", "act", "act"]),
        windows=st.just({"always": ALWAYS}),
        freeze=st.sampled_from([(), (), ("always",)]),
        limits=maybe(st.builds(Limits, st.integers(1, 3), st.integers(3, 6))),
        storm=st.builds(StormBrake, st.integers(1, 4)),
        opt_in=st.sampled_from([{}, {"rollback": ("yes",)}]),
    ),
    answers=st.dictionaries(st.just(QUERY), maybe(samples.map(lambda some: fact(tuple(some))))),
)


@st.composite
def quiet(draw: st.DrawFn) -> Case:
    """Draw a case in which most guards have no objection, so that what is chosen is tried as well."""
    one = draw(cases)
    running = one.instance.running.value if one.instance.running else ("v3",)
    return replace(
        one,
        rule=replace(guarded(affected=Affected(9, 1.0, 0.0)), mode=one.rule.mode, to=one.rule.to),
        instance=replace(
            one.instance,
            running=fact(running),
            arrival=fact(Arrival(NOW - 20 * MINUTE)),
            scraped=None,
            made_by=None,
            last_change=None,
        ),
        service=replace(one.service, lock=None),
        alert=alert_facts(),
        book=Book(demoted=one.book.demoted),
        campaign=Campaign(),
        policy=Policy(),
    )


some_case = cases | quiet()
