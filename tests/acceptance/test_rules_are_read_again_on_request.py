"""Rules are read again on SIGHUP, on a change of the file and by `/-/reload`: all of them, or none."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop, rules
from testbed.wait import until

from rules.rulefile import parse_rules

BROKEN = "version: rules/v1\nrules:\n  - nam: typo\n"


def metric(installed: Installation, name: str) -> float:
    """Return one metric of the server."""
    lines = installed.ask("/metrics", token=None).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"rollback_controller_{name} "))


def write_unseen(file: Path, text: str) -> None:
    """Change a file so that neither its size nor its times tell: only somebody who reads it again will know."""
    before = file.stat()
    assert len(text) == before.st_size
    with file.open("r+") as open_file:
        open_file.write(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def digest(text: str) -> str:
    return parse_rules(text, "rules.yaml").rules[0].digest


def test_reload_answers_with_what_is_in_force(local: Installation) -> None:
    """200 with the digests of the new rules; metrics tell when."""
    changed = rules(mode="ask")
    with local.serving():
        before = metric(local, "rules_last_reload_success_timestamp_seconds")
        (local.folder / "rules.yaml").write_text(changed)
        answer = local.ask("/-/reload", token="operator", body={})
        assert answer.status == 200, answer.text
        (shown,) = answer.json["rules"]
        assert (shown["name"], shown["digest"]) == ("shop-fails", digest(changed))
        assert shown["source"].endswith("rules.yaml:1")
        assert metric(local, "rules_last_reload_success_timestamp_seconds") > before


def test_reload_of_broken_rules_names_every_mistake_and_keeps_the_old_ones(local: Installation) -> None:
    """500, every error at its place; nothing of the new file is in force, and the metrics say so."""
    with local.serving():
        (local.folder / "rules.yaml").write_text(BROKEN)
        answer = local.ask("/-/reload", token="operator", body={})
        assert answer.status == 500
        found = {(error["line"], error["column"]) for error in answer.json["errors"]}
        assert (3, 5) in found, answer.text
        assert all(error["file"].endswith("rules.yaml") for error in answer.json["errors"])
        assert "stay in force" in answer.json["error"]
        assert metric(local, "rules") == 1
        assert metric(local, "rules_last_reload_successful") == 0
        assert metric(local, "rules_errors") == len(answer.json["errors"])
        (local.folder / "rules.yaml").write_text(local.rules)
        assert local.ask("/-/reload", token="operator", body={}).status == 200
        assert metric(local, "rules_last_reload_successful") == 1


def test_reload_needs_the_role_to_operate(local: Installation) -> None:
    """Who may only read, or nobody, may not."""
    with local.serving():
        assert local.ask("/-/reload", token=None, body={}).status == 401
        assert local.ask("/-/reload", token="reader", body={}).status == 403
        assert local.ask("/-/reload", token="operator").status == 405


def test_sighup_has_the_server_read_what_it_could_not_see(local: Installation) -> None:
    """The server's process is the same afterwards, and the rules are not."""
    changed = local.rules.replace("ShopFails|", "ShopLeaks|")
    with local.serving() as server:
        before = server.family()
        write_unseen(local.folder / "rules.yaml", changed)
        leaks = body(alert({"alertname": "ShopLeaks", "instance": "nowhere:1"}))
        assert local.notify(leaks).status == 200
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: local.notify(leaks).status == 202, within_s=15, what="the new rules are asked")
        assert server.running()
        assert server.family() == before


def test_sighup_has_the_workers_read_what_they_could_not_see(local: Installation, canary: LocalShop) -> None:
    """Else a worker would not know the rule by which a rollback was opened, and refuse it."""
    changed = local.rules.replace("ShopFails|", "ShopLeaks|")
    with local.running() as (server, worker):
        write_unseen(local.folder / "rules.yaml", changed)
        for process in (server, worker):
            os.kill(process.pid, signal.SIGHUP)
        until(
            lambda: worker.log().count("rules.loaded") >= 1, within_s=15, what="the workers' supervisor read them"
        )
        leaks = body(alert({**canary.labels(), "alertname": "ShopLeaks"}))
        until(lambda: local.notify(leaks).status == 202, within_s=15, what="the new rules are asked")
        until(lambda: canary.running() == "v1.2.0", within_s=20, what="the canary goes back by the new rule")
        assert worker.running()


def test_sighup_with_broken_rules_changes_nothing(local: Installation) -> None:
    """The errors are logged at their place by both, and both go on."""
    with local.running() as (server, worker):
        (local.folder / "rules.yaml").write_text(BROKEN)
        for process in (server, worker):
            os.kill(process.pid, signal.SIGHUP)
            until(lambda one=process: "rules.yaml:3:" in one.log(), within_s=15, what="the error is logged")
            assert process.running()
        assert metric(local, "rules") == 1
