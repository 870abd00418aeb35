"""Thousands of hostile bodies through the real application: never a 500, and never a 503 while Redis is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testbed.alertmanager import alert, body
from testbed.redis import Redis
from testbed.web_face import CANARY, WebFace, web_face

UNTAMED = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
PATHS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="?#"), max_size=20)
LABELS = st.dictionaries(st.text(), st.text(), max_size=4)
ALERTS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["firing", "resolved"]),
        "labels": LABELS | LABELS.map(lambda more: more | CANARY),
        "startsAt": st.sampled_from(["2026-01-22T11:47:17.113904445+08:00", "9999-12-31T23:59:59Z"]) | SCALARS,
        "fingerprint": st.sampled_from(["1", "2", "c4b3a29100000001", "f" * 32]) | SCALARS,
    },
    optional={"annotations": LABELS | ANYTHING, "generatorURL": ANYTHING, "endsAt": ANYTHING},
)
ROOTS = st.fixed_dictionaries(
    {"version": st.just("4"), "alerts": st.lists(ALERTS | ANYTHING, max_size=6)},
    optional={"truncatedAlerts": ANYTHING, "receiver": ANYTHING, "groupKey": ANYTHING},
)


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory, valkey_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path_factory.mktemp("face"), valkey_server.url) as built:
        yield built


@UNTAMED
@given(root=ROOTS)
def test_notifications_with_anything_anywhere(face: WebFace, root: dict[str, Any]) -> None:
    """Each is accepted, ignored or refused, and the answer is JSON."""
    answer = face.notify(json.dumps(root).encode())
    assert answer.status_code in {200, 202, 400}, answer.text
    assert answer.json is not None


@UNTAMED
@given(sent=st.binary(max_size=400))
def test_any_bytes(face: WebFace, sent: bytes) -> None:
    """Not even JSON."""
    assert face.notify(sent).status_code == 400


@UNTAMED
@given(data=st.data())
def test_a_good_body_spoilt_somewhere(face: WebFace, data: st.DataObject) -> None:
    """Bytes lost, added or changed on the way."""
    good = json.dumps(body(alert(CANARY))).encode()
    at = data.draw(st.integers(0, len(good)))
    sent = good[:at] + data.draw(st.binary(max_size=4)) + good[at + data.draw(st.integers(0, 4)) :]
    assert face.notify(sent).status_code in {200, 202, 400}


@UNTAMED
@given(
    path=st.sampled_from(["/api/v1/rollbacks", "/api/v1/plans", "/api/v1/rollbacks/nobody/cancel"]),
    content=ANYTHING
    | st.fixed_dictionaries(
        {"service": ANYTHING},
        optional={"instances": ANYTHING, "only": ANYTHING, "all": ANYTHING, "to": ANYTHING, "reason": ANYTHING},
    ),
)
def test_the_api_answers_anything_with_a_sentence(face: WebFace, path: str, content: object) -> None:
    """Strict models: what is not understood is refused, by field."""
    answer = face.ask(path, body=json.dumps(content).encode())
    assert answer.status_code in {400, 404, 422}, answer.text
    assert answer.json["error"]  # type: ignore[index]


@UNTAMED
@given(
    query=st.dictionaries(
        st.sampled_from(["limit", "state", "service", "fingerprint", "x"]), st.text(max_size=20)
    ),
    path=st.sampled_from(["rollbacks", "decisions", "rollbacks/r1", "status", "nothing"]) | PATHS,
)
def test_queries_and_paths_with_anything(face: WebFace, query: dict[str, str], path: str) -> None:
    """Ids and page sizes are validated before anything is looked up."""
    answer = face.app.test_client().get(
        f"/api/v1/{path}", query_string=query, headers={"Authorization": f"Bearer {face.secret('reader')}"}
    )
    assert answer.status_code in {200, 308, 400, 403, 404, 405}, answer.text


@UNTAMED
@given(authorization=st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=80))
def test_any_credentials(face: WebFace, authorization: str) -> None:
    """Nothing that anybody makes up is let in, or breaks anything."""
    answer = face.app.test_client().post(
        "/api/v1/alertmanager", data=b"{}", headers={"Authorization": authorization}
    )
    assert answer.status_code == 401
