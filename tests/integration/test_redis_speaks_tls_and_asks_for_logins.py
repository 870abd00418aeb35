"""TLS and logins, of the primary and of its Sentinels, each its own; what does not fit is refused, and told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from testbed.certificates import Authority
from testbed.parts import program
from testbed.programs import free_port, started
from testbed.wait import until

from controller.ledger import LedgerUnavailable, connect
from controller.settings.numbers import Numbers
from controller.settings.redis import Redis as RedisSettings


@dataclass(frozen=True, slots=True)
class Guarded:
    """A primary and a Sentinel that speak TLS only and know one user each; files of what proves who is who."""

    primary: int
    sentinel: int
    authority: Path
    other_authority: Path
    own: Path
    theirs: Path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Start both."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority.make("ours")
    files = {"ca.pem": authority.pem, "other.pem": Authority.make("other").pem, "own": "one", "theirs": "two"}
    for name, text in files.items():
        (folder / name).write_text(text)
    authority.issue("redis", ["127.0.0.1"], folder / "cert.pem", folder / "key.pem")
    primary, sentinel = free_port(), free_port()
    speaks = (
        f"bind 127.0.0.1\nport 0\ntls-replication yes\ntls-auth-clients no\ntls-ca-cert-file {folder}/ca.pem\n"
        f"tls-cert-file {folder}/cert.pem\ntls-key-file {folder}/key.pem\ndir {folder}\n"
    )
    (folder / "redis.conf").write_text(
        f"{speaks}tls-port {primary}\n"
        "user default off\nuser ours on >one ~* +@all\nuser watch on >three ~* &* +@all\n"
    )
    (folder / "sentinel.conf").write_text(
        f"{speaks}tls-port {sentinel}\nsentinel monitor main 127.0.0.1 {primary} 1\n"
        "sentinel auth-user main watch\nsentinel auth-pass main three\n"
        "user default off\nuser asker on >two -@all +@connection +sentinel|masters\n"
    )
    found = Guarded(primary, sentinel, *(folder / name for name in files))
    with (
        started("redis", [program("redis-server"), f"{folder}/redis.conf"], folder),
        started("sentinel", [program("redis-sentinel"), f"{folder}/sentinel.conf"], folder),
    ):
        until(lambda: _heard(_settings(found)), within_s=20, what="the ledger is reached")
        yield found


def _settings(found: Guarded, **over: object) -> RedisSettings:
    said = {
        "url": f"rediss:///1?ssl_ca_certs={found.authority}",
        "username": "ours",
        "password_file": found.own,
        "sentinels": (f"127.0.0.1:{found.sentinel}",),
        "master": "main",
        "sentinel_username": "asker",
        "sentinel_password_file": found.theirs,
    }
    return RedisSettings.model_validate({**said, **over})


def _heard(settings: RedisSettings) -> bool:
    ledger = connect(settings, Numbers(), "web")
    try:
        ledger.health.worker_heard("here")
        return ledger.health.silence() == ()
    except LedgerUnavailable:
        return False
    finally:
        ledger.close()


def test_the_primary_is_reached_through_its_sentinels(guarded: Guarded) -> None:
    """In the database that the URL names, and by its own user."""
    assert _heard(_settings(guarded))
    asking = redis.Redis(
        port=guarded.primary, username="ours", password="one", ssl=True, ssl_ca_certs=str(guarded.authority)
    )
    assert set(asking.info("keyspace")) == {"db1"}
    asking.close()


def test_the_primary_is_reached_by_its_address(guarded: Guarded) -> None:
    """The same, without Sentinels."""
    url = f"rediss://127.0.0.1:{guarded.primary}/1?ssl_ca_certs={guarded.authority}"
    assert _heard(RedisSettings(url=url, username="ours", password_file=guarded.own))


WRONG = {
    "signed-by-somebody-else": {"url": "rediss:///1?ssl_ca_certs={other}"},
    "not-tls": {"url": "redis:///1"},
    "the-primary's-password": {"password_file": "{theirs}"},
    "the-sentinels'-password": {"sentinel_password_file": "{own}"},
    "no-login-for-sentinels": {"sentinel_username": None, "sentinel_password_file": None},
    "another-name": {"master": "other"},
}


@pytest.mark.parametrize("over", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(guarded: Guarded, over: dict[str, str | None]) -> None:
    """As a ledger that cannot be reached; the sentence holds no password."""
    paths = {"other": guarded.other_authority, "own": guarded.own, "theirs": guarded.theirs}
    filled = {key: text.format(**paths) if text else None for key, text in over.items()}
    ledger = connect(_settings(guarded, **filled), Numbers(), "web")
    with pytest.raises(LedgerUnavailable) as caught:
        ledger.health.ping()
    ledger.close()
    assert "Check" in str(caught.value)
