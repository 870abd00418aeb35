"""What healthy workloads were seen to run is remembered: bounded, the newest sighting of a revision first."""

from __future__ import annotations

import pytest
from testbed.redis import Redis

from controller.ledger import Ledger, LedgerUnavailable, Sweep, connect
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings

WEB = "kubernetes/eu/shop/deployment/web"
UID = "0b5c1f52-6f0e-4d0a-9c39-3b7f0d1f7a11"
ONE, TWO = {"app": f"sha256:{'1' * 64}"}, {"app": f"sha256:{'2' * 64}"}


def test_each_revision_keeps_its_digests(ledger: Ledger) -> None:
    """By its hash; another instance knows nothing of them."""
    ledger.sightings.note(WEB, UID, "aaa", ONE, "v1")
    ledger.sightings.note(WEB, UID, "bbb", TWO, "v2")
    assert ledger.sightings.digests(WEB) == {UID: {"aaa": ONE, "bbb": TWO}}
    assert {sighting.version for sighting in ledger.sightings.seen(WEB)} == {"v1", "v2"}
    assert ledger.sightings.digests("kubernetes/us/shop/deployment/web") == {}


def test_the_newest_healthy_sighting_of_a_revision_counts(ledger: Ledger) -> None:
    """And noting the same again is no other sighting."""
    for digests in (ONE, TWO, TWO):
        ledger.sightings.note(WEB, UID, "aaa", digests, "v1")
    assert ledger.sightings.digests(WEB) == {UID: {"aaa": TWO}}


def test_a_workload_that_was_made_anew_is_another(ledger: Ledger) -> None:
    """The same template has the same hash in each of its lives, and may have run other bits."""
    ledger.sightings.note(WEB, "first-life", "aaa", ONE, "v1")
    ledger.sightings.note(WEB, "second-life", "aaa", TWO, "v1")
    assert ledger.sightings.digests(WEB) == {"first-life": {"aaa": ONE}, "second-life": {"aaa": TWO}}
    assert {(seen.uid, seen.hash) for seen in ledger.sightings.seen(WEB)} == {
        ("first-life", "aaa"),
        ("second-life", "aaa"),
    }


def test_an_instance_keeps_fifty_revisions(ledger: Ledger, redis_server: Redis) -> None:
    """The one that was seen longest ago goes first, and all of it after more than a year."""
    with redis_server.client() as client:
        client.hset(f"rc:sightings:{WEB}", f"{UID}/first", '1 {"digests":{},"version":""}')
        for n in range(50):
            ledger.sightings.note(WEB, UID, f"h{n}", ONE, "v1")
        left_s = client.ttl(f"rc:sightings:{WEB}")
    kept = ledger.sightings.digests(WEB)[UID]
    assert len(kept) == 50
    assert "first" not in kept
    assert 399 * 86_400 < left_s <= 400 * 86_400


def test_one_machine_sweeps_a_cluster_per_interval(ledger: Ledger, redis_server: Redis) -> None:
    """The other machines find it claimed; another cluster is free."""
    assert ledger.sightings.claim("eu", 30)
    assert not ledger.sightings.claim("eu", 30)
    assert ledger.sightings.claim("us", 30)
    with redis_server.client() as client:
        assert 0 < client.pttl("rc:sweeping:eu") <= 30_000


def test_what_a_sweep_says_of_tags_replaces_what_the_last_one_said(ledger: Ledger) -> None:
    """Marks of what was looked at stay until they change or their workload is gone."""
    moving = {WEB: ("nginx:latest",)}
    ledger.sightings.swept("eu", Sweep(2, {"a": "1", "b": "1"}, moving=moving, moving_in_all=7))
    (swept,) = ledger.sightings.sweeps()
    assert (swept.cluster, swept.workloads, swept.moving, swept.moving_in_all) == ("eu", 2, moving, 7)
    assert swept.age_s is not None
    assert swept.age_s < 60
    ledger.sightings.swept("eu", Sweep(1, {"b": "2"}, gone=("a",)))
    assert ledger.sightings.looked_at("eu") == {"b": "2"}
    assert ledger.sightings.sweeps()[0].moving == {}


def test_a_cluster_that_cannot_be_swept_says_why_until_it_can(ledger: Ledger) -> None:
    """What the last whole sweep found stays known."""
    ledger.sightings.troubled("eu", "eu does not answer")
    assert [(s.age_s, s.trouble) for s in ledger.sightings.sweeps()] == [(None, "eu does not answer")]
    ledger.sightings.swept("eu", Sweep(3))
    assert [(s.workloads, s.trouble) for s in ledger.sightings.sweeps()] == [(3, "")]
    ledger.sightings.troubled("eu", "forbidden")
    assert [(s.workloads, s.trouble) for s in ledger.sightings.sweeps()] == [(3, "forbidden")]


def test_a_cluster_that_nobody_sweeps_any_more_is_forgotten(ledger: Ledger, redis_server: Redis) -> None:
    """After a day: it was taken out of the settings."""
    ledger.sightings.swept("eu", Sweep(3))
    with redis_server.client() as client:
        seconds = int(client.time()[0])
        client.hset(
            "rc:sweeps", "eu", f'{(seconds - 86_401) * 1000} {{"workloads":3,"moving":{{}},"moving_in_all":0}}'
        )
    assert ledger.sightings.sweeps() == ()


def test_redis_away_is_said_in_our_words() -> None:
    """As everywhere in the ledger."""
    away = connect(RedisSettings(url="redis://127.0.0.1:1/0"), Numbers(), "web")
    for call in (
        lambda: away.sightings.claim("eu", 1),
        lambda: away.sightings.note(WEB, UID, "aaa", ONE, "v1"),
        lambda: away.sightings.digests(WEB),
        lambda: away.sightings.looked_at("eu"),
        lambda: away.sightings.swept("eu", Sweep(0)),
        lambda: away.sightings.troubled("eu", "x"),
        away.sightings.sweeps,
    ):
        with pytest.raises(LedgerUnavailable):
            call()
