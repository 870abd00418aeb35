"""Decisions: an outcome, a reason from one closed list, and the facts it rests on. Never a bare bool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rules.judgement import Judgement


class Outcome(StrEnum):
    """What becomes of one alert under one rule, for one instance or for all."""

    ROLL_BACK = "roll-back"
    ASK = "ask"
    OBSERVE = "observe"
    REFUSE = "refuse"
    HOLD = "hold"
    NO_MATCH = "no-match"


class Reason(StrEnum):
    """Why. One closed list for decisions, ended rollbacks, logs, metrics and the command line."""

    # A rule acts, or would.
    ALLOWED = "allowed"
    OBSERVE_MODE = "observe-mode"
    JOINED = "joined"
    # A rule has nothing to say.
    NO_MATCH = "no-match"
    NOT_SELECTED = "not-selected"
    NOT_RUNNING = "stale"
    NOT_FIRING = "not-firing"
    ANOTHER_RULE_FIRST = "another-rule-first"
    # The instance cannot be told.
    LABEL_MISSING = "label-missing"
    HOST_UNKNOWN = "host-unknown"
    SERVICE_UNKNOWN = "service-unknown"
    INSTANCE_AMBIGUOUS = "instance-ambiguous"
    CLUSTER_UNKNOWN = "cluster-unknown"
    WORKLOAD_UNKNOWN = "workload-unknown"
    POD_GONE = "pod-gone"
    LABEL_ILLEGAL = "label-illegal"
    LABELS_CONTRADICT = "labels-contradict"
    # The release is not the cause, or may not be.
    STALE = "stale"
    RELEASE_UNKNOWN = "release-unknown"
    PREDATES_RELEASE = "predates-release"
    RELEASE_TOO_OLD = "release-too-old"
    ALSO_ON_OTHER_RELEASES = "also-on-other-releases"
    SUSPECTS_MANY = "suspects-many"
    # A guard keeps it back.
    COOLDOWN = "cooldown"
    LIMIT_REACHED = "limit-reached"
    TOO_MANY_AFFECTED = "too-many-affected"
    TOO_FEW_HEALTHY = "too-few-healthy"
    FROZEN = "frozen"
    PAUSED_BY_PERSON = "paused-by-person"
    STORM = "storm"
    COMMON_CAUSE = "common-cause"
    NOT_CORROBORATED = "not-corroborated"
    REQUIREMENT_NOT_MET = "requirement-not-met"
    REQUIREMENT_UNKNOWN = "requirement-unknown"
    NOT_FOR_LONG_ENOUGH = "not-for-long-enough"
    NOT_OPTED_IN = "not-opted-in"
    DEPLOY_LOCKED = "deploy-locked"
    TRUNCATED = "truncated"
    CLOCK_SKEW = "clock-skew"
    MONITORING_BLIND = "monitoring-blind"
    PERSON_FIRST = "person-first"
    WAVE = "wave"
    CAMPAIGN_STOPPED = "campaign-stopped"
    LOOP_BREAKER = "loop-breaker"
    # A person is asked.
    ASK_MODE = "ask-mode"
    DEMOTED = "demoted"
    POLICY_CEILING = "policy-ceiling"
    NOTHING_KNOWN_GOOD = "nothing-known-good"
    HELD_TOO_LONG = "held-too-long"
    DENIED = "denied"
    EXPIRED = "expired"
    # No release to go back to.
    NO_CANDIDATE = "no-candidate"
    RELEASE_MISSING = "release-missing"
    RELEASE_INCOMPLETE = "release-incomplete"
    RELEASE_NOT_EXECUTABLE = "release-not-executable"
    RELEASE_NOT_ALLOWED = "release-not-allowed"
    RELEASE_CURRENT = "release-current"
    RELEASE_NEWER = "release-newer"
    JUST_ROLLED_BACK_FROM = "just-rolled-back-from"
    NOT_KNOWN_GOOD = "not-known-good"
    KNOWN_BAD = "known-bad"
    SMOKE_TEST_FAILED = "smoke-test-failed"
    WRONG_PLATFORM = "wrong-platform"
    BEHIND_IRREVERSIBLE = "behind-irreversible"
    NO_STABLE_POINTER = "no-stable-pointer"
    NO_HISTORY = "no-history"
    FIRST_RELEASE = "first-release"
    SAME_IMAGES = "same-images"
    STABLE_NOT_READY = "stable-not-ready"
    DIGEST_UNKNOWN = "digest-unknown"
    SERVICE_WOULD_BE_EMPTY = "service-would-be-empty"
    SCALED_BY_OTHERS = "scaled-by-others"
    # The way there is barred.
    UNREACHABLE = "unreachable"
    HOST_KEY_MISMATCH = "host-key-mismatch"
    HOST_KEY_UNKNOWN = "host-key-unknown"
    LOGIN_REFUSED = "login-refused"
    RIGHTS_MISSING = "rights-missing"
    DISK_FULL = "disk-full"
    TARGET_MISCONFIGURED = "target-misconfigured"
    TARGET_BUSY = "target-busy"
    COMMAND_FAILED = "command-failed"
    GITOPS_OWNED = "gitops-owned"
    PAUSED = "paused"
    FORBIDDEN = "forbidden"
    UNAUTHORIZED = "unauthorized"
    THROTTLED = "throttled"
    CERTIFICATE = "certificate"
    TARGET_REFUSED = "target-refused"
    API_ERROR = "api-error"
    # The book, the ledger, a person.
    EFFECT_ALREADY_MADE = "effect-already-made"
    RULE_CHANGED = "rule-changed"
    RULE_UNKNOWN = "rule-unknown"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    LEASE_LOST = "lease-lost"
    LEDGER_UNAVAILABLE = "ledger-unavailable"
    SHUTDOWN = "shutdown"
    BACKOFF = "backoff"
    DEADLINE = "deadline"
    # The change and what came of it.
    STALE_FENCE = "stale-fence"
    CHANGED_MEANWHILE = "changed-meanwhile"
    NOT_HEALTHY = "not-healthy"
    NOT_STEADY = "not-steady"
    PROGRESS_DEADLINE = "progress-deadline"
    IMAGE_MISMATCH = "image-mismatch"
    UNKNOWN_STATE = "unknown-state"
    RECORD_UNREADABLE = "record-unreadable"
    NOT_SEALED = "not-sealed"
    INVENTORY_CHANGED = "inventory-changed"
    CLEARED = "cleared"
    STILL_FIRING = "still-firing"
    NOT_HEARD = "not-heard"
    OTHERS_STILL_RUN_IT = "others-still-run-it"
    ALERT_SUPPRESSED = "alert-suppressed"
    NOT_SCRAPED = "not-scraped"
    METRIC_GONE = "metric-gone"
    CHECK_NOT_MET = "check-not-met"
    CHECK_UNKNOWN = "check-unknown"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one pair of alert and rule, or one instance of it, and why.

    `detail` is a sentence for a person. `instances` maps the identity of each instance concerned to the
    release it goes (or would go) back to; None where that is not known yet. `judgements` are what was asked and
    considered for each instance, where that was done.
    """

    outcome: Outcome
    reason: Reason
    detail: str = ""
    instances: Mapping[str, str | None] = field(default_factory=dict)
    judgements: tuple[Judgement, ...] = ()
