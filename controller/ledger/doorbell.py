"""Doorbells: RQ jobs that carry one id. A bell proves nothing and may be lost, late or doubled; `due` rings again.

Why a bell is written with RQ's own enqueue into our MULTI, and none of RQ's retries, scheduler, uniqueness or
callbacks are used: docs/adr/0001-a-doorbell-not-a-job.md.
"""

from __future__ import annotations

from typing import Any

from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from controller.ledger.connection import Client
from controller.ledger.keys import QUEUE
from controller.settings.numbers import Numbers

FUNCTION = "workers.jobs.run"
"""The only function a job may name. The worker compares this text; it never resolves a name from Redis."""


class Doorbell:
    """Rings for an id."""

    def __init__(self, connection: Client, numbers: Numbers) -> None:
        self._connection = connection
        self._timeout = round(numbers.job_timeout_s)
        self._queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)

    def ring(self, pipe: Any, ident: str, n: int) -> None:
        """Add bell number `n` for `ident` to `pipe`; it sounds when the caller executes it."""
        job = Job.create(
            FUNCTION,
            args=[ident],
            id=f"{ident}-{n}",
            connection=self._connection,
            serializer=JSONSerializer,
            timeout=self._timeout,
            result_ttl=0,
            failure_ttl=3600,
        )
        self._queue.enqueue_job(job, pipeline=pipe)
