"""What came of choosing: every release that was considered, kept or dropped with its one reason."""

from __future__ import annotations

from dataclasses import dataclass

from rules.decisions import Reason

NOTHING_TO_GO_BACK_TO = frozenset(
    {
        Reason.NO_CANDIDATE,
        Reason.NO_STABLE_POINTER,
        Reason.NO_HISTORY,
        Reason.FIRST_RELEASE,
        Reason.SAME_IMAGES,
        Reason.STABLE_NOT_READY,
        Reason.DIGEST_UNKNOWN,
        Reason.SERVICE_WOULD_BE_EMPTY,
        Reason.SCALED_BY_OTHERS,
    }
)
"""What `Choice.reason` may be: nothing is changed, and a person has to see to it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One release that was considered. `detail` tells a person what to do about it."""

    release: str
    kept: bool
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything that was considered, in order of preference. The first that was kept is chosen.

    `proposed` is for a person to approve: on day one, when nothing was ever known of any other release, the best
    of those of which nothing is known. It is None as soon as anything is chosen.
    """

    candidates: tuple[Candidate, ...]
    proposed: str | None = None

    @property
    def chosen(self) -> str | None:
        """The release to go back to, or None: then nothing is changed and a person is told."""
        return next((candidate.release for candidate in self.candidates if candidate.kept), None)

    @property
    def reason(self) -> Reason:
        """Why nothing was chosen: what all that could have been had in common, else `no-candidate`.

        With something `proposed` it is `nothing-known-good`, and a person is asked.
        """
        if self.proposed is not None:
            return Reason.NOTHING_KNOWN_GOOD
        reasons = {one.reason for one in self.candidates if one.reason not in _NEVER_A_WAY_BACK}
        shared = reasons.pop() if len(reasons) == 1 else Reason.NO_CANDIDATE
        return shared if shared in NOTHING_TO_GO_BACK_TO else Reason.NO_CANDIDATE


_NEVER_A_WAY_BACK = frozenset({Reason.RELEASE_CURRENT, Reason.RELEASE_NEWER})
