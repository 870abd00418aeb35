"""Alive says nothing about Redis; ready does; verbose says everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.web_face import WebFace, web_face


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def test_all_is_well_without_credentials(face: WebFace) -> None:
    """In the words of Kubernetes and of Prometheus."""
    for path in ("/livez", "/readyz", "/-/healthy", "/-/ready"):
        answer = face.ask(path, None)
        assert (answer.status_code, answer.text) == (200, "ok\n")


def test_without_redis_it_lives_and_is_not_ready(face: WebFace, redis_server: Redis) -> None:
    """A restart of this process would not bring Redis back; taking it out of rotation is right."""
    redis_server.stop()
    try:
        alive, ready = face.ask("/livez", None), face.ask("/readyz", None)
    finally:
        redis_server.start()
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert "[-]redis failed: " in ready.text
    assert face.ask("/-/ready", None).status_code == 200


def test_verbose_lists_each_check(face: WebFace) -> None:
    """What puts promises at risk is a warning with what to do, and does not fail the check."""
    answer = face.ask("/readyz?verbose", None)
    assert answer.status_code == 200
    lines = answer.text.splitlines()
    assert lines[:3] == ["[+]work ok", "[+]redis ok", "[+]rules ok: 1 in force"]
    assert any(line.startswith("[!]redis-setup warning: no worker was heard of") for line in lines)
    assert lines[-1] == "readyz check passed"


def test_an_evicting_redis_is_reported(face: WebFace, redis_server: Redis) -> None:
    """It would drop claims and queued work one day; today alerts are still taken."""
    with redis_server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            answer = face.ask("/readyz?verbose", None)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert answer.status_code == 200
    assert "[!]redis-setup warning: maxmemory-policy is allkeys-lru" in answer.text


def test_rules_with_errors_are_a_warning_as_long_as_older_ones_are_in_force(face: WebFace) -> None:
    """The first error is named at its place."""
    (face.folder / "rules.yaml").write_text("version: rules/v1\nrules:\n  - nam: typo\n")
    face.house.refresh()
    answer = face.ask("/readyz?verbose", None)
    assert answer.status_code == 200
    assert "[!]rules warning: " in answer.text
    assert "rules.yaml:3:" in answer.text
