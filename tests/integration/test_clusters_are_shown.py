"""What the observer found is shown: how fresh it is, which tags move, and why a cluster cannot be seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.web_face import WebFace, web_face

from controller.cli import status
from controller.cli.api import Api
from controller.ledger import Sweep

WEB = "kubernetes/eu/shop/deployment/web"


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def test_a_cluster_that_was_looked_over_is_in_the_status(face: WebFace) -> None:
    """With the workloads whose tags move; without any cluster there is nothing to say."""
    assert face.ask("/api/v1/status").json["clusters"] == []  # type: ignore[index]
    face.ledger.sightings.swept("eu", Sweep(12, moving={WEB: ("nginx:latest",)}, moving_in_all=1))
    face.ledger.sightings.troubled("us", "us does not answer")
    eu, us = face.ask("/api/v1/status").json["clusters"]  # type: ignore[index]
    assert eu.pop("seen_s_ago") < 60
    assert eu == {
        "name": "eu",
        "workloads": 12,
        "moving": [{"instance": WEB, "images": ["nginx:latest"]}],
        "moving_in_all": 1,
        "trouble": "",
        "trouble_s_ago": None,
    }
    assert (us["seen_s_ago"], us["trouble"]) == (None, "us does not answer")
    assert us["trouble_s_ago"] < 60


def test_how_old_it_is_can_be_alerted_on(face: WebFace) -> None:
    """And how many workloads run a tag that moves."""
    face.ledger.sightings.swept("eu", Sweep(12, moving={WEB: ("nginx:latest",)}, moving_in_all=7))
    face.ledger.sightings.troubled("us", "us does not answer")
    assert face.metric("cluster_seen_age_seconds", cluster="eu") < 60
    assert face.metric("cluster_seen_age_seconds", cluster="us") == float("inf")
    assert face.metric("cluster_moving_tags", cluster="eu") == 7


def test_the_screen_names_tags_that_move(
    face: WebFace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bounded list, and what a cluster's trouble is among what needs attention."""
    moving = {f"{WEB}{n}": ("nginx:latest", "envoy") for n in range(12)}
    face.ledger.sightings.swept("eu", Sweep(12, moving=moving, moving_in_all=60))
    face.ledger.sightings.troubled("eu", "not allowed: list pods")

    def get(_: Api, path: str, **query: object) -> object:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return face.ask(f"/api/v1/{path}?{asked}").json

    monkeypatch.setattr(Api, "get", get)
    status.command.main(["--url", "http://127.0.0.1:1"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "eu: 12 workloads, looked over" in said
    assert "deployment web0 in shop (cluster eu) runs nginx:latest, envoy: a tag that moves" in said
    assert "and 50 more" in said
    assert re.search(r"cluster eu \(\d+ s ago\): not allowed: list pods", said)
