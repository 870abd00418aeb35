"""Redis is named by its address or by its Sentinels; settings that say both, or half of it, are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.sentinel import SentinelConnectionPool

from controller.ledger.clients import client
from controller.settings import SettingsError, load_settings
from controller.settings.redis import Redis, address

ADDRESSES = [
    ("sentinel-0.redis.svc:26379", ("sentinel-0.redis.svc", 26379)),
    ("10.0.0.7:5000", ("10.0.0.7", 5000)),
    ("[fd00::7]:26380", ("fd00::7", 26380)),
    ("[fd00::7]", ("fd00::7", 26379)),
    ("rfs-redis", ("rfs-redis", 26379)),
    ("fd00::7:26379", None),
    ("redis://sentinel:26379", None),
    ("anna@sentinel:26379", None),
    ("sentinel:0", None),
    ("sentinel:66000", None),
    ("sentinel a:26379", None),
    ("", None),
]

CONTRADICTIONS = [
    ("{sentinels: ['a:1']}", "set it to the name in their line `sentinel monitor NAME"),
    ("{master: main}", "has `master` and no `sentinels`"),
    ("{sentinel-username: anna}", "has a login for Sentinels and no `sentinels`"),
    ("{sentinels: ['a:1'], master: m, sentinel-username: anna}", "set both or neither"),
    ("{url: 'redis://one:6379/0', sentinels: ['a:1'], master: m}", "as in redis:///0 or rediss:///0"),
    ("{url: 'unix:///run/redis.sock', sentinels: ['a:1'], master: m}", "keep one of them"),
    ("{sentinels: ['a:1', '::1:26379'], master: m}", "::1:26379 must be HOST:PORT"),
    (
        "{sentinels: ['a:1'], master: m, wait-for-replicas: -1}",
        "`redis.wait-for-replicas`: input should be greater",
    ),
]


@pytest.mark.parametrize(("said", "found"), ADDRESSES)
def test_a_sentinel_is_a_host_and_a_port(said: str, found: tuple[str, int] | None) -> None:
    """Names of services and IPv6 in brackets are fine; a URL is none."""
    assert address(said) == found


@pytest.mark.parametrize(("section", "problem"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused_with_a_sentence(tmp_path: Path, section: str, problem: str) -> None:
    """At its place in the file, and with what to do."""
    path = tmp_path / "rollback.yaml"
    path.write_text(f"redis: {section}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert len(caught.value.problems) == 1
    assert f"{path}:1:" in caught.value.problems[0]
    assert problem in caught.value.problems[0]


def test_the_url_beside_sentinels_says_database_and_tls(tmp_path: Path) -> None:
    """The login of the primary and that of the Sentinels are two; TLS is spoken with both."""
    for name in ("own", "theirs"):
        (tmp_path / name).write_text(f"{name}-secret\n")
    settings = Redis(
        url="rediss:///3?ssl_ca_certs=/ca.pem",
        username="rollback",
        password_file=tmp_path / "own",
        sentinels=("[fd00::7]:26379", "b:26379"),
        master="main",
        sentinel_username="asker",
        sentinel_password_file=tmp_path / "theirs",
    )
    pool = client(settings, connect_s=0.3, read_s=0.7, retries=1).connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    primary, sentinels = pool.connection_kwargs, pool.sentinel_manager.sentinel_kwargs
    assert (primary["db"], primary["username"], primary["password"]) == (3, "rollback", "own-secret")
    assert (sentinels["username"], sentinels["password"], sentinels["ssl"]) == ("asker", "theirs-secret", True)
    assert primary["ssl_ca_certs"] == sentinels["ssl_ca_certs"] == "/ca.pem"
    assert (primary["socket_timeout"], sentinels["socket_timeout"]) == (0.7, 0.3)


def test_sentinels_count_as_having_said_where_redis_is() -> None:
    """`rollbackctl up` brings its own only where nobody says anything."""
    assert Redis(sentinels=("a:1",), master="m").said
    assert not Redis(username="anna").said
