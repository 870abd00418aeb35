"""Rollbacks in the ledger: opened once per instance, then only moved, by one script each."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import structlog

from controller.ledger.connection import Client, Scripts, translated
from controller.ledger.doorbell import Doorbell
from controller.ledger.ids import effect_of, new_id
from controller.ledger.keys import HISTORY, UNFINISHED, key
from controller.ledger.newer import nobody_comes
from controller.ledger.records import End, NewRollback, Opened, Rollback, State
from rules.decisions import Reason
from rules.errors import Permanent
from rules.seals import chained, sum_of

log = structlog.get_logger(__name__)

AskAgain = Literal["", "joins", "all"]

_ALIVE = tuple(state for state in State if state is not State.ENDED)


class LeaseLost(Permanent):
    """The lease is somebody else's, or may be: whoever sees this writes nothing more."""

    def __init__(self) -> None:
        super().__init__(Reason.LEASE_LOST, "the lease is lost; another worker carries on")


class MovedOn(Permanent):
    """The rollback is no longer in a state that this move may come from."""

    def __init__(self, state: str) -> None:
        super().__init__(Reason.CHANGED_MEANWHILE, f"the rollback is {state or 'gone'}")
        self.state = state


@dataclass(frozen=True, slots=True)
class Hold:
    """What a worker's writes rest on: which rollback, under which lease."""

    id: str
    lease: str
    token: str


@dataclass(frozen=True, slots=True)
class Committed:
    """What `commit` said: `verdict` ok, moved, resolved, effect or book; `what` names the other party."""

    verdict: str
    what: str


class Rollbacks:
    """Opens, moves and reads rollbacks."""

    def __init__(self, connection: Client, scripts: Scripts, doorbell: Doorbell) -> None:
        self._client = connection
        self._scripts = scripts
        self._doorbell = doorbell

    def open(self, new: NewRollback, *, ring: bool = True) -> Opened:
        """Open a rollback, or join the one the instance has. Without `ring` the caller begins it himself."""
        ident = new_id("r")
        fields = orjson.dumps(new.fields()).decode()

        verdict, found, state, digest = self._scripts.run(
            "open", ident, new.instance, " ".join(new.episodes), fields
        )
        if ring and verdict == "opened":  # a crash in between costs the first pause of `due`
            self._scripts.transact(lambda pipe: self._doorbell.ring(pipe, found, 1))
        return Opened(found, verdict == "joined", state, digest)

    def get(self, ident: str) -> Rollback | None:
        """Read one record; None where nothing is known of it."""
        with translated():
            raw = self._client.hgetall(key("rollback", ident))
        return Rollback.of(raw) if raw.get("state") else None

    def list(
        self, limit: int = 50, *, states: Iterable[str] | None = None, service: str | None = None
    ) -> tuple[Rollback, ...]:
        """Read the newest rollbacks, newest first."""
        wanted = None if states is None else frozenset(states)
        found = []
        for rollback in self._newest(unfinished=wanted is not None and State.ENDED not in wanted):
            if wanted is not None and rollback.state not in wanted:
                continue
            if service is not None and rollback.service != service:
                continue
            found.append(rollback)
            if len(found) >= limit:
                break
        return tuple(found)

    def _newest(self, *, unfinished: bool) -> Iterable[Rollback]:
        with translated():
            if unfinished:
                ids = sorted(self._client.smembers(UNFINISHED), reverse=True)
                yield from sorted(self._read(ids), key=lambda r: r.opened_ms, reverse=True)
                return
            for at in range(0, self._client.zcard(HISTORY), 100):
                yield from self._read(self._client.zrevrange(HISTORY, at, at + 99))

    def _read(self, ids: Iterable[str]) -> Sequence[Rollback]:
        with self._client.pipeline(transaction=False) as pipe:
            for ident in ids:
                pipe.hgetall(key("rollback", ident))
            return [found for raw in pipe.execute() if (found := _readable(raw)) is not None]

    def cancel(self, ident: str, *, by: str, why: str, undone: bool = False) -> Rollback:
        """End what has not changed anything yet, or what is held. Raises `MovedOn` when it is too late.

        With `undone` a person takes the change back: then what is being verified ends as well. What a newer
        version wrote, and none of its workers took for minutes, ends wherever it is.
        """
        rollback = self.get(ident)
        if rollback is None:
            raise MovedOn("")
        detail = f"{'undone' if undone else 'cancelled'} by {by}" + (f": {why}" if why else "")
        newer = nobody_comes(self._client, ident)
        changed = rollback.state in (State.HELD, State.VERIFYING) and rollback.changed_ms is not None
        changed = changed or (newer and rollback.committed_ms is not None)  # nobody here can tell
        nobody = Hold(ident, rollback.instance, "")
        fields = {"outcome": End.CANCELLED, "reason": Reason.CANCELLED, "detail": detail}
        untouched = (State.PLANNED, State.WAITING)
        possible = _ALIVE if newer else (*untouched, State.HELD, *((State.VERIFYING,) if undone else ()))
        # Only from where it was read: what is held by now may have been changed since, and nobody would say so.
        come_from = untouched if rollback.state in untouched else {rollback.state} & set(possible)
        ours = (effect_of(rollback.instance, rollback.our_arrival),) if changed and rollback.our_arrival else ()
        try:
            self._move(nobody, come_from, State.ENDED, fields, changed=changed, effects=ours)
        except LeaseLost as e:  # a worker is looking at it this very moment
            raise MovedOn("being looked at by a worker right now") from e
        return self.get(ident) or rollback

    def wait_behind(self, ident: str, fingerprint: str, rule_digest: str) -> bool:
        """Have a pair asked again if a rollback changes nothing; False where that one is over already."""
        return bool(self._scripts.run("behind", ident, fingerprint, rule_digest))

    def approve(self, ident: str, *, by: str, to: str = "") -> Rollback:
        """Allow the plan that a rollback asks about, and no other. Raises `MovedOn` where it asks nothing.

        `to` is the release that the person read of; where it would go to another by now, nothing is allowed.
        """

        def build(pipe: Any) -> None:
            self._scripts.queue(pipe, "approve", ident, by, to)
            self._doorbell.ring(pipe, ident, 0)

        verdict, state = self._scripts.transact(build)[0]
        rollback = self.get(ident)
        if verdict != "ok" or rollback is None:
            raise MovedOn(state)
        return rollback

    def deny(self, ident: str, *, by: str, why: str) -> Rollback:
        """End a rollback that asks, or waits, without a change. Raises `MovedOn` when it is too late."""
        rollback = self.get(ident)
        if rollback is None:
            raise MovedOn("")
        detail = f"denied by {by}" + (f": {why}" if why else "")
        fields = {"outcome": End.REFUSED, "reason": Reason.DENIED, "detail": detail}
        self._move(Hold(ident, rollback.instance, ""), (State.PLANNED, State.WAITING), State.ENDED, fields)
        return self.get(ident) or rollback

    def move(
        self,
        hold: Hold,
        come_from: Iterable[State],
        to: State,
        fields: Mapping[str, str],
        *,
        look_again_s: float | None = None,
        release: bool = False,
        ring: bool = False,
        if_it_loops: str = "",
    ) -> None:
        """Move a rollback on, under its lease; raises `LeaseLost` or `MovedOn` and has then changed nothing.

        `look_again_s` is when `due` rings at the latest; `ring` also sounds a bell at once; `if_it_loops` as for
        `end`, and for a hold. From acting or parked to waiting, a commit that no change followed is given back.
        """
        self._move(
            hold,
            come_from,
            to,
            fields,
            look_again_s=look_again_s,
            release=release,
            bell=hold.id if ring else "",
            if_it_loops=if_it_loops,
        )

    def just_left(self, instance: str, kept_s: float) -> frozenset[str]:
        """Return the releases that an instance was rolled back from within so many seconds."""
        with translated():
            oldest_ms = (int(self._client.time()[0]) - kept_s) * 1000
            left = self._client.hgetall(key("left", instance))
        return frozenset(release for release, at in left.items() if int(at) > oldest_ms)

    def made_by(self, instance: str, arrival: str) -> str | None:
        """Return the rollback that has acted on an arrival already, or brought it; None where none has."""
        with translated():
            made: str | None = self._client.get(key("effect", effect_of(instance, arrival)))
        return made

    def end(
        self,
        hold: Hold,
        fields: Mapping[str, str],
        *,
        changed: bool,
        effects: Iterable[str] = (),
        ask_again: AskAgain = "",
        if_it_loops: str = "",
    ) -> None:
        """End a rollback and clear its claim; one that changed nothing gives its reservation back.

        `ask_again` puts alerts that still fire before the rules once more: those that joined under other
        terms, at once ("joins"); or those, and the others once they are heard again ("all").
        `if_it_loops` is told to people where this opens the loop-breaker of its service, with `{why}` filled in.
        """
        self._move(
            hold,
            _ALIVE,
            State.ENDED,
            fields,
            release=True,
            changed=changed,
            effects=effects,
            ask_again=ask_again,
            if_it_loops=if_it_loops,
        )

    def hold_unreadable(self, hold: Hold, state: str, fields: Mapping[str, str]) -> None:
        """Hold a record whose state, or whatever else, cannot be read; only a person moves it on."""
        try:
            self._move(hold, (*_ALIVE, state), State.HELD, fields, release=True)
        except (LeaseLost, MovedOn) as e:
            log.warning("rollback.not_written", rollback=hold.id, error=str(e))

    def _move(  # noqa: PLR0913 - the words of one move
        self,
        hold: Hold,
        come_from: Iterable[str],
        to: State,
        fields: Mapping[str, str],
        *,
        look_again_s: float | None = None,
        release: bool = False,
        changed: bool = False,
        effects: Iterable[str] = (),
        ask_again: AskAgain = "",
        bell: str = "",
        if_it_loops: str = "",
    ) -> None:
        again = "" if look_again_s is None else str(round(look_again_s * 1000))
        args = (
            hold.id,
            " ".join(come_from),
            to,
            hold.lease,
            hold.token,
            orjson.dumps(dict(fields)).decode(),
            again,
            "1" if release else "",
            "1" if changed else "",
            " ".join(effects),
            ask_again,
            new_id("n"),
            secrets.token_hex(8),
            if_it_loops,
        )

        def build(pipe: Any) -> None:
            self._scripts.queue(pipe, "move", *args)
            if bell:
                self._doorbell.ring(pipe, bell, 0)

        verdict, state = self._scripts.transact(build)[0] if bell else self._scripts.run("move", *args)
        if verdict == "lost":
            raise LeaseLost
        if verdict == "moved":
            raise MovedOn(state)

    def commit(
        self,
        hold: Hold,
        *,
        effect: str,
        book: str,
        from_release: str,
        fields: Mapping[str, str],
        campaign: str = "",
        line: str = "",
        again: bool = False,
    ) -> Committed:
        """Make the last write before the first change; raises `LeaseLost`.

        `again` where it was made before by somebody who changed nothing: what is reserved stays as it is.
        """
        text = orjson.dumps(dict(fields)).decode()
        verdict, what = self._scripts.run(
            "commit",
            hold.id,
            hold.lease,
            hold.token,
            effect,
            book,
            from_release,
            text,
            campaign,
            line,
            "1" if again else "",
        )
        if verdict == "lost":
            raise LeaseLost
        return Committed(verdict, what)

    def note(self, hold: Hold, head: str, entry: Mapping[str, object]) -> str:
        """Add one entry to the journal and return the chain's new head; raises `LeaseLost`."""
        text = orjson.dumps(dict(entry)).decode()
        new_head = chained(head, sum_of(text))
        verdict = self._scripts.run("note", hold.id, hold.lease, hold.token, text, head, new_head)
        if verdict != "ok":
            raise LeaseLost
        return new_head

    def journal(self, ident: str) -> tuple[dict[str, Any], ...]:
        """Read a rollback's journal, oldest entry first."""
        with translated():
            entries = self._client.lrange(key("journal", ident), 0, -1)
        return tuple(orjson.loads(entry) for entry in entries)


def _readable(raw: Mapping[str, str]) -> Rollback | None:
    """Read a record of a list; one that cannot be read (another version's, a damaged one) hides no other."""
    if not raw.get("state"):
        return None
    try:
        return Rollback.of(raw)
    except (ValueError, KeyError, TypeError):
        log.exception("rollback.unreadable", rollback=raw.get("id"))
        return None
