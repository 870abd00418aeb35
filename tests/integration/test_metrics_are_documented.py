"""Every metric is described where people look for it, and nothing is described that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from testbed.alertmanager import alert, body
from testbed.redis import Redis
from testbed.web_face import CANARY, WebFace, web_face

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def exposed(text: str) -> dict[str, str]:
    """Return our metrics, as they are named in queries, with their types."""
    found = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("rollback_controller_"):
            total = "_total" if family.type == "counter" else ""
            found[family.name + total] = family.type
    return {name: kind for name, kind in found.items() if not name.endswith("_created")}


def test_the_page_and_the_registry_name_the_same_metrics_with_the_same_types(face: WebFace) -> None:
    """A row for each: name, type, labels, meaning."""
    rows = re.findall(r"^\| `(rollback_controller_\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == exposed(face.ask("/metrics", None).text)


def test_names_follow_prometheus_practice(face: WebFace) -> None:
    """Base units, and `_total` on counters only."""
    for name, kind in exposed(face.ask("/metrics", None).text).items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb)(_|$)", name), name


def test_a_scrape_without_redis_succeeds_and_says_so(face: WebFace, redis_server: Redis) -> None:
    """Monitoring must not go blind together with what it watches."""
    assert face.metric("ledger_up") == 1
    redis_server.stop()
    try:
        assert face.metric("ledger_up") == 0
        assert face.metric("rules") == 1
    finally:
        redis_server.start()


def test_what_waits_and_what_is_unfinished_is_read_from_the_ledger(face: WebFace) -> None:
    """Shared with the workers, so it is not this process's memory."""
    face.notify(body(alert(CANARY)))
    face.ask("/api/v1/rollbacks", body={"service": "shop", "all": True})
    assert face.metric("due_ids") == 3
    assert face.metric("queue_length") >= 3  # a bell may ring twice
    assert face.metric("rollbacks_unfinished", state="planned") == 2
    assert face.metric("rollbacks_unfinished", state="acting") == 0


def test_rules_with_errors_show_in_the_metrics(face: WebFace) -> None:
    """As Prometheus itself tells of its own configuration."""
    assert face.metric("rules_last_reload_successful") == 1
    before = face.metric("rules_last_reload_success_timestamp_seconds")
    (face.folder / "rules.yaml").write_text("version: rules/v1\nrules:\n  - nam: typo\n")
    face.house.refresh()
    assert face.metric("rules_last_reload_successful") == 0
    assert face.metric("rules_errors") >= 1
    assert face.metric("rules_last_reload_success_timestamp_seconds") == before
