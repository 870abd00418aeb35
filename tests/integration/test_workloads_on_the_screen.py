"""A workload has no host: every command names it as people do, and none leaves a gap where a host would be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.redis import Redis
from testbed.web_face import WebFace, web_face

from controller.cli import following, history, rollback, show, status
from controller.cli.api import Api
from controller.cli.failures import Failed
from controller.cli.plans import print_plan
from controller.ledger import Heard, HeardAlert, NewRollback, Sweep

WEB = "kubernetes/eu/pay/deployment/web"
LABEL = "deployment web in pay (cluster eu)"


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:

        def get(_: Api, path: str, **query: object) -> object:
            asked = "&".join(f"{name}={value}" for name, value in query.items() if value is not None)
            return built.ask(f"/api/v1/{path}?{asked}").json

        monkeypatch.setattr(Api, "get", get)
        yield built


@pytest.fixture
def ident(face: WebFace) -> str:
    return face.ledger.rollbacks.open(NewRollback(WEB, "web", "", by="ann")).id


def said(capsys: pytest.CaptureFixture[str], command: Any, *args: str) -> str:
    command.main([*args, "--url", "http://127.0.0.1:1"], standalone_mode=False)
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("end", ["", "cancelled"])
def test_every_command_names_the_workload(
    face: WebFace, ident: str, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    """Unfinished as well as ended."""
    if end:
        face.ledger.rollbacks.cancel(ident, by="ann", why="")
    for command, *args in ((history.command,), (status.command,), (show.command, ident)):
        assert LABEL in said(capsys, command, *args)
    listed = json.loads(said(capsys, history.command, "--json"))
    assert listed["rollbacks"][0]["instance"] == WEB


def test_waiting_names_the_workload_too(face: WebFace, ident: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As its line changes, and at the end."""
    face.ledger.rollbacks.cancel(ident, by="ann", why="enough")
    with pytest.raises(Failed, match=ident):
        following.follow(Api("http://127.0.0.1:1"), [ident], 5)
    assert capsys.readouterr().out.startswith(f"{LABEL}  cancelled")
    record = face.ask(f"/api/v1/rollbacks/{ident}").json
    assert str(following._line({ident: {**record, "state": "acting"}}, 3)) == "web acting  3 s"  # type: ignore[dict-item]


def test_what_to_know_of_a_plan_is_shown(face: WebFace, ident: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before, in a dry run, and afterwards in the story."""
    values = {"notes": ["the next apply brings it back"]}
    step = {"kind": "patch", "does": "write it", "way_back": "write the other", "values": values}
    plan = {"from_release": "v2", "to_release": "v1", "steps": [step, {**step, "values": {}}]}
    print_plan({"instance": WEB, "plan": plan})
    assert "note: the next apply brings it back" in capsys.readouterr().out
    face.ledger._client.hset(f"rc:rollback:{ident}", "plan", json.dumps(plan))
    assert "note the next apply brings it back" in said(capsys, show.command, ident)


def test_a_plan_says_what_is_news(capsys: pytest.CaptureFixture[str]) -> None:
    """Not that what runs now is no release to go back to, nor that nothing has to be taken back."""
    looks = {"kind": "rollout", "does": "see it", "way_back": "nothing to take back: it only looks", "values": {}}
    writes = {"kind": "patch", "does": "write v1", "way_back": "write v2", "values": {}}
    candidates = [
        {"release": "v1", "kept": True, "reason": "allowed", "detail": "it is older"},
        {"release": "v2", "kept": False, "reason": "release-current", "detail": "it runs now"},
        {"release": "v0", "kept": False, "reason": "no-candidate", "detail": "it is not the newest"},
    ]
    plan = {"from_release": "v2", "to_release": "v1", "steps": [writes, looks]}
    assert print_plan({"instance": WEB, "plan": plan, "candidates": candidates})
    printed = capsys.readouterr().out
    assert printed.count("way back") == 1
    assert "it runs now" not in printed
    assert "not v0: it is not the newest" in printed


def test_a_refused_plan_says_what_to_do_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks by hand has no rule to change."""
    refusal = {"reason": "gitops-owned", "detail": "Argo CD keeps it"}
    assert not print_plan({"instance": WEB, "plan": None, "refusal": refusal})
    assert (
        "by hand: roll back where it is kept (in Argo CD, in Git), or add `--gitops force`"
        in capsys.readouterr().out
    )


def test_a_plan_that_would_be_refused_is_no_yes(capsys: pytest.CaptureFixture[str]) -> None:
    """What it would have been is shown, and what bars the way."""
    plan = {"from_release": "v2", "to_release": "v1", "steps": []}
    assert not print_plan(
        {"instance": WEB, "plan": plan, "refusal": {"reason": "paused", "detail": "it is paused"}}
    )
    printed = capsys.readouterr().out
    assert "v2 → v1" in printed
    assert "would be refused (paused)" in printed
    assert "`kubectl rollout resume deployment/web -n pay`" in printed


def test_going_back_to_what_was_rolled_back_from_is_noted(face: WebFace, ident: str) -> None:
    """By its name it is taken; nobody should do so unawares."""
    face.ledger.rollbacks.cancel(ident, by="ann", why="")
    fields = {"from": "v2", "to": "v1", "committed_at": "1795232876000"}
    face.ledger._client.hset(f"rc:rollback:{ident}", mapping=fields)
    plans: list[dict[str, Any]] = [
        {"instance": WEB, "plan": {"to_release": "v2"}},
        {"instance": WEB, "plan": {"to_release": "v1"}},
        {"instance": f"{WEB}2", "plan": {"to_release": "v2"}},
        {"instance": WEB, "plan": None},
    ]
    rollback._add_left(Api("http://127.0.0.1:1"), "web", plans)
    noted = [plan.get("notes", []) for plan in plans]
    assert noted[1:] == [[], [], []]
    assert noted[0][0].startswith("v2 was itself rolled back from ")
    assert noted[0][0].endswith(f": {ident}, ann, by hand")


def decided(face: WebFace, fingerprint: str, **decision: object) -> None:
    facts = {"rule": "canary", "outcome": "roll-back", "reason": "allowed", "instances": {}, **decision}
    fields = {"fingerprint": fingerprint, "rule_digest": "d", "decision": json.dumps(facts)}
    face.ledger._client.xadd("rc:decisions", fields)


def test_decisions_name_the_alert_and_how_their_rollback_stands(
    face: WebFace, ident: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An alert that is forgotten is known by its fingerprint."""
    labels = {"alertname": "HighErrorRate", "namespace": "pay", "pod": "web-5d4f-bb2bb"}
    heard = HeardAlert("aa", True, 1, json.dumps(labels), "{}", ())
    face.ledger.hear(Heard.of([heard]))
    face.ledger._client.hset("rc:episode:aa", "labels", json.dumps(labels))
    decided(face, "aa", detail=f"{LABEL}: rollback {ident}")
    decided(face, "bb", detail="no", outcome="refuse", reason="pod-gone")
    face.ledger.rollbacks.cancel(ident, by="ann", why="")
    printed = said(capsys, history.command, "--decisions")
    assert "HighErrorRate web-5d4f-bb2bb aa canary roll-back" in printed
    assert f"rollback {ident} (now cancelled)" in printed
    assert "ago bb canary refuse" in printed
    first, second = face.ask("/api/v1/decisions").json["decisions"]  # type: ignore[index]
    assert (first["labels"], second["labels"]) == ({}, labels)


def test_status_says_hosts_only_where_there_may_be_some(
    face: WebFace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks after workloads alone has none."""
    assert "hosts 2 of shop" in said(capsys, status.command)
    face.ledger.sightings.swept("eu", Sweep(1))
    known = Api.get

    def without_services(api: Api, path: str, **query: object) -> Any:
        return {**known(api, path, **query), "services": {}}

    monkeypatch.setattr(Api, "get", without_services)
    assert "hosts" not in said(capsys, status.command)


def test_a_service_of_a_cluster_is_not_called_misspelt_for_being_in_no_inventory(
    face: WebFace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where clusters are looked after, somebody else knows."""
    assert "does not have it. Is the name misspelt?" in said(capsys, history.command, "--service", "pay")
    face.ledger.sightings.swept("eu", Sweep(1))
    assert "whether a cluster has it is not known here" in said(capsys, history.command, "--service", "pay")


def test_no_metric_is_about_hosts(face: WebFace, ident: str) -> None:
    """What would be empty for a workload is no label."""
    assert ident
    assert 'host=""' not in face.ask("/metrics", None).text
    assert face.metric("rollbacks_unfinished", state="planned") == 1
