"""What an exit code of our scripts means to the runner. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from rules.decisions import Reason
from rules.errors import Permanent, Transient

if TYPE_CHECKING:
    from workers.hosts.connection import Result
    from workers.hosts.reports import Report

COMMAND_FAILED = 70


def require_done(result: Result, report: Report, current: str) -> None:
    """Return if the script came to its end; raise what its exit code stands for if not."""
    if result.exit != 0:
        _raise(result, report, current)
    if not report.whole:
        raise Transient(Reason.UNREACHABLE, "the host's answer broke off; it is looked at again")


def _raise(result: Result, report: Report, current: str) -> NoReturn:
    state = f"{current.rpartition('/')[0]}/.rollback"
    match result.exit:
        case 65:
            message = f"{state}/fence does not hold a number: nobody but us should write it; remove it"
            raise Permanent(Reason.TARGET_MISCONFIGURED, message)
        case 66:
            raise Permanent(Reason.RELEASE_MISSING, "the release was removed meanwhile: choose another")
        case 73:
            message = f"{state} cannot be written ({_said(result)}): let the deploying user write there"
            raise Permanent(Reason.RIGHTS_MISSING, message)
        case 74:
            message = f"{current} was not changed ({_said(result)}): look at rights and room on the host"
            raise Transient(Reason.RIGHTS_MISSING, message)
        case 75:
            message = f"{state}/lock is held by somebody else, a deploy perhaps; tried again"
            raise Transient(Reason.TARGET_BUSY, message)
        case 76:
            raise Permanent(Reason.STALE_FENCE, _fence_seen(report))
        case 77:
            raise Permanent(Reason.CHANGED_MEANWHILE, _link_seen(report, current))
        case _:
            message = f"the host answered with exit code {result.exit} ({_said(result)}); tried again"
            raise Transient(Reason.COMMAND_FAILED, message)


def _said(result: Result) -> str:
    return result.said or "it did not say why"


def _fence_seen(report: Report) -> str:
    who = f" by rollback {report.fence_owner}" if report.fence_owner else ""
    return f"the host has seen fence {report.fence}{who}, newer than ours: another worker has taken over"


def _link_seen(report: Report, current: str) -> str:
    now = f"now points to {report.link.target}" if report.link else "is not the link it was"
    return f"{current} {now}, changed since it was looked at: decide again with what runs now"
