"""RQ's worker with the parts taken out that would run what a stranger writes into Redis.

A job names a function, callbacks, webhooks and retries as text; RQ imports and calls whatever stands there, with
the JSON serializer too. Ours compares the name with the one admitted, ignores everything else, and calls our
own code directly: no name from Redis is ever resolved.
"""

from __future__ import annotations

import contextlib
import os
import signal
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import orjson
import structlog
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from controller.ledger import LedgerUnavailable
from controller.ledger.connection import RedisRefuses
from controller.ledger.doorbell import FUNCTION
from controller.ledger.keys import QUEUE
from workers.jobs import run
from workers.rqqueue import DoorbellQueue, empty_registries, without_bombs
from workers.site import Site
from workers.standby import Standby

log = structlog.get_logger(__name__)

_KEPT = frozenset({"data", "origin", "created_at", "enqueued_at"})
_NOTHING = JSONSerializer.dumps(["", None, [], {}])


class DoorbellJob(Job):
    """A job of which only the id it carries is believed."""

    site: Site

    @classmethod
    def fetch(cls, *args: Any, **kwargs: Any) -> Job:
        """Read a job; one that cannot even be read, whatever its key holds, counts as gone."""
        try:
            return super().fetch(*args, **kwargs)
        except (ValueError, TypeError, RedisRefuses) as e:
            log.warning("job.unreadable", job=str(args[:1])[:80], error=str(e))
            raise NoSuchJobError(str(e)) from e

    def restore(self, raw_data: Any) -> None:
        """Read a job; callbacks, webhooks, retries, dependencies and anything corrupt are left unread."""
        known = {k: v for k, v in raw_data.items() if k.decode(errors="replace") in _KEPT}
        known[b"data"] = without_bombs(known.get(b"data", b"")) or _NOTHING
        try:
            super().restore(known)
        except (ValueError, KeyError, TypeError) as e:
            log.warning("job.corrupt", job=self.id, error=str(e))
            super().restore({b"data": _NOTHING})
        if self._rung_for() is None:
            self.data = _NOTHING
        self.timeout = round(self.site.numbers.job_timeout_s)
        self.result_ttl, self.failure_ttl = 0, 3600

    def _execute(self) -> None:
        ident = self._rung_for()
        if ident is None:
            log.error("job.refused", job=self.id, because="it is not a doorbell; nothing of it was executed")
        else:
            run(self.site, ident, self.id)

    def _rung_for(self) -> str | None:
        """Return the id this job carries, or None where it is not exactly one of our bells."""
        try:
            name, instance, args, kwargs = JSONSerializer.loads(self.data)
        except (ValueError, TypeError, RecursionError):
            return None
        ours = name == FUNCTION and instance is None and not kwargs and _one_text(args)
        return str(args[0]) if ours else None


def _one_text(args: object) -> bool:
    return isinstance(args, list) and len(args) == 1 and isinstance(args[0], str) and len(args[0]) <= 64


class DoorbellWorker(Worker):
    """A worker that forks for each job, parks it when asked to stop, and keeps the rules fresh between jobs."""

    site: Site
    last_cleaned_at: Any
    max_connection_wait_time = 2.0
    """Seconds between two tries to reach Redis again; RQ's own minute would be the longest part of an outage."""
    _standby: Standby | None = None

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Serve the queue, with a process that stands by for the first job."""
        self._stand_by()
        try:
            return super().work(*args, **kwargs)
        finally:
            self._dismiss()

    def subscribe(self) -> None:
        """Take no commands over Redis (stop-job, kill-horse, shutdown): ours come as signals."""

    def check_for_suspension(self, burst: bool) -> None:  # noqa: FBT001 - RQ's
        """Ignore `rq suspend`: work is held by `rollbackctl pause`, with a name and a reason."""

    def run_maintenance_tasks(self) -> None:
        """Tidy what RQ keeps; where a stranger left rubbish there, all of it is forgotten."""
        try:
            self.clean_registries()
        except (ValueError, TypeError, KeyError, AttributeError, RedisRefuses) as e:
            log.warning("job.registries_emptied", because=f"RQ cannot tidy them: {e}")
            for queue in self.queues:
                empty_registries(queue)
            self.last_cleaned_at = datetime.now(UTC)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Re-read changed rules in the parent, once, and not in every child; who stands by has the old ones."""
        if self.site.house.refresh():
            self._dismiss()
        super().execute_job(job, queue)
        self._stand_by()

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Give the job to who stands by, else fork; a SIGTERM that came meanwhile is passed on."""
        standby, self._standby = self._standby, None
        if standby is not None and standby.hand_over(orjson.dumps([job.id, self._execution_id()])):
            self._horse_pid = standby.pid
        else:
            super().fork_work_horse(job, queue)
        if self._stop_requested:
            _signal(self.horse_pid, signal.SIGTERM)

    def _stand_by(self) -> None:
        if not self._stop_requested and self._standby is None:
            self._standby = Standby.fork(self._serve, self._prepare)

    def _dismiss(self) -> None:
        standby, self._standby = self._standby, None
        if standby is not None:
            standby.dismiss()

    def _prepare(self) -> None:
        """In the process that stands by: park on SIGTERM from the first moment, and have a connection."""
        self.setup_work_horse_signals()
        self.site.prepare()
        with contextlib.suppress(LedgerUnavailable):
            self.site.ledger.health.ping()

    def _serve(self, word: bytes) -> None:
        """In the process that stood by: do what RQ's own does after its fork."""
        job_id, execution_id = orjson.loads(word)
        job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
        self.execution = Execution(execution_id, job_id, connection=self.connection)
        self.main_work_horse(job, self.queues[0])

    def _execution_id(self) -> str:
        return self.execution.id if self.execution else ""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Ask the job's process to park as well; it ends at its next step boundary."""
        if self.horse_pid:
            _signal(self.horse_pid, signal.SIGTERM)
        self._stop_requested = True  # what RQ raises is lost where it meets a destructor or a fork's hook
        super().request_stop(signum, frame)

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """Say that we live, and notice before each wait for a job that we were asked to stop."""
        if self._stop_requested and self.get_state() == WorkerStatus.IDLE:
            raise StopRequested
        super().heartbeat(*args, **kwargs)

    def setup_work_horse_signals(self) -> None:
        """In the job's process SIGTERM means: park."""
        super().setup_work_horse_signals()
        signal.signal(signal.SIGTERM, lambda *_: self.site.stopping.set())
        if self._stop_requested:  # it came before this handler
            self.site.stopping.set()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        log.debug("job.already_over", pid=pid)


def work(site: Site, connection: Any) -> None:
    """Serve the queue until asked to stop; returns when RQ's worker quits for a reason of its own."""
    job_class = type("SiteJob", (DoorbellJob,), {"site": site})
    worker_class = type(
        "SiteWorker", (DoorbellWorker,), {"site": site, "job_class": job_class, "queue_class": DoorbellQueue}
    )
    queue = DoorbellQueue(QUEUE, connection=connection, serializer=JSONSerializer, job_class=job_class)
    worker = worker_class(
        [queue],
        connection=connection,
        serializer=JSONSerializer,
        job_class=job_class,
        maintenance_interval=30,
        worker_ttl=60,
        log_job_description=False,
    )
    worker.work(with_scheduler=False, logging_level=None)
