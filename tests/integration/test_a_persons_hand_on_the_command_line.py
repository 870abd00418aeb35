"""The commands of a person's hand against a server: what they print, what they change, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import orjson
import pytest
from click.testing import CliRunner, Result
from testbed.installation import Installation
from testbed.redis import Redis
from testbed.web_face import INVENTORY, RULES

from controller.cli.main import cli
from controller.ledger import Ledger, NewRollback
from controller.ledger.roster import Look
from rules.facts import Arrival, Hand

WEB2 = "hosts/default/shop/web2"
Run = Callable[..., Result]
DONE = {"state": "verifying", "from": "v1.3.0", "to": "v1.2.0", "changed_at": 1, "committed_at": 1}
ASKED = {"plan": "digest", "from": "v1.3.0", "to": "v1.2.0", "until_ms": 9_000_000_000_000}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, valkey_server: Redis) -> Iterator[Installation]:
    """Run a server for all tests of this page."""
    made = Installation(tmp_path_factory.mktemp("hand"), valkey_server.url, RULES, INVENTORY)
    with made.serving():
        yield made


@pytest.fixture
def run(serving: Installation, redis_server: Redis) -> Run:
    """Give a way to run one command, against an empty ledger."""
    del redis_server

    def command(*words: str, token: str = "operator", **how: object) -> Result:
        env = {
            "ROLLBACK_CONFIG": str(serving.settings_file),
            "ROLLBACK_TOKEN": serving.token_file(token).read_text().strip(),
        }
        return CliRunner().invoke(cli, words, env=env, **how)  # type: ignore[arg-type]

    return command


def opened(ledger: Ledger, redis_server: Redis, **fields: object) -> str:
    new = NewRollback(WEB2, "shop", "web2", rule="canary-errors", rule_digest="d")
    ident = ledger.rollbacks.open(new, ring=False).id
    with redis_server.client() as client:
        client.hset(f"rc:rollback:{ident}", mapping={name: str(value) for name, value in fields.items()})
    return ident


def asking(ledger: Ledger, redis_server: Redis) -> str:
    return opened(ledger, redis_server, state="waiting", reason="ask-mode", asked=orjson.dumps(ASKED).decode())


def test_pause_and_resume(run: Run, ledger: Ledger) -> None:
    """Each says until when, and how it ends; a pause without a reason is refused."""
    done = run("pause", "--service", "shop", "--for", "4h", "--reason", "sale")
    assert done.exit_code == 0, done.output
    assert "Paused service shop until " in done.output
    assert "(for 3 h 59 min more)" in done.output
    assert "`rollbackctl resume --service shop` ends it." in done.output
    assert "Paused all rules until somebody resumes it." in run("pause", "--reason", "network").output
    resumed = run("resume")
    assert "Resumed all rules: what waited is judged anew." in resumed.output
    assert "Still paused: service shop until" in resumed.output
    assert run("resume").exit_code == 1
    assert "Resumed service shop" in run("resume", "--all").output
    assert "Nothing was paused." in run("resume", "--all").output
    assert run("pause").exit_code == 2
    assert run("pause", "--service", "a", "--rule", "b", "--reason", "x").exit_code == 2
    assert [deed.what for deed in ledger.hands.deeds()] == ["resume", "resume", "pause", "pause"]


def test_status_tells_what_asks_what_stands_and_what_differs(
    run: Run, ledger: Ledger, redis_server: Redis
) -> None:
    """On one screen, each with what to do about it."""
    done = opened(ledger, redis_server, **DONE)
    ledger.rollbacks.cancel(done, by="x", why="", undone=True)
    came = Arrival(1, hand=Hand.ROLLBACK, who=done)
    ledger.roster.seen([Look(WEB2, "shop", "", "default", ("v1.2.0",), "pin", arrived=came)])
    ident = asking(ledger, redis_server)
    ledger.hands.pause("", "ann", "network \x1b[31mwork", None)
    ledger.hands.lock("shop", "ci", "deploy", 60)
    ledger.hands.demote("canary-errors", "r1 did not help", "r1")
    shown = run("status").output
    for said in (
        "Asks: waits for your answer",
        f"  {ident}  shop on web2: v1.3.0 → v1.2.0",
        f"`rollbackctl approve {ident}` or `rollbackctl deny {ident} --reason …`",
        "paused: all rules by ann, until somebody resumes it",
        r"why: network \x1b[31mwork",
        "locked: shop by ci, until ",
        "demoted: rule canary-errors only asks, since ",
        "shop on web2 runs v1.2.0, not v1.3.0",
        f"`rollbackctl undo {done}` takes it back",
        "Last outcomes",
    ):
        assert said in shown, shown
    assert "\x1b" not in shown
    found = json.loads(run("status", "--json").output)
    assert [len(found[name]) for name in ("paused", "locked", "demoted", "differs")] == [1, 1, 1, 1]
    assert "token" not in found["locked"][0]


def test_a_question_is_answered(run: Run, ledger: Ledger, redis_server: Redis) -> None:
    """By whoever has the role; no needs a reason."""
    ident = asking(ledger, redis_server)
    assert run("approve", ident).exit_code == 4
    yes = run("approve", ident, token="approver")
    assert yes.exit_code == 0, yes.output
    assert f"Approved {ident}: shop on web2: v1.3.0 → v1.2.0." in yes.output
    assert run("deny", ident, token="approver").exit_code == 2
    no = run("deny", ident, "--reason", "the database", token="approver")
    assert no.output == f"Denied {ident}: shop on web2 is left as it is.\n"


def test_a_rollback_is_taken_back(run: Run, ledger: Ledger, redis_server: Redis) -> None:
    """And the rule behind a false alarm may only ask, until it is promoted."""
    first = opened(ledger, redis_server, **DONE)
    done = run("undo", first, "--false-alarm", "--reason", "a probe", "--override", "frozen")
    assert done.exit_code == 0, done.output
    assert f"undoes {first}: shop on web2: v1.2.0 → v1.3.0" in done.output
    assert "`rollbackctl promote canary-errors` trusts it again." in done.output
    (second,) = ledger.rollbacks.list(states=["planned"])
    assert "frozen" in second.spec["overridden"]
    assert run("promote", "canary-errors").output == "Rule canary-errors does again what its file says.\n"
    assert run("rules", "promote", "canary-errors").exit_code == 1
    odd = run("undo", first, "--override", "gravity")
    assert (odd.exit_code, "write one of affected, " in odd.output) == (1, True)


def test_a_rollback_by_hand_says_what_is_set_aside(run: Run, ledger: Ledger) -> None:
    """By name; the record keeps it. A paused rollout is resumed if that is said."""
    words = ("--override", "cooldown,frozen", "--override", "known-bad", "--when-paused", "resume")
    done = run("rollback", "shop", "--instance", "web2", *words)
    assert done.exit_code == 0, done.output
    (rollback,) = ledger.rollbacks.list()
    assert rollback.spec["overridden"] == ["cooldown", "frozen", "known-bad"]
    assert rollback.spec["when_paused"] == "resume"


def test_why_says_so_for_a_quiet_service_and_for_nothing(run: Run, ledger: Ledger, redis_server: Redis) -> None:
    """As text and as data; two questions at once are one too many."""
    assert "Nothing is known of it" in run("why", "shop").output
    assert run("why", "shpo").exit_code == 1
    ident = asking(ledger, redis_server)
    assert f"Rollback {ident}  shop on web2" in run("why", "--last").output
    assert json.loads(run("why", ident, "--json").output)["about"] == {"kind": "rollback", "id": ident}
    assert run("why").exit_code == 2
    assert run("why", ident, "--last").exit_code == 2


def test_down_prints_what_stands_and_puts_it_back(run: Run, ledger: Ledger) -> None:
    """With `--yes`; without a terminal to ask on, it says what it would do and exits with 1."""
    assert run("down").output.strip() == "There is nothing to put back."
    ledger.hands.pause("", "ann", "network", None)
    ledger.hands.lock("shop", "ci", "deploy", 60)
    asked = run("down")
    assert (asked.exit_code, "`rollbackctl down --yes` puts back: all rules." in asked.output) == (1, True)
    assert "locked: shop by ci" in asked.output
    assert len(ledger.hands.pauses()) == 1
    done = run("down", "--yes")
    assert (done.exit_code, "Put back: all rules." in done.output) == (0, True)
    assert ledger.hands.pauses() == ()
    assert list(ledger.hands.locks()) == ["shop"], "a deployment under way keeps its lock"
    assert json.loads(run("down", "--json").output)["put_back"] is False


def test_a_gitops_owner_is_let_go_on(run: Run, ledger: Ledger) -> None:
    """By name, or with everything else; the next sweep does it."""
    owner = "eu/application/argocd/shop"
    instance = "kubernetes/eu/shop/deployment/web"
    entry = {"owner": owner, "kind": "application", "namespace": "argocd", "name": "shop", "path": "p", "uid": "u"}
    more = {"rollback": "r1", "bad": "v1.3.0", "since": "2026-11-21T03:50:11Z", "annotation": "a"}
    ledger.suspensions.note(instance, {**entry, **more})
    assert f"`rollbackctl resume --owner {owner}` lets it go on" in run("status").output
    assert run("resume", "--owner", "eu/application/argocd/other").exit_code == 1
    done = run("resume", "--owner", owner)
    assert (done.exit_code, "goes on with the next sweep" in done.output) == (0, True)
    assert [one.asked_by for one in ledger.suspensions.list()] == ["operator"]
    assert "operator wants it to go on" in run("status").output
    assert run("down").exit_code == 0
