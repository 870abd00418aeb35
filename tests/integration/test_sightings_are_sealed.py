"""Digests that were seen are written into pod templates: with a key, only what a worker has sealed is.

And no record leads to a namespace that the settings leave out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from testbed.redis import Redis

from controller.ledger import Ledger, connect
from controller.settings.clusters import ClusterSettings
from controller.settings.numbers import Numbers
from controller.settings.sealing import Audit
from controller.settings.settings import Redis as RedisSettings
from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadInstance, WorkloadKind
from rules.seals import Key
from workers.clusters import Clusters
from workers.observer import Observer
from workers.terms import Terms

WEB, OTHER = "kubernetes/eu/shop/deployment/web", "kubernetes/eu/shop/deployment/other"
GOOD, EVIL = "sha256:" + "a" * 64, "sha256:" + "e" * 64
OLD, NEW = Key.of(b"o" * 32), Key.of(b"n" * 32)
NOTED = f"rc:sightings:{WEB}"


def _digest(client: redis.Redis) -> None:
    client.hset(NOTED, "uid/6c5", client.hget(NOTED, "uid/6c5").replace(GOOD, EVIL))


def _made_up(client: redis.Redis) -> None:
    client.hset(NOTED, "uid/6c5", '1 {"digests":{"app":"EVIL"},"version":"v1"}'.replace("EVIL", EVIL))


def _other_revision(client: redis.Redis) -> None:
    client.hset(NOTED, "uid/6c5", client.hget(NOTED, "uid/bad"))


def _other_instance(client: redis.Redis) -> None:
    client.hset(NOTED, "uid/6c5", client.hget(f"rc:sightings:{OTHER}", "uid/6c5"))


def note(ledger: Ledger, key: Key | None) -> None:
    """Note a good revision, a bad one, and one of the same hash elsewhere."""
    ledger.sightings.note(WEB, "uid", "6c5", {"app": GOOD}, "v1", sealed_by=key)
    ledger.sightings.note(WEB, "uid", "bad", {"app": EVIL}, "v2", sealed_by=key)
    ledger.sightings.note(OTHER, "uid", "6c5", {"app": EVIL}, "v1", sealed_by=key)


@pytest.mark.parametrize("tamper", [_digest, _made_up, _other_revision, _other_instance])
def test_what_somebody_wrote_is_not_believed(
    ledger: Ledger, redis_server: Redis, tamper: Callable[[redis.Redis], None]
) -> None:
    """A digest of theirs, a sighting without a seal, or one that was made of something else."""
    note(ledger, OLD)
    assert ledger.sightings.digests(WEB, [OLD])["uid"]["6c5"] == {"app": GOOD}
    with redis_server.client() as client:
        tamper(client)
    assert ledger.sightings.digests(WEB, [OLD])["uid"].keys() == {"bad"}
    assert ledger.sightings.digests(WEB)["uid"]["6c5"] == {"app": EVIL}, "without a key it is"


def test_an_older_key_still_counts_and_a_strangers_does_not(ledger: Ledger) -> None:
    """As with plans."""
    note(ledger, OLD)
    assert ledger.sightings.digests(WEB, [OLD, NEW])["uid"].keys() == {"6c5", "bad"}
    assert ledger.sightings.digests(WEB, [NEW]) == {}


def test_a_worker_goes_by_its_keys(ledger: Ledger, redis_server: Redis, tmp_path: Path) -> None:
    """The way to a cluster hands them on; where the file cannot be used, nothing that was noted counts."""
    note(ledger, None)
    file = tmp_path / "audit.key"
    ours = connect(RedisSettings(url=redis_server.url), Numbers(), "worker")
    clusters = Clusters({"eu": ClusterSettings(kubeconfig=tmp_path)}, Numbers(), ours, Audit(key_file=file).keys)
    assert clusters.recorded(WEB) == {}
    file.write_text(OLD.secret.decode())
    file.chmod(0o600)
    assert clusters.recorded(WEB) == {}
    note(ledger, OLD)
    assert clusters.recorded(WEB)["uid"]["6c5"] == {"app": GOOD}
    assert Clusters({}, Numbers(), ours).recorded(WEB)["uid"]["6c5"] == {"app": GOOD}
    ours.close()


def test_no_record_leads_where_the_settings_do_not(ledger: Ledger, tmp_path: Path) -> None:
    """The server refuses a person who names another namespace; whoever writes Redis is refused by the worker."""
    settings = {"eu": ClusterSettings(kubeconfig=tmp_path, namespaces=("shop",))}
    clusters = Clusters(settings, Numbers(), ledger)
    away = WorkloadInstance("eu", "kube-system", WorkloadKind.DAEMONSET, "proxy")
    with pytest.raises(Permanent) as refusal:
        clusters.reach(away, "r1", Terms(), lambda: 0.0)
    assert refusal.value.reason is Reason.WORKLOAD_UNKNOWN
    assert "kube-system" in str(refusal.value)
    clusters.reach(WorkloadInstance("eu", "shop", WorkloadKind.DAEMONSET, "proxy"), "r1", Terms(), lambda: 0.0)


def test_the_observer_notes_nothing_that_it_cannot_seal(ledger: Ledger, tmp_path: Path) -> None:
    """It says so of the cluster, and goes on looking when the key is there."""

    class Nowhere:
        name, namespaces = "eu", ()

        def close(self) -> None:
            """Nothing is open."""

    observer = Observer(ledger, {"eu": Nowhere}, Numbers(), keys=Audit(key_file=tmp_path / "none").keys)  # type: ignore[dict-item]
    observer.look()
    (swept,) = ledger.sightings.sweeps()
    assert "cannot be sealed" in swept.trouble
