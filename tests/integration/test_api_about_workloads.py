"""Rollbacks of workloads by hand: a worker says which are meant, the server opens one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from testbed.alertmanager import alert, body
from testbed.redis import Redis
from testbed.web_face import CANARY, WebFace, web_face

from controller.ledger import Ledger
from controller.settings.clusters import ClusterSettings
from controller.settings.house import House
from rules.decisions import Reason
from rules.errors import Permanent, RollbackError, Transient
from rules.instances import WorkloadInstance, WorkloadKind
from rules.targets import Located
from rules.workloads.by_hand import Wanted
from workers.finding import Finding, NoClusters
from workers.planning import answer

WEB = WorkloadInstance("eu", "pay", WorkloadKind.DEPLOYMENT, "web-canary")
CLUSTERS = {"eu": ClusterSettings(kubeconfig=Path("/nowhere"))}


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url, clusters=CLUSTERS) as built:
        yield built


@contextmanager
def worker(
    ledger: Ledger, find: Callable[[Wanted], tuple[Located, ...]], house: House | None = None
) -> Iterator[list[Wanted]]:
    """Answer questions as a worker does, with a cluster that is pretended."""
    asked: list[Wanted] = []
    over = Event()

    def find_wanted(wanted: Wanted) -> tuple[Located, ...]:
        asked.append(wanted)
        return find(wanted)

    def work() -> None:
        finding = Finding(house.inventory, NoClusters()) if house else None
        site: Any = SimpleNamespace(ledger=ledger, find_wanted=find_wanted, house=house, find=lambda: finding)
        site.reach = _out_of_reach
        while not over.wait(0.01):
            for key in ledger._client.keys("rc:ask:*"):
                answer(site, key.removeprefix("rc:ask:"))

    thread = Thread(target=work)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()


def _out_of_reach(*_: object) -> Any:
    raise Transient(Reason.UNREACHABLE, "web2 does not answer")


def found(wanted: Wanted) -> tuple[Located, ...]:
    return (Located(WEB, wanted.service),)


def ask(face: WebFace, **asked: object) -> Any:
    return face.ask("/api/v1/rollbacks", body={"service": "pay", **asked})


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"all": True}, Wanted("pay")),
        ({"only": {"track": "canary"}}, Wanted("pay", only={"track": ("canary",)})),
        ({"all": True, "namespace": "pay"}, Wanted("pay", namespace="pay")),
        ({"all": True, "cluster": "eu"}, Wanted("pay", cluster="eu")),
        ({"instances": [WEB.id]}, Wanted("pay", (WEB,))),
        ({"instances": ["deploy/web-canary"], "namespace": "pay"}, Wanted("pay", (WEB,), namespace="pay")),
        ({"service": "shop", "all": True, "namespace": "pay"}, Wanted("shop", namespace="pay")),
    ],
)
def test_what_the_inventory_does_not_have_is_looked_for_in_clusters(
    face: WebFace, ledger: Ledger, asked: dict[str, object], wanted: Wanted
) -> None:
    """And what is said to be in a cluster or a namespace, though the inventory has a service of that name."""
    with worker(ledger, found) as questions:
        opened = ask(face, **asked)
    assert questions == [wanted]
    assert opened.status_code == 202, opened.text
    (told,) = opened.json["rollbacks"]
    record = ledger.rollbacks.get(told["id"])
    assert record is not None
    assert (told["instance"], record.service, record.host) == (WEB.id, wanted.service, "")


def test_hosts_are_meant_where_the_inventory_has_the_service(face: WebFace) -> None:
    """No worker is asked, and the answer says how to mean workloads."""
    answered = ask(face, service="shop", all=True)
    assert [rollback["instance"] for rollback in answered.json["rollbacks"]] == [
        "hosts/default/shop/web1",
        "hosts/default/shop/web2",
    ]
    assert "say which namespace" in answered.json["note"]


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        ({"instances": ["web2"]}, "instances", "write KIND/NAME"),
        ({"instances": ["deployment/web"]}, "instances", "say which namespace"),
        ({"instances": ["kubernetes/us/pay/deployment/web"]}, "instances", "there is: eu"),
        ({"all": True, "cluster": "us"}, "cluster", "they have: eu"),
        ({"all": True, "namespace": "Pay"}, "namespace", "cannot name a namespace"),
        ({"service": "a b", "all": True}, "service", "cannot be a label's value"),
    ],
)
def test_what_names_nothing_is_refused_before_a_worker_is_asked(
    face: WebFace, asked: dict[str, object], field: str, says: str
) -> None:
    """By field, with what to write."""
    answered = ask(face, **asked)
    assert (answered.status_code, answered.json["field"]) == (422, field), answered.text
    assert says in answered.json["error"]


@pytest.mark.parametrize(
    ("error", "status", "field"),
    [
        (Permanent(Reason.SERVICE_UNKNOWN, "no workload belongs to pay"), 422, "service"),
        (Permanent(Reason.WORKLOAD_UNKNOWN, "there is no such workload"), 422, "instances"),
        (Permanent(Reason.INSTANCE_AMBIGUOUS, "pay is in several places"), 422, "namespace"),
        (Permanent(Reason.FORBIDDEN, "not allowed"), 422, None),
        (Transient(Reason.UNREACHABLE, "the cluster does not answer"), 503, None),
    ],
)
def test_what_a_worker_cannot_find_is_said_in_its_words(
    face: WebFace, ledger: Ledger, error: RollbackError, status: int, field: str | None
) -> None:
    """Nothing is opened."""

    def fail(_: Wanted) -> tuple[Located, ...]:
        raise error

    with worker(ledger, fail):
        answered = ask(face, all=True)
    assert (answered.status_code, answered.json["error"], answered.json.get("field")) == (
        status,
        str(error),
        field,
    )
    assert face.ask("/api/v1/rollbacks").json["rollbacks"] == []


def test_without_clusters_the_inventory_is_all_there_is(tmp_path: Path, redis_server: Redis) -> None:
    """No worker is waited for."""
    with web_face(tmp_path, redis_server.url) as face:
        assert ask(face, all=True).status_code == 404
        answered = ask(face, instances=["deployment/web"])
        assert (answered.status_code, answered.json["field"]) == (422, "cluster")
        assert "note" not in ask(face, service="shop", all=True).json


TO = [
    ("previous", "previous"),
    ("scale-to-zero", "scale-to-zero"),
    ({"version": "sha256:" + "1" * 64}, {"version": "sha256:" + "1" * 64}),
    ({"same-as": {"track": "stable"}}, {"same-as": {"track": ["stable"]}}),
    ({"same-as": {"track": ["stable", "prod"]}}, {"same-as": {"track": ["stable", "prod"]}}),
]


@pytest.mark.parametrize(("asked", "kept"), TO)
def test_where_to_and_how_is_kept_in_the_record(
    face: WebFace, ledger: Ledger, asked: object, kept: object
) -> None:
    """As a rule file writes it, with what a person overrides."""
    with worker(ledger, found):
        told = ask(face, all=True, to=[asked], gitops="force", restore="images", pin="never").json["rollbacks"][0]
    record = ledger.rollbacks.get(told["id"])
    assert record is not None
    words = {"to": [kept], "override": True, "gitops": "force", "restore": "images", "pin": "never"}
    assert record.spec == words


@pytest.mark.parametrize(
    "entry",
    [
        {"version": "../x"},
        {"version": ""},
        {"version": "a\nb"},
        {"version": "v1", "more": 1},
        {"version": 1},
        {"same-as": {}},
        {"same-as": {"track": [1]}},
        {"same-as": {"track": 5}},
        {"same-as": "stable"},
        "newest",
        7,
        None,
        ["previous"],
    ],
)
def test_no_place_to_go_back_to_is_said_in_our_words(face: WebFace, entry: object) -> None:
    """With the four ways to write one."""
    answered = ask(face, service="shop", all=True, to=[entry])
    assert (answered.status_code, answered.json["field"]) == (400, "to.0"), answered.text
    known = 'write "previous", "last-known-good", "stable", "scale-to-zero", {"version": RELEASE}'
    assert known in answered.json["error"]


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ({}, {}, True),
        ({}, {"to": ["previous"]}, True),
        ({}, {"to": [{"version": "v1"}]}, False),
        ({"to": [{"version": "v1"}]}, {}, False),
        ({"to": [{"version": "v1"}]}, {"to": [{"version": "v1"}]}, True),
        ({}, {"gitops": "force"}, False),
    ],
)
def test_what_joins_says_whether_its_target_is_taken(
    face: WebFace, first: dict[str, object], second: dict[str, object], taken: bool
) -> None:
    """A rollback goes where it was opened to go, whoever joins it."""
    ask(face, service="shop", instances=["web2"], **first)
    told = ask(face, service="shop", instances=["web2"], **second).json["rollbacks"][0]
    assert (told["joined"], told["taken"], told["to"]) == (True, taken, first.get("to", ["previous"]))


def test_the_rules_in_force_are_explained_by_a_worker(face: WebFace, ledger: Ledger) -> None:
    """For every alert one decision per rule; what cannot be seen now is said."""
    with worker(ledger, found, face.house):
        answered = face.ask("/api/v1/explain", "reader", body=body(alert(CANARY), alert({"alertname": "Other"})))
    assert answered.status_code == 200, answered.text
    canary, other = answered.json["alerts"]  # type: ignore[index]
    (decision,) = canary["decisions"]
    assert decision == {
        "rule": "canary-errors",
        "rule_digest": face.house.rules.rules[0].digest,
        "outcome": "refuse",
        "reason": "unreachable",
        "detail": "leaves alone shop on web2: web2 does not answer",
        "instances": {"hosts/default/shop/web2": None},
        "judgements": decision["judgements"],
    }
    assert [one["reason"] for one in decision["judgements"]] == ["unreachable"]
    assert [one["outcome"] for one in other["decisions"]] == ["no-match"]
    assert face.ask("/api/v1/rollbacks").json["rollbacks"] == []


@pytest.mark.parametrize(("sent", "status"), [(b"no json", 400), (b"{}", 400), (b"x" * 5_000_000, 413)])
def test_what_is_no_notification_is_not_explained(face: WebFace, sent: bytes, status: int) -> None:
    """No worker is asked."""
    assert face.ask("/api/v1/explain", "reader", body=sent).status_code == status


def test_explaining_needs_the_role(face: WebFace) -> None:
    """Alertmanager's token does not have it."""
    assert face.ask("/api/v1/explain", "alertmanager", body=body(alert(CANARY))).status_code == 403
