"""What ended is sealed, and `history --verify` finds whatever was changed in Redis afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
import redis
from click.testing import CliRunner, Result
from testbed.installation import Installation
from testbed.redis import Redis
from testbed.wait import until
from testbed.web_face import INVENTORY, RULES

from controller.cli.main import cli
from controller.ledger import Hold, Ledger, NewRollback, Taken
from controller.settings.sealing import Audit
from rules.seals import Key
from workers.sealing import Sealing

HIDDEN = {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:v1", "env": "hunter2"}]}}}
Run = Callable[..., Result]
Tamper = Callable[[redis.Redis, list[str]], object]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, valkey_server: Redis) -> Iterator[Installation]:
    """Run a server whose settings name a key, for all tests of this page."""
    folder = tmp_path_factory.mktemp("audit")
    key = folder / "audit.key"
    key.write_text("k" * 32)
    key.chmod(0o600)
    made = Installation(folder, valkey_server.url, RULES, INVENTORY, more={"audit": {"key-file": "audit.key"}})
    with made.serving():
        yield made


@pytest.fixture
def verify(serving: Installation, redis_server: Redis) -> Run:
    """Give a way to run `history --verify`, against an empty ledger."""
    del redis_server

    def command(*words: str) -> Result:
        env = {
            "ROLLBACK_CONFIG": str(serving.settings_file),
            "ROLLBACK_TOKEN": serving.token_file("reader").read_text().strip(),
        }
        return CliRunner().invoke(cli, ["history", "--verify", *words], env=env)

    return command


@pytest.fixture
def sealing(serving: Installation, ledger: Ledger) -> Sealing:
    """Give the reconciler's part, with the same key."""
    return Sealing(ledger, Audit(key_file=serving.folder / "audit.key"))


def ended(ledger: Ledger, host: str, *, service: str = "shop") -> str:
    """Carry a rollback to its end, with four entries in its journal."""
    instance = f"hosts/default/{service}/{host}"
    ident = ledger.rollbacks.open(NewRollback(instance, service, host, by="ann", why="ünïcode"), ring=False).id
    taken = ledger.leases.take(ident, holder="job:1", kind="rollback")
    assert isinstance(taken, Taken)
    hold = Hold(taken.id, taken.lease, taken.token)
    head = ""
    for n in range(4):
        head = ledger.rollbacks.note(hold, head, {"kind": "done", "n": n, **({"seen": HIDDEN} if n == 2 else {})})
    fields = {"outcome": "recovered", "to": "v1.2.0", "detail": "well", "plan": orjson.dumps(HIDDEN).decode()}
    ledger.rollbacks.end(hold, fields, changed=True)
    return ident


def three(ledger: Ledger, sealing: Sealing) -> list[str]:
    """Return three that ended, in the order of their seals."""
    for n in (1, 2, 3):
        ended(ledger, f"web{n}")
    ids = list(ledger.seals.waiting())
    assert sealing.look() == 3
    return ids


def told(result: Result) -> dict[str, str]:
    """Return what is said of each rollback that is not whole."""
    return {one["id"]: one["why"] for one in json.loads(result.stdout)["rollbacks"] if one["verdict"] != "whole"}


def test_what_ended_is_sealed_and_whole(verify: Run, ledger: Ledger, sealing: Sealing) -> None:
    """Each with a number; what is under way, or has just ended, is not sealed yet and breaks nothing."""
    three(ledger, sealing)
    under_way = ledger.rollbacks.open(NewRollback("hosts/default/shop/web9", "shop", "web9"), ring=False).id
    result = verify()
    assert result.exit_code == 0, result.output
    assert "3 sealed and whole, 1 not sealed, 0 broken." in result.output
    assert "The newest seal has number 3." in result.output
    just_now = ended(ledger, "web4", service="pay")
    result = verify("--json")
    assert result.exit_code == 0, result.output
    assert told(result) == {
        under_way: "it has not ended",
        just_now: "what ends is sealed within seconds: look for seals.key_unusable in the workers' log",
    }
    assert len(json.loads(verify("--json", "--service", "pay").stdout)["rollbacks"]) == 1
    assert sealing.look() == 1
    assert sealing.look() == 0


def _byte(client: redis.Redis, ids: list[str]) -> None:
    entry = client.lindex(f"rc:journal:{ids[1]}", 1)
    client.lset(f"rc:journal:{ids[1]}", 1, entry.replace('"n":1', '"n":7'))


def _swap(client: redis.Redis, ids: list[str]) -> None:
    journal = f"rc:journal:{ids[1]}"
    first, second = client.lrange(journal, 0, 1)
    client.lset(journal, 0, second)
    client.lset(journal, 1, first)


def _field(name: str, value: str) -> Tamper:
    return lambda client, ids: client.hset(f"rc:rollback:{ids[1]}", name, value)


def _rewritten(client: redis.Redis, ids: list[str]) -> None:
    """Change an entry, and lead the chain there."""
    _byte(client, ids)
    ours, theirs = f"rc:rollback:{ids[1]}", f"rc:journal:{ids[1]}"
    from rules.seals import chained, sum_of  # noqa: PLC0415 - as an attacker who has read our source would

    head = ""
    for entry in client.lrange(theirs, 0, -1):
        head = chained(head, sum_of(entry))
    client.hset(ours, "journal_head", head)


def _reused(client: redis.Redis, ids: list[str]) -> None:
    client.hset(f"rc:rollback:{ids[1]}", "seal", client.hget(f"rc:rollback:{ids[0]}", "seal"))


def _sealed_by_another_key(client: redis.Redis, ids: list[str]) -> None:
    from rules.seals import Stored, sealed  # noqa: PLC0415

    _field("outcome", "failed")(client, ids)
    stored = Stored.of(
        ids[1], client.hgetall(f"rc:rollback:{ids[1]}"), client.lrange(f"rc:journal:{ids[1]}", 0, -1)
    )
    client.hset(f"rc:rollback:{ids[1]}", "seal", sealed(stored, Key.of(b"x" * 32), 2, 1))


def _under_our_keys_name(client: redis.Redis, ids: list[str]) -> None:
    _sealed_by_another_key(client, ids)
    seal = json.loads(client.hget(f"rc:rollback:{ids[1]}", "seal"))
    client.hset(f"rc:rollback:{ids[1]}", "seal", json.dumps({**seal, "key": Key.of(b"k" * 32).name}))


TAMPERED: dict[str, tuple[Tamper, str]] = {
    "one byte of an entry": (_byte, "entry 2 of its journal differs (of 4 that were sealed)"),
    "an entry, with its chain led there": (_rewritten, "entry 2 of its journal differs (of 4 that were sealed)"),
    "the last entry dropped": (
        lambda client, ids: client.rpop(f"rc:journal:{ids[1]}"),
        "entry 4 is missing from its journal (4 were sealed, 3 are there)",
    ),
    "an entry added": (
        lambda client, ids: client.rpush(f"rc:journal:{ids[1]}", "{}"),
        "entry 5 was added to its journal (4 were sealed, 5 are there)",
    ),
    "two entries swapped": (_swap, "entry 1 of its journal differs (of 4 that were sealed)"),
    "the whole journal": (
        lambda client, ids: client.delete(f"rc:journal:{ids[1]}"),
        "entry 1 is missing from its journal (4 were sealed, 0 are there)",
    ),
    "outcome": (_field("outcome", "failed"), "field `outcome` of the record differs"),
    "detail": (_field("detail", "wel1"), "field `detail` of the record differs"),
    "to": (_field("to", "v1.0.0"), "field `to` of the record differs"),
    "plan": (_field("plan", "{}"), "field `plan` of the record differs"),
    "state": (_field("state", "held"), "field `state` of the record differs"),
    "a field added": (_field("approved_by", "boss"), "field `approved_by` of the record was added"),
    "a field taken away": (
        lambda client, ids: client.hdel(f"rc:rollback:{ids[1]}", "why"),
        "field `why` of the record is missing",
    ),
    "not UTF-8": (
        lambda client, ids: client.hset(f"rc:rollback:{ids[1]}", "detail", b"\xff"),
        "field `detail` of the record differs",
    ),
    "another rollback's seal": (_reused, "field `"),
    "a seal of rubbish": (_field("seal", '{"number": 2}'), "what stands as its seal is none"),
    "a seal of deep rubbish": (_field("seal", "[" * 100_000), "what stands as its seal is none"),
    "a seal that is no sum": (
        _field("seal", '{"number": 2, "key": "k", "at": 1, "fields": {}, "journal": [], "mac": "\\ud800"}'),
        "what stands as its seal is none",
    ),
    "a seal of another key": (
        _sealed_by_another_key,
        f"it is sealed with key '{Key.of(b'x' * 32).name}', which the key file does not have",
    ),
    "a seal of another key under our key's name": (_under_our_keys_name, "its seal was not made for it"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_changed_is_found(
    what: str, verify: Run, ledger: Ledger, sealing: Sealing, redis_server: Redis
) -> None:
    """The rollback is named, with the first thing that differs; its neighbours are whole."""
    tamper, wanted = TAMPERED[what]
    ids = three(ledger, sealing)
    with redis_server.client() as client:
        tamper(client, ids)
    result = verify("--json")
    assert result.exit_code == 1, result.output
    found = told(result)
    assert wanted in found[ids[1]]
    assert not {ids[0], ids[2]} & set(found)


def test_what_was_changed_counts_once(verify: Run, ledger: Ledger, sealing: Sealing, redis_server: Redis) -> None:
    """A seal that does not fit is told of where it stands, and not once more as missing."""
    ids = three(ledger, sealing)
    with redis_server.client() as client:
        client.hset(f"rc:rollback:{ids[1]}", "outcome", "failed")
    assert told(verify("--json")) == {ids[1]: "field `outcome` of the record differs"}


@pytest.mark.parametrize("score", [7.5, -3, float("inf")])
def test_a_number_that_is_none_stops_sealing_aloud(
    ledger: Ledger, sealing: Sealing, redis_server: Redis, capfd: pytest.CaptureFixture[str], score: float
) -> None:
    """What ended waits, and the log says what was tampered with."""
    with redis_server.client() as client:
        client.zadd("rc:seals", {"x": score})
    ended(ledger, "web1")
    assert sealing.look() == 0
    assert "seals.number_unusable" in "".join(capfd.readouterr())


def test_what_cannot_be_read_as_it_is_stored_holds_up_no_other(
    ledger: Ledger, sealing: Sealing, redis_server: Redis
) -> None:
    """However many there are: each is put off, and those behind them are sealed."""
    spoilt = [ended(ledger, f"web{n}") for n in range(51)]
    with redis_server.client() as client:
        for ident in spoilt:
            client.hset(f"rc:rollback:{ident}", "detail", b"\xff")
    ended(ledger, "good")
    assert [sealing.look(), sealing.look()] == [0, 1]


def test_a_seal_taken_away_is_missed(verify: Run, ledger: Ledger, sealing: Sealing, redis_server: Redis) -> None:
    """By its number, though it is the newest."""
    ids = three(ledger, sealing)
    with redis_server.client() as client:
        client.hdel(f"rc:rollback:{ids[2]}", "seal")
    result = verify()
    assert result.exit_code == 1
    assert "seal number 3: the rollback is no longer there" in result.output


def test_a_rollback_taken_away_is_missed(
    verify: Run, ledger: Ledger, sealing: Sealing, redis_server: Redis
) -> None:
    """With its entries in every index; the oldest may be gone, because history ends somewhere."""
    ids = three(ledger, sealing)
    with redis_server.client() as client:
        for name in (f"rc:rollback:{ids[1]}", f"rc:journal:{ids[1]}"):
            client.delete(name)
        for name in ("rc:history", "rc:seals", "rc:unsealed"):
            client.zrem(name, ids[1])
        result = verify()
        assert result.exit_code == 1
        assert "seal number 2: the rollback is no longer there" in result.output
        client.delete(f"rc:rollback:{ids[0]}", f"rc:journal:{ids[0]}")
    assert verify().exit_code == 0


def test_without_a_key_only_the_chains_are_checked(
    serving: Installation, verify: Run, ledger: Ledger, sealing: Sealing, redis_server: Redis
) -> None:
    """And it says so; what the chain leads to is found all the same."""
    ids = three(ledger, sealing)
    key = serving.folder / "audit.key"
    key.chmod(0o644)
    try:
        result = verify()
        assert result.exit_code == 0, result.output
        assert "0 sealed and whole, 3 sealed and not checked" in result.output
        assert "Run `chmod o= " in result.output
        with redis_server.client() as client:
            _byte(client, ids)
        result = verify("--json")
        assert result.exit_code == 1
        assert told(result)[ids[1]] == "its journal of 4 entries does not lead to the head that the record names"
        assert verify("--key-file", str(key)).exit_code == 2
    finally:
        key.chmod(0o600)


def test_a_key_is_rotated_by_another_line(
    serving: Installation, verify: Run, ledger: Ledger, sealing: Sealing, tmp_path: Path
) -> None:
    """The last line seals; what was sealed with those before is checked with those before."""
    ids = three(ledger, sealing)
    both = tmp_path / "both.key"
    both.write_text((serving.folder / "audit.key").read_text() + "\n" + "n" * 40 + "\n")
    both.chmod(0o600)
    ended(ledger, "web4")
    assert Sealing(ledger, Audit(key_file=both)).look() == 1
    assert verify("--key-file", str(both)).exit_code == 0
    result = verify("--json")
    assert result.exit_code == 1
    assert not set(ids) & set(told(result))


def test_no_answer_holds_a_template(serving: Installation, ledger: Ledger) -> None:
    """Of an entry, or a plan, that holds one, the sum is given; the chain can be followed all the same."""
    ident = ended(ledger, "web1")
    answer = serving.ask(f"/api/v1/audit/rollbacks?ids={ident}", token="reader")
    assert "hunter2" not in answer.text
    assert [list(entry) for entry in answer.json["rollbacks"][0]["journal"]] == [["text"]] * 2 + [
        ["sum"],
        ["text"],
    ]


def test_the_reconciler_seals_within_seconds(
    serving: Installation, verify: Run, ledger: Ledger, redis_server: Redis
) -> None:
    """In a real installation nobody calls it."""
    ident = ended(ledger, "web1")
    with serving.working(), redis_server.client() as client:
        until(lambda: client.hexists(f"rc:rollback:{ident}", "seal"), within_s=20, what=f"{ident} is sealed")
    result = verify()
    assert result.exit_code == 0, result.output
    assert "1 sealed and whole" in result.output
