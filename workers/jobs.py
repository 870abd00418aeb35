"""What a doorbell leads to: the id's first letter says which of three things somebody wants looked at."""

from __future__ import annotations

import secrets
from contextlib import closing

import structlog

from workers.planning import answer
from workers.resolving import resolve
from workers.runner.stretch import run_stretch
from workers.site import Site

log = structlog.get_logger(__name__)


def run(site: Site, ident: str, job_id: str) -> None:
    """Look at what rang. Whatever is found decides; the bell proves nothing.

    The nonce makes this run of the job its own holder: a job that RQ starts twice is two holders.
    """
    job = f"{job_id}:{secrets.token_hex(4)}"
    structlog.contextvars.bind_contextvars(job=job_id)
    match ident[:1]:
        case "n":
            with closing(site.find()) as finder:  # what it has connected to serves the rollback as well
                first = resolve(site, ident, job, finder)
                if first is not None:
                    run_stretch(site, first, job)
        case "r":
            run_stretch(site, ident, job)
        case "p":
            answer(site, ident)
        case _:
            log.warning("job.unknown_id", id=ident)
