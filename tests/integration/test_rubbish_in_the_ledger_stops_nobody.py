"""What a stranger, a disk or another version left in the ledger: it is held, dropped or begun anew, by itself.

Its neighbours never notice: their bells ring, their alerts are heard, their rollbacks are done.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from testbed.alertmanager import alert, body
from testbed.redis import Redis
from testbed.web_face import CANARY, WebFace, web_face
from testbed.worksite import WEB2, Shop

from controller.ledger import LedgerUnavailable, NewRollback
from workers.jobs import run

RUBBISH = st.sampled_from(["", "x", "-1", "1e999", "nan", "[", "[]", "{}", "null", '{"a": 1}', "9" * 400, "\x00"])
BYTES = RUBBISH.map(str.encode) | st.binary(max_size=12)
UNTAMED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
    phases=[Phase.generate],  # to make a failure smaller would take minutes, with what is real here
)


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    with Shop(tmp_path, redis_server).serving() as shop:
        yield shop


EPISODE = ["first", "heard", "closed", "rollbacks", "firing", "truncated", "labels", "annotations", "opened"]


@UNTAMED
@given(fields=st.dictionaries(st.sampled_from(EPISODE), BYTES, min_size=1))
def test_an_unreadable_episode_is_heard_anew(face: WebFace, redis_server: Redis, fields: dict[str, bytes]) -> None:
    """And the alerts beside it in the body are heard, whatever stands in it; so is what ends it."""
    with redis_server.client() as client:
        client.flushall()
    ill, well = alert(CANARY), alert({**CANARY, "pod": "b"})
    assert face.notify(body(ill)).status_code == 202
    with redis_server.client() as client:
        client.hset(f"rc:episode:{ill['fingerprint']}", mapping=fields)
    assert face.notify(body(ill, well)).status_code in {200, 202}
    with redis_server.client() as client:
        assert client.hget(f"rc:episode:{well['fingerprint']}", "closed") == ""
    assert face.ask("/api/v1/status", "reader").status_code == 200
    ended = [{**one, "status": "resolved"} for one in (ill, well)]
    assert face.notify(body(*ended)).status_code in {200, 202}


def test_ids_and_bells_of_nobody_silence_no_other(face: WebFace, redis_server: Redis) -> None:
    """An id that cannot be one is dropped; a bell that cannot be read is rung as the first."""
    ledger = face.ledger
    ident = ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2"), ring=False).id
    with redis_server.client() as client:
        odd: dict[Any, float] = {b"\xff": 1, "a b": 1, "": 1, "x" * 65: 1, "a:b": 1, "zz": 1, "r1": 1}
        client.zadd("rc:due", {**odd, ident: 2, "far": float("-inf")})
        bells = {b"\xff": "1:1", "zz": "x", "r1": f"{'9' * 400}:1", ident: f"1:{'9' * 400}", "far": ""}
        client.hset("rc:bells", mapping=bells)
        client.delete("rq:queue:rollback")
        assert ledger.bells.ring_due() == 4
        rung = client.lrange("rq:queue:rollback", 0, -1)
        assert sorted(rung) == sorted([f"{ident}-2", "zz-1", "r1-1", "far-1"])
        assert set(client.zrange("rc:due", 0, -1)) == {ident, "zz", "r1", "far"}
        assert client.zscore("rc:due", ident) < client.time()[0] * 1000 + 61_000


@UNTAMED
@given(data=st.data())
def test_an_unreadable_rollback_ends_no_job_with_an_exception(
    shop: Shop, redis_server: Redis, data: st.DataObject
) -> None:
    """Whatever field, journal entry or episode of it: it is held or ended, and what lists them still does."""
    shutil.rmtree(shop.folder / "releases", ignore_errors=True)  # so that what can be read ends soon
    with redis_server.client() as client, shop.site() as site:
        client.flushall()
        ident = shop.open(site.ledger, episodes=("1",))
        names = sorted(set(client.hgetall(f"rc:rollback:{ident}")) - {"instance"})
        record = st.dictionaries(st.sampled_from([*names, "plan", "asked", "committed_at", "joins"]), BYTES)
        journal = st.lists(BYTES | st.sampled_from([b'{"kind": "intent"}', b'{"kind": "done"}']), max_size=2)
        spoilt = data.draw(record)
        if spoilt:
            client.hset(f"rc:rollback:{ident}", mapping=spoilt)
        for entry in data.draw(journal):
            client.rpush(f"rc:journal:{ident}", entry)
        client.hset(
            "rc:episode:1", mapping=data.draw(st.dictionaries(st.sampled_from(EPISODE), BYTES, min_size=1))
        )
        client.set(f"rc:fence:{WEB2}", data.draw(BYTES))
        run(site, ident, "job-1")
        site.ledger.bells.ring_due()
        site.ledger.rollbacks.list()
        site.ledger.counts()


@UNTAMED
@given(
    fields=st.dictionaries(st.sampled_from(["1 d", "1", " ", "#at", "#x", "2 d2", "\xff"]), BYTES, min_size=1),
    kind=st.sampled_from("np"),
)
def test_an_unreadable_notification_or_question_ends_no_worker(
    shop: Shop, redis_server: Redis, fields: dict[str, bytes], kind: str
) -> None:
    """Its pairs are decided as far as they can be."""
    with redis_server.client() as client, shop.site() as site:
        client.flushall()
        client.hset("rc:notification:n1", mapping=fields)
        client.set("rc:ask:p1", next(iter(fields.values())))
        client.hset("rc:episode:1", mapping=fields)
        run(site, f"{kind}1", "job-1")


TYPES = ["due", "bells", "book", "unfinished", "history", "unsealed", "seals", "decisions", "totals"]


@pytest.mark.parametrize("name", TYPES)
def test_a_key_of_another_type_is_told_and_not_believed(face: WebFace, redis_server: Redis, name: str) -> None:
    """Whoever needs it waits, as for a Redis that is away, and says which words to look for."""
    with redis_server.client() as client:
        client.set(f"rc:{name}", "x")
        answers = [
            face.notify(json.dumps(body(alert(CANARY))).encode()),
            *(face.ask(f"/api/v1/{path}", "reader") for path in ("status", "rollbacks", "audit", "decisions")),
        ]
        assert {answer.status_code for answer in answers} <= {200, 202, 503}
        said = [answer.json["error"] for answer in answers if answer.status_code == 503]  # type: ignore[index]
        assert all("A key of ours holds what we never wrote" in sentence for sentence in said)
        for deed in (face.ledger.bells.ring_due, face.ledger.seals.waiting, face.ledger.counts):
            with contextlib.suppress(LedgerUnavailable):
                deed()
