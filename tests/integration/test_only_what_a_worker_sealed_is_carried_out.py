"""Whoever writes Redis may write a plan there. No worker carries one out that no worker with the key sealed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pytest
import redis
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.worksite import TERMS, WEB2, Shop

from controller.ledger import End, Heard, HeardAlert, Rollback, State
from controller.settings.numbers import Numbers
from controller.settings.sealing import Audit
from rules.decisions import Reason
from rules.instances import WorkloadInstance, WorkloadKind
from rules.inventory import Host, Stop
from rules.plans import Plan, Step, StepKind
from rules.rule import OnIneffective, Verify
from rules.seals import Key, chained, sum_of
from workers.jobs import run
from workers.site import Site

OLD, NEW, STRANGERS = (Key.of(name.encode() * 32) for name in "ons")
ACTING = (State.ACTING, State.PARKED)


class Died(BaseException):
    """The worker is gone."""


class Dying:
    """The real driver of a worker that is gone before it does a step."""

    def __init__(self, inner: object, kind: StepKind) -> None:
        self._inner, self._kind = inner, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def perform(self, step: Step, *words: object) -> object:
        """Do a step, or be gone."""
        if step.kind is self._kind:
            raise Died
        return self._inner.perform(step, *words)  # type: ignore[attr-defined]


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop that runs v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        yield shop


@contextmanager
def site_with(shop: Shop, *keys: Key) -> Iterator[Site]:
    """Give the site of a worker that has these keys."""
    with shop.site() as site:
        yield replace(site, keys=lambda: keys)


def dies_before(shop: Shop, kind: StepKind, *keys: Key, ident: str = "") -> str:
    """Open a rollback, or go on with one, and die before a step of this kind; the lease lapses."""
    with site_with(shop, *keys) as site:
        found = ident or shop.open(site.ledger)
        dying = replace(site, reach=lambda *words: Dying(shop.reach(*words), kind))
        with pytest.raises(Died):
            run(dying, found, "job-1")
    lapse(shop)
    return found


def lapse(shop: Shop) -> None:
    """Let the lease lapse, as its TTL would."""
    with shop.server.client() as client:
        client.delete(f"rc:lease:{WEB2}")


def write(shop: Shop, ident: str, **fields: str) -> None:
    """Write into a record, as who has the password of Redis may."""
    with shop.server.client() as client:
        client.hset(f"rc:rollback:{ident}", mapping=fields)


def harmful(shop: Shop) -> str:
    """Return a plan whose restart is a stranger's own program."""
    steps = (
        Step(StepKind.RESTART, "restart it", "restart it", {"current": str(shop.folder / "current"),
             "target": "releases/v1.3.0", "name": "v1.3.0", "kind": "command", "unit": None, "signal": None,
             "path": None, "argv": ["touch", str(shop.folder / "owned")]}),
    )  # fmt: skip
    return Plan(WEB2, "v1.3.0", "v1.2.0", "", steps).to_json()


def drains(shop: Shop) -> str:
    """Return a plan that has begun to drain by a stranger's command, and would take that back by another."""
    words = {"current": str(shop.folder / "current"), "within_s": 5}
    argv = ["touch", str(shop.folder / "owned")]
    steps = (
        Step(StepKind.DRAIN, "run it", "run it", {**words, "note": "drain", "argv": argv}),
        Step(StepKind.UNDRAIN, "run it", "run it", {**words, "note": "undrain", "argv": argv}),
    )
    return Plan(WEB2, "v1.3.0", "v1.2.0", "", steps).to_json()


def forged(shop: Shop, site: Site, state: State, plan: str, *journal: dict[str, object]) -> str:
    """Write the record of a rollback that nobody planned."""
    ident = shop.open(site.ledger)
    now = str(round(time.time() * 1000))
    fields = {"state": str(state), "plan": plan, "way_back": plan, "to": "v1.2.0", "from": "v1.3.0"}
    fields |= {"committed_at": now, "acting_since": now, "changed_at": now, "undone_as": "failed"}
    write(shop, ident, **fields)
    lay_down(shop, ident, journal)
    return ident


def lay_down(shop: Shop, ident: str, journal: tuple[dict[str, object], ...] | list[Any]) -> None:
    """Write a journal whose chain is right."""
    head = ""
    with shop.server.client() as client:
        client.delete(f"rc:journal:{ident}")
        for entry in journal:
            text = entry if isinstance(entry, str) else orjson.dumps(entry).decode()
            head = chained(head, sum_of(text))
            client.rpush(f"rc:journal:{ident}", text)
        client.hset(f"rc:rollback:{ident}", "journal_head", head)


def said(state: State, plan: str) -> tuple[dict[str, object], ...]:
    """Return the journal of one who planned it and has begun, without a seal."""
    kind = "way-back" if state is State.UNDOING else "prepared"
    digest = sum_of(plan)
    intent = {"kind": "intent", "phase": "plan", "step": 0, "step_kind": "drain", "before": {}, "fence": 1}
    return ({"kind": kind, "plan": digest, "fence": 1}, intent)


@pytest.mark.parametrize("believable", [False, True])
@pytest.mark.parametrize("state", [State.UNDOING, State.ACTING, State.PARKED])
@pytest.mark.parametrize("plan", [harmful, drains])
def test_a_strangers_plan_is_held(shop: Shop, state: State, plan: Callable[[Shop], str], believable: bool) -> None:
    """In each state that goes by a stored plan: nothing of it runs, and it says who may have written it."""
    text = plan(shop)
    with site_with(shop, OLD) as site:
        ident = forged(shop, site, state, text, *(said(state, text) if believable else ()))
        held = shop.work(site, ident)
    assert (held.state, held.reason) == (State.HELD, Reason.NOT_SEALED)
    assert "somebody who wrote into Redis" in held.detail
    assert (shop.running, shop.restarts, (shop.folder / "owned").exists()) == ("v1.3.0", 0, False)


@pytest.mark.parametrize("state", [State.UNDOING, State.ACTING, State.PARKED])
@pytest.mark.parametrize("plan", [harmful, drains])
def test_without_a_key_no_command_is_run_that_the_inventory_has_not(
    shop: Shop, state: State, plan: Callable[[Shop], str]
) -> None:
    """The stored step is compared with the inventory of today, and held."""
    text = plan(shop)
    with shop.site() as site:
        intent = {"kind": "intent", "phase": "plan", "step": 0, "step_kind": "restart", "before": {}, "fence": 1}
        ident = forged(shop, site, state, text, intent)
        held = shop.work(site, ident)
    assert (held.state, held.reason) == (State.HELD, Reason.INVENTORY_CHANGED)
    assert "`argv`" in held.detail
    assert not (shop.folder / "owned").exists()


def test_a_sealed_plan_of_another_rollback_is_none_for_this_one(shop: Shop) -> None:
    """Its record and its journal, copied whole: the seals name the rollback they were made for."""
    with site_with(shop, OLD) as site:
        honest = shop.work_to_the_end(site, shop.open(site.ledger))
        assert honest.outcome == End.RECOVERED
        shop.arrive("v1.3.0")
        ident = forged(shop, site, State.ACTING, honest.plan)
        with shop.server.client() as client:
            lay_down(shop, ident, client.lrange(f"rc:journal:{honest.id}", 0, 1))
        held = shop.work(site, ident)
    assert (held.state, held.reason) == (State.HELD, Reason.NOT_SEALED)
    assert (shop.running, shop.restarts) == ("v1.3.0", 1)


def test_a_record_under_another_name_is_not_read(shop: Shop) -> None:
    """A record that says it is another rollback would be acted on in that one's name."""
    with site_with(shop, OLD) as site:
        ident = shop.open(site.ledger)
        write(shop, ident, id="r-another")
        run(site, ident, "job-1")
        with shop.server.client() as client:
            assert client.hget(f"rc:rollback:{ident}", "reason") == Reason.RECORD_UNREADABLE
    assert shop.restarts == 0


Tamper = Callable[[redis.Redis, str], object]


def _field(name: str, old: str, new: str) -> Tamper:
    def change(client: redis.Redis, ident: str) -> None:
        text = client.hget(f"rc:rollback:{ident}", name)
        assert old in text
        client.hset(f"rc:rollback:{ident}", name, text.replace(old, new))

    return change


def _journal(change: Callable[[list[str]], list[str]]) -> Tamper:
    def tamper(client: redis.Redis, ident: str) -> None:
        entries = change(client.lrange(f"rc:journal:{ident}", 0, -1))
        head = ""
        for text in entries:
            head = chained(head, sum_of(text))
        client.delete(f"rc:journal:{ident}")
        client.rpush(f"rc:journal:{ident}", *entries)
        client.hset(f"rc:rollback:{ident}", "journal_head", head)

    return tamper


_DONE = orjson.dumps({"kind": "done", "phase": "plan", "step": 1, "step_kind": "restart", "fence": 9}).decode()
_BACK = orjson.dumps({"kind": "given-back", "fence": 9}).decode()


def _gone(client: redis.Redis, ident: str) -> None:
    client.delete(f"rc:journal:{ident}")
    client.hdel(f"rc:rollback:{ident}", "journal_head")


def _bare(entries: list[str]) -> list[str]:
    plain = [orjson.loads(text) for text in entries]
    return [orjson.dumps({name: word for name, word in one.items() if name != "seal"}).decode() for one in plain]


@pytest.mark.parametrize(
    "tamper",
    [
        _field("plan", "v1.2.0", "v1.1.0"),
        _field("plan", "restarts", "strangers"),
        _field("spec", '"on_ineffective":"hold"', '"on_ineffective":"undo"'),
        _field("by", "alice", "mallory"),
        _field("service", "shop", "other"),
        _field("spec", '"gitops":"refuse"', '"gitops":"force"'),
        _journal(lambda entries: [*entries, _DONE]),
        _journal(lambda entries: [*entries, _BACK]),
        _journal(lambda entries: [entries[0], *entries[2:]]),
        _journal(lambda entries: [*entries[:-1], entries[-1].replace('"step":1', '"step":2')]),
        _journal(lambda entries: [entries[1], entries[0], *entries[2:]]),
        _journal(_bare),
        _gone,
    ],
)  # fmt: skip
def test_an_honest_record_that_was_changed_is_held(shop: Shop, tamper: Tamper) -> None:
    """Its plan, its terms, whose it is, or what its journal says was done: between the switch and the restart."""
    ident = dies_before(shop, StepKind.RESTART, OLD)
    assert shop.running == "v1.2.0"
    with shop.server.client() as client:
        tamper(client, ident)
    with site_with(shop, OLD) as site:
        held = shop.work(site, ident, "job-2")
    assert (held.state, held.reason) == (State.HELD, Reason.NOT_SEALED), held.detail
    assert shop.restarts == 0


def test_a_forged_journal_skips_no_step_of_a_plan_to_come(shop: Shop) -> None:
    """What a stranger says was done before the plan is even made: the rollback ends, with nothing changed."""
    with site_with(shop, OLD) as site:
        ident = shop.open(site.ledger)
        lay_down(shop, ident, [_DONE])
        ended = shop.work(site, ident)
    assert (ended.state, ended.outcome, ended.reason) == (State.ENDED, End.REFUSED, Reason.NOT_SEALED)
    assert (shop.running, shop.restarts) == ("v1.3.0", 0)


@pytest.mark.parametrize("kind", [StepKind.SWITCH, StepKind.RESTART, StepKind.HEALTH, StepKind.KEEP_STABLE])
def test_another_worker_with_the_key_goes_on(shop: Shop, kind: StepKind) -> None:
    """Whatever step the worker dies before."""
    ident = dies_before(shop, kind, OLD)
    with site_with(shop, OLD) as site:
        done = shop.work_to_the_end(site, ident)
    assert (done.outcome, shop.running) == (End.RECOVERED, "v1.2.0")
    assert shop.restarts == 1


def test_another_worker_goes_on_with_the_way_back(shop: Shop) -> None:
    """The way back is planned later, and sealed as the plan is."""
    shop.sick = {"v1.2.0"}
    with site_with(shop, OLD) as site:
        ident = shop.open(site.ledger, spec=replace(TERMS, healthy_within_s=0.3).write())
        restarted = 0

        class DiesBack(Dying):
            def perform(self, step: Step, *words: object) -> object:
                nonlocal restarted
                restarted += step.kind is StepKind.RESTART
                if restarted == 2:
                    raise Died
                return self._inner.perform(step, *words)  # type: ignore[attr-defined]

        with pytest.raises(Died):
            run(replace(site, reach=lambda *w: DiesBack(shop.reach(*w), StepKind.RESTART)), ident, "job-1")
    lapse(shop)
    with site_with(shop, OLD) as site:
        going = site.ledger.rollbacks.get(ident)
        assert going is not None
        assert (going.state, shop.running, shop.restarts) == (State.UNDOING, "v1.3.0", 1)
        done = shop.work_to_the_end(site, ident)
    assert (done.outcome, shop.restarts) == (End.FAILED, 2)


def test_a_way_back_is_not_made_from_a_plan_that_was_changed(shop: Shop) -> None:
    """Where it did not help: what was there before is somebody's word, and is not brought back."""
    shop.numbers = Numbers(group_interval_s=5, heard_write_every_s=0.01)
    undoes = replace(
        rule(),
        verify=Verify(healthy_within_s=5, steady_s=0, cleared_within_s=0.4, on_ineffective=OnIneffective.UNDO),
    )
    shop.house.rules = Book(undoes)
    shop.with_service(hosts=(Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),))
    labels = orjson.dumps(ALERT).decode()

    def fires(site: Site) -> Rollback:
        heard = HeardAlert("aa", True, round(time.time() * 1000), labels, "{}", (undoes.digest,))
        site.ledger.hear(Heard.of([heard]))
        with shop.server.client() as client:
            rung = client.lrange("rq:queue:rollback", 0, -1)
            client.delete("rq:queue:rollback")
        for ident in {job.split("-")[0] for job in rung if job.startswith("n")}:
            run(site, ident, "job-1")
        (found,) = site.ledger.rollbacks.list(1)
        return found

    with site_with(shop, OLD) as site:
        found = fires(site)
        assert (found.state, shop.running) == (State.VERIFYING, "v1.2.0")
        with shop.server.client() as client:
            plan = found.plan.replace("releases/v1.3.0", "../evil/v1.3.0")
            client.hset(f"rc:rollback:{found.id}", "plan", plan)
        over_ms = (found.changed_ms or 0) + 450
        while site.ledger.booking.now_ms() <= over_ms:
            fires(site)
        held = shop.work(site, found.id, "job-2")
    assert (held.state, held.reason) == (State.HELD, Reason.NOT_SEALED), held.detail
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)


def test_a_new_key_takes_over_from_the_old_one(shop: Shop) -> None:
    """The last line seals, the lines before still say what they sealed; without the old one nobody can tell."""
    ident = dies_before(shop, StepKind.RESTART, OLD)
    with site_with(shop, NEW) as site:
        waits = shop.work(site, ident, "job-2")
        assert (waits.state, waits.reason, shop.restarts) == (State.PARKED, Reason.NOT_SEALED, 0)
        assert OLD.name in waits.detail
    again = dies_before(shop, StepKind.HEALTH, OLD, NEW, ident=ident)
    with site_with(shop, STRANGERS, OLD, NEW) as site:
        done = shop.work_to_the_end(site, again)
        journal = site.ledger.rollbacks.journal(ident)
    assert (done.outcome, shop.restarts) == (End.RECOVERED, 1)
    assert {entry["seal"]["key"] for entry in journal} == {OLD.name, NEW.name}


def test_what_nobody_can_judge_is_held_once_acting_took_too_long(shop: Shop) -> None:
    """Until then a worker with the right key may come."""
    ident = dies_before(shop, StepKind.RESTART, STRANGERS)
    write(shop, ident, acting_since="1000")
    with site_with(shop, OLD) as site:
        held = shop.work(site, ident, "job-2")
    assert (held.state, held.reason, shop.restarts) == (State.HELD, Reason.NOT_SEALED, 0)


def test_a_worker_without_the_key_leaves_what_is_sealed_to_one_that_has_it(shop: Shop) -> None:
    """It waits, and costs no attempt; the other goes on. What the one without plans, the other holds."""
    ident = dies_before(shop, StepKind.RESTART, OLD)
    with site_with(shop) as site:
        waits = shop.work(site, ident, "job-2")
        assert (waits.state, waits.reason, waits.attempts) == (State.PARKED, Reason.NOT_SEALED, 0)
        assert shop.restarts == 0
    with site_with(shop, OLD) as site:
        assert shop.work_to_the_end(site, ident).outcome == End.RECOVERED
    shop.arrive("v1.3.0")
    unsealed = dies_before(shop, StepKind.RESTART)
    with site_with(shop, OLD) as site:
        held = shop.work(site, unsealed, "job-2")
    assert (held.state, held.reason) == (State.HELD, Reason.NOT_SEALED)
    assert "by a worker that has no key, before `audit.key-file` was set" in held.detail
    assert shop.restarts == 1


def test_without_a_key_nothing_is_sealed_and_another_goes_on(shop: Shop) -> None:
    """As it was."""
    ident = dies_before(shop, StepKind.RESTART)
    with shop.site() as site:
        assert shop.work_to_the_end(site, ident).outcome == End.RECOVERED
        assert not any("seal" in entry for entry in site.ledger.rollbacks.journal(ident))


def test_a_key_that_cannot_be_read_lets_nothing_begin(shop: Shop) -> None:
    """It waits for the file, and says which; when it can be read, it goes on."""
    file = shop.folder / "audit.key"
    with shop.site() as plain:
        site = replace(plain, keys=Audit(key_file=file).keys)
        ident = shop.open(site.ledger)
        waits = shop.work(site, ident)
        assert (waits.state, waits.reason) == (State.WAITING, Reason.NOT_SEALED)
        assert str(file) in waits.detail
        assert (shop.running, shop.restarts) == ("v1.3.0", 0)
        file.write_text("k" * 32)
        file.chmod(0o600)
        assert shop.work_to_the_end(site, ident).outcome == End.RECOVERED


def test_an_inventory_that_changed_under_way_is_said(shop: Shop) -> None:
    """Honest and changed: what was planned is not run any more, and a person is told which part differs."""
    ident = dies_before(shop, StepKind.RESTART, OLD)
    shop.with_service(restart=replace(shop.service().restart, argv=("/bin/true",)), stop=Stop(("/bin/true",)))
    with site_with(shop, OLD) as site:
        held = shop.work(site, ident, "job-2")
    assert (held.state, held.reason) == (State.HELD, Reason.INVENTORY_CHANGED)
    assert "the step restart is not what the inventory says of shop on web2 now (`argv`)" in held.detail
    assert shop.restarts == 0


def test_no_script_in_redis_ever_gets_the_key(shop: Shop) -> None:
    """Whatever is sent there, the key is not among it."""
    with shop.server.client() as client, client.monitor() as monitor, site_with(shop, OLD) as site:
        done = shop.work_to_the_end(site, shop.open(site.ledger))
        client.echo("over")
        sent = []
        for command in monitor.listen():
            sent.append(command["command"])
            if "over" in command["command"].lower() and command["command"].startswith("ECHO"):
                break
    assert done.outcome == End.RECOVERED
    assert len(sent) > 10
    assert not any(OLD.secret.decode() in command for command in sent)


@pytest.mark.parametrize("state", [State.UNDOING, State.ACTING, State.PARKED])
@pytest.mark.parametrize("believable", [False, True])
def test_a_strangers_pod_template_reaches_no_cluster(shop: Shop, state: State, believable: bool) -> None:
    """Not even a look is taken at a cluster for it."""
    workload = WorkloadInstance("prod", "default", WorkloadKind.DEPLOYMENT, "web").id
    template = {"spec": {"containers": [{"name": "web", "image": "evil:1"}]}}
    values = {"template": template, "was": {"metadata": {"uid": "1"}, "sha": "2"}, "sha": "3", "replicas": None}
    text = Plan(workload, "v2", "v1", "", (Step(StepKind.PATCH, "write it", "write it", values),)).to_json()
    reached: list[object] = []

    def reach(*words: object) -> NoReturn:
        reached.append(words)
        raise AssertionError

    with site_with(shop, OLD) as site:
        ident = shop.open(site.ledger, instance=workload, host="", service="web")
        now = str(round(time.time() * 1000))
        write(shop, ident, state=str(state), plan=text, way_back=text, acting_since=now, changed_at=now)
        lay_down(shop, ident, said(state, text) if believable else ())
        held = shop.work(replace(site, reach=reach), ident)
    assert (held.state, held.reason, reached) == (State.HELD, Reason.NOT_SEALED, [])
