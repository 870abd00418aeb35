"""From a notification to rollbacks: each pair of alert and rule is decided, with a reason, and written down."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from controller.ledger import Busy, Episode, Gone, LeaseLost, LedgerUnavailable, NewRollback, Opened, Taken
from controller.ledger.decisions import Decided
from rules.alerts import Alert
from rules.decisions import Decision, Outcome, Reason
from rules.errors import Transient
from rules.facts import ceiling
from rules.rule import Mode, Rule
from rules.services import service_said_by
from rules.targets import Located, keep_running, with_besides
from rules.telling import texts
from rules.templates import LabelMissing
from workers.finding import Finder
from workers.looks import Looks
from workers.runner.lease import Lease, Stopping, boot_time
from workers.runner.unreadable import UNREADABLE
from workers.site import Site
from workers.spreading import PATIENCE_S, has_what_servers_have, pause_s
from workers.terms import Terms

log = structlog.get_logger(__name__)

_LOOK_AGAIN_MS = 5_000
_FOUND_WITHIN_S = 600
"""How long instances are looked for where the way to them fails; past it a person is told."""
_WRITTEN_TOGETHER = 100
_WRITTEN_EVERY_S = 5
_BUDGET_S = 60
"""How long one job decides; the queue's own limit would take away what is decided and not written."""


def resolve(site: Site, ident: str, job: str, finder: Finder) -> str | None:
    """Decide every pair of notification `ident`; returns the first rollback opened, for the caller to begin.

    The others are rung for. A pair whose rule is not known here yet stays, and is looked at again.
    """
    since = boot_time()
    taken = site.ledger.leases.take(ident, holder=job, kind="notification")
    if isinstance(taken, Busy | Gone):
        return None
    with Lease(
        taken, since=since, numbers=site.numbers, keeper=site.lease_ledger, stopping=site.stopping
    ) as lease:
        looks = Looks(site, lease.check_step)
        resolving = _Resolving(site, taken, lease, finder, looks)
        try:
            resolving.decide_all()
        except LeaseLost:
            log.warning("notification.lease_lost", notification=ident)
            return resolving.first
        finally:
            looks.close()
    if resolving.left:
        again_ms = 0 if site.stopping.is_set() else resolving.look_again_ms()
        unknown = resolving.unknown
        site.ledger.leases.release(ident, taken.token, ident, look_again_ms=again_ms, awaiting=unknown)
    return resolving.first


@dataclass(frozen=True, slots=True)
class _Has:
    """The rule that an instance belongs to for one alert, and its rollback."""

    rule: str
    id: str


@dataclass(slots=True)
class _Resolving:
    site: Site
    taken: Taken
    lease: Lease
    finder: Finder
    looks: Looks
    first: str | None = None
    left: int = 1
    """How many pairs are still to be decided; with the last one, the script has let the lease go."""
    unknown: list[str] = field(default_factory=list)
    """The pairs that wait for a worker that knows their rule."""
    _level: bool | None = None
    """Whether this machine has the rules that servers have; asked when a rule is unknown."""
    _told: set[str] = field(default_factory=set)
    _decided: list[Decided] = field(default_factory=list)
    _acted: dict[tuple[str, str], _Has] = field(default_factory=dict)
    """Which rule has (episode, instance): the first that may act, in the order of the file."""
    _until: float = field(default_factory=lambda: boot_time() + _BUDGET_S)
    _written_at: float = field(default_factory=boot_time)

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Return the pairs of this notification, each alert's rules in the order of the rule file.

        The alerts come in any order: where there is no time for all, the next job begins with others.
        """
        order = {rule.digest: at for at, rule in enumerate(self.site.house.rules.rules)}
        found = [_pair(name) for name in self.taken.record if not name.startswith("#")]
        turn = {fingerprint: random.random() for fingerprint, _ in found}  # noqa: S311 - guards nothing
        return sorted(found, key=lambda pair: (turn[pair[0]], pair[0], order.get(pair[1], len(order))))

    def decide_all(self) -> None:
        """Decide every pair; raises `LeaseLost`. Asked to stop, it leaves the rest to the next worker.

        What opened a rollback is written at once: were it lost, it would be decided again, and act again.
        """
        try:
            for fingerprint, digest in self.pairs():
                self.lease.check_step()
                if boot_time() > self._until:
                    break
                decided = self.decide(fingerprint, digest)
                if decided is None:
                    continue
                self._decided.append(decided)
                if self._is_worth_writing(decided):
                    self._write()
        except Stopping:
            log.info("notification.parked", notification=self.taken.id)
        self._write()

    def _is_worth_writing(self, decided: Decided) -> bool:
        many, long = len(self._decided) >= _WRITTEN_TOGETHER, boot_time() > self._written_at + _WRITTEN_EVERY_S
        return many or long or decided.decision.outcome in (Outcome.ROLL_BACK, Outcome.ASK)

    def _write(self) -> None:
        """Write decisions and take their pairs off the notification; raises `LeaseLost`."""
        self.lease.check()
        if not self._decided:
            return
        left = self.site.ledger.decisions.record(self.lease.hold.id, self.lease.hold.token, self._decided)
        if left is None:
            raise LeaseLost
        self._decided, self.left, self._written_at = [], left, boot_time()

    def decide(self, fingerprint: str, digest: str) -> Decided | None:
        """Decide one pair; None while its rule is on its way to this machine, or its instances cannot be seen."""
        episode = next((e for e in self.taken.episodes if e.fingerprint == fingerprint), None)
        if episode is None:
            decision = Decision(Outcome.REFUSE, Reason.RESOLVED, "the alert is so old that it was forgotten")
            return Decided(fingerprint, digest, "", decision)
        rule = self.site.house.rules.by_digest(digest)
        if rule is None:
            return self._without_the_rule(episode, digest)
        try:
            decision = self._decide(episode, rule)
        except Transient as e:
            if self._age_s() < _FOUND_WITHIN_S:
                log.warning("alert.not_located", fingerprint=fingerprint, rule=rule.name, error=str(e))
                return None
            said = f"{str(e).rstrip('.')}. Looked for {_FOUND_WITHIN_S} s; the alert's next episode asks again."
            decision = Decision(Outcome.HOLD, e.reason, said)
        except UNREADABLE as e:  # one pair that cannot be decided must not keep the others
            log.exception("alert.undecidable", fingerprint=fingerprint, rule=rule.name)
            decision = Decision(Outcome.HOLD, Reason.RECORD_UNREADABLE, f"it could not be decided: {e!r}")
        if decision.outcome is Outcome.HOLD:
            self._tell_held(episode, rule, decision)
        log.info(
            "alert.decided",
            fingerprint=fingerprint,
            rule=rule.name,
            outcome=decision.outcome,
            reason=decision.reason,
            detail=decision.detail,
        )
        return Decided(fingerprint, digest, rule.name, decision)

    def look_again_ms(self) -> int:
        """When to look at what is left: soon; ever more seldom where all of it waits for rules to come."""
        if self.left > len(self.unknown):
            return _LOOK_AGAIN_MS
        return round(pause_s(self.site.numbers, self._age_s()) * 1000)

    def _without_the_rule(self, episode: Episode, digest: str) -> Decided | None:
        """Decide a pair whose rule is unknown here; None while a worker may come to know it.

        Where it is gone the rules of this machine are asked instead, of what they were not: nobody may hear the
        alert again for hours.
        """
        fingerprint = episode.fingerprint
        if not episode.open:
            said = "the alert resolved before a worker knew the rule that it was to be put before"
            return Decided(fingerprint, digest, "", Decision(Outcome.REFUSE, Reason.RESOLVED, said))
        age_s, spreads_s = self._age_s(), self.site.numbers.rule_spreads_s
        if age_s < spreads_s or (age_s < PATIENCE_S and not self._is_level()):
            self.unknown.append(f"{fingerprint} {digest}")
            if age_s > spreads_s:
                self._tell_unknown(episode, digest)
            return None
        if self._is_level():
            said = (
                "the rule was changed or taken away before it was asked; what the rules say now is asked instead"
            )
            decision = Decision(Outcome.REFUSE, Reason.RULE_CHANGED, said)
            rules = self.site.house.rules.match(episode.alert.labels)
            return Decided(fingerprint, digest, "", decision, tuple(rule.digest for rule in rules))
        said = (
            f"no worker came to know the rule in {PATIENCE_S // 3600} h; it is asked when the alert is heard again"
        )
        return Decided(fingerprint, digest, "", Decision(Outcome.REFUSE, Reason.RULE_UNKNOWN, said), ())

    def _is_level(self) -> bool:
        if self._level is None:
            try:
                self._level = has_what_servers_have(self.site)
            except LedgerUnavailable as e:  # what is decided beside this is written all the same, if it can be
                log.warning("rules.in_force_unknown", error=str(e))
                self._level = False
        return self._level

    def _tell_unknown(self, episode: Episode, digest: str) -> None:
        """Tell people, once for each rule, that alerts wait because no worker knows it."""
        if digest in self._told:
            return
        self._told.add(digest)
        about = texts.About(
            service=service_said_by(episode.alert.labels) or "",
            rollback=episode.fingerprint,
            alert=episode.alert.labels.get("alertname", ""),
        )
        detail = "a server goes by a rule that the workers do not have; every alert about it waits"
        message = texts.held(about, reason=Reason.RULE_UNKNOWN, detail=detail, now_ms=self.taken.now_ms)
        self.site.ledger.outbox.put(message, f"unknown-rule:{digest}")

    def _tell_held(self, episode: Episode, rule: Rule, decision: Decision) -> None:
        """Tell people of an alert that nothing can be done about without them."""
        about = texts.About(
            service=service_said_by(episode.alert.labels) or "",
            rule=rule.name,
            rollback=episode.fingerprint,
            alert=episode.alert.labels.get("alertname", ""),
            channels=rule.notify,
        )
        message = texts.held(about, reason=decision.reason, detail=decision.detail, now_ms=self.taken.now_ms)
        self.site.ledger.outbox.put(message, f"held:{episode.fingerprint}:{rule.digest}:{decision.reason}")

    def _age_s(self) -> float:
        """How old this notification is; one whose time cannot be read is older than any wait."""
        at = self.taken.record.get("#at", "")
        return (self.taken.now_ms - (int(at) if at.isdecimal() and len(at) < 20 else 0)) / 1000

    def _decide(self, episode: Episode, rule: Rule) -> Decision:
        if not episode.open:
            return Decision(Outcome.REFUSE, Reason.RESOLVED, "the alert resolved before it was looked at")
        located, problem = self.finder.find(rule, episode.alert, self._siblings(episode))
        if problem is not None:
            return problem
        try:
            terms = Terms.of_rule(rule, expects=_expected(rule, episode))
        except LabelMissing as e:
            return Decision(Outcome.REFUSE, Reason.LABEL_MISSING, str(e))
        if terms.expects is not None:
            names = self.looks.running((one.instance for one in located), terms)
            kept, problem = keep_running(rule, episode.alert, names)
            if problem is not None:
                return problem
            located = tuple(one for one in located if one.instance.id in kept)
        return self._treat(episode, rule, located, terms)

    def _treat(self, episode: Episode, rule: Rule, located: Sequence[Located], terms: Terms) -> Decision:
        """Do for the instances that are meant what the rule may do now."""
        if ceiling(rule.mode, self.site.policy) is Mode.OBSERVE:
            decision = self.looks.would(located, episode, rule, terms)
            return replace(decision, detail=with_besides(decision.detail, located))
        if rule.target.arrived_within_s is not None:
            return self._roll_back_suspects(episode, rule, located, terms)
        return self._roll_back(episode, rule, located, terms)

    def _roll_back_suspects(
        self, episode: Episode, rule: Rule, located: Sequence[Located], terms: Terms
    ) -> Decision:
        """Roll back the instances to which a release came lately; of several, a person is asked."""
        decision = self.looks.would(located, episode, rule, terms)
        suspects = {one.instance for one in decision.judgements if one.outcome is not Outcome.NO_MATCH}
        asked = any(one.reason is Reason.SUSPECTS_MANY for one in decision.judgements)
        meant = [one for one in located if one.instance.id in suspects]
        if not meant:
            return decision
        return self._roll_back(episode, rule, meant, replace(terms, asks=asked))

    def _siblings(self, episode: Episode) -> tuple[Alert, ...]:
        return tuple(e.alert for e in self.taken.episodes if e.fingerprint != episode.fingerprint)

    def _roll_back(self, episode: Episode, rule: Rule, located: Sequence[Located], terms: Terms) -> Decision:
        opened: dict[str, str | None] = {}
        said: list[str] = []
        joined = 0
        for one in located:
            instance = one.instance
            has = self._acted.get((episode.fingerprint, instance.id))
            if has is not None and self.site.ledger.rollbacks.wait_behind(
                has.id, episode.fingerprint, rule.digest
            ):
                said.append(
                    f"{instance.label} belongs to rule {has.rule}, which stands before this one in the file; "
                    "should that one change nothing, this one is asked"
                )
                continue
            found = self._open(episode, rule, one, terms)
            self._acted[(episode.fingerprint, instance.id)] = _Has(rule.name, found.id)
            opened[instance.id] = None
            joined += found.joined
            how = "joined its unfinished rollback" if found.joined else "rollback"
            said.append(f"{instance.label}: {how} {found.id}")
        detail = with_besides("; ".join(said), located)
        if not opened:
            return Decision(Outcome.REFUSE, Reason.ANOTHER_RULE_FIRST, detail)
        if joined == len(opened):
            return Decision(Outcome.ROLL_BACK, Reason.JOINED, detail, opened)
        if ceiling(rule.mode, self.site.policy) is Mode.ASK:
            reason = Reason.ASK_MODE if rule.mode is Mode.ASK else Reason.POLICY_CEILING
            return Decision(Outcome.ASK, reason, detail, opened)
        return Decision(Outcome.ROLL_BACK, Reason.ALLOWED, detail, opened)

    def _open(self, episode: Episode, rule: Rule, located: Located, terms: Terms) -> Opened:
        new = NewRollback(
            instance=located.instance.id,
            service=located.service,
            host=located.host,
            episodes=(episode.fingerprint,),
            rule=rule.name,
            rule_digest=rule.digest,
            why=f"{episode.alert.labels.get('alertname', 'an alert')} fires",
            spec=terms.write(),
        )
        found = self.site.ledger.rollbacks.open(new, ring=self.first is not None)
        if not found.joined:
            self.first = self.first or found.id
        return found


def _pair(name: str) -> tuple[str, str]:
    fingerprint, _, digest = name.partition(" ")
    return fingerprint, digest


def _expected(rule: Rule, episode: Episode) -> str | None:
    template = rule.target.running
    return None if template is None else template.expand(episode.alert.labels, episode.alert.annotations)
