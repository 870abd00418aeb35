"""No answer of the API holds what a pod template holds: not a record, not a journal, not a dry run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from testbed.kube_facts import WEB, deployment, replicaset, template
from testbed.redis import Redis
from testbed.wait import until
from testbed.web_face import WebFace, web_face

from controller.ledger import NewRollback
from rules.limits import NO_POLICY
from rules.observations import Observation, ReleaseSeen
from rules.plans import Plan
from workers.kubernetes.plan import Goal, Params, make_plan
from workers.planning import answer

SECRET = "hunter2-marker"


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def holding_a_secret(tag: str) -> dict[str, Any]:
    made = template(tag)
    made["spec"]["containers"][0] |= {"env": [{"name": "PASSWORD", "value": SECRET}], "args": [SECRET]}
    return made


def plan() -> Plan:
    old, new = holding_a_secret("v1"), holding_a_secret("v2")
    live = deployment(new, [replicaset(1, old), replicaset(2, new)], revision=2)
    return make_plan(WEB, Params(), live, Goal("v1+h1", old))


def test_neither_records_nor_journals_show_a_template(face: WebFace) -> None:
    """Whoever may read sees images; the ledger keeps the whole for the worker that takes over."""
    ident = face.ledger.rollbacks.open(NewRollback(WEB.id, "web", "")).id
    client = face.ledger._client
    client.hset(f"rc:rollback:{ident}", "plan", plan().to_json())
    entry = {"kind": "intent", "at": 1, "before": {"template": holding_a_secret("v2")}}
    client.rpush(f"rc:journal:{ident}", orjson.dumps(entry))
    record = face.ledger.rollbacks.get(ident)
    assert record is not None
    assert SECRET in record.plan
    for path in ("rollbacks", f"rollbacks/{ident}", "status"):
        shown = face.ask(f"/api/v1/{path}", "reader")
        assert shown.status_code == 200, shown.text
        assert ident in shown.text
        assert "shop/app:v1" in shown.text
        assert SECRET not in shown.text
    assert "PASSWORD" not in face.ask(f"/api/v1/rollbacks/{ident}").text
    cancelled = face.ask(f"/api/v1/rollbacks/{ident}/cancel", body={"reason": "no"})
    assert cancelled.json["outcome"] == "cancelled"  # type: ignore[index]
    assert SECRET not in cancelled.text


class FakeDriver:
    """A workload with one release to go back to."""

    def observe(self) -> Observation:
        releases = (ReleaseSeen("v1+h1", (1,)), ReleaseSeen("v2+h2", (2,)))
        return Observation(running="v2+h2", arrival="w1/2/h2", fence=0, releases=releases)

    def plan(self, *_: object) -> Plan:
        return plan()

    def preflight(self, _: Plan) -> None: ...

    def close(self) -> None: ...


def test_a_dry_run_leaves_the_worker_without_a_template(face: WebFace) -> None:
    """Not even the ledger has it then."""
    site: Any = SimpleNamespace(
        ledger=face.ledger,
        house=face.house,
        reach=lambda *_: FakeDriver(),
        just_left=lambda _: frozenset(),
        policy=NO_POLICY,
        prometheus=None,
    )
    answers: list[Any] = []
    asked = {"instances": [WEB.id], "to": ["previous"]}
    asking = Thread(target=lambda: answers.append(face.ask("/api/v1/plans", "reader", body=asked)))
    asking.start()
    client = face.ledger._client
    (question,) = until(lambda: client.keys("rc:ask:*"), within_s=10, what="the question")
    answer(site, question.removeprefix("rc:ask:"))
    asking.join(timeout=30)
    (answered,) = answers
    (found,) = answered.json["plans"]
    assert (found["plan"]["to_release"], found.get("refusal")) == ("v1+h1", None)
    assert found["plan"]["steps"][0]["values"]["template"]["images"] == {"app": "shop/app:v1"}
    assert SECRET not in answered.text
