"""The supervisor: keeps the processes of one worker machine running, and takes them down in good order.

RQ's worker quits on a Redis timeout, on READONLY and on much else; that is no reason for a person to come. Each
process is forked from here, where everything is imported and the rules are read already: a restart takes
milliseconds, and a rule file that is broken meanwhile takes no worker's rules away.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

import structlog

from controller.settings.house import House
from controller.settings.settings import Settings
from workers.orphans import bury_orphans
from workers.processes import run_health, run_observer, run_reconciler, run_relearner, run_teller, run_worker
from workers.pulse import Pulse
from workers.stopping import Stopping

log = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1
_PAUSES_S = (0.1, 0.5, 1, 2, 5)
_STEADY_S = 30
_REFRESH_EVERY_S = 2
_ASKED_TO_STOP = frozenset({signal.SIGTERM, signal.SIGINT})
_OURS = frozenset({*_ASKED_TO_STOP, signal.SIGHUP})
_HEALTH = "health"
_fork = multiprocessing.get_context("fork")


@dataclass(slots=True)
class _Kept:
    name: str
    main: Callable[[Settings, House], None]
    process: BaseProcess | None = None
    started_at: float = 0
    quick_ends: int = 0
    start_again_at: float = 0


def supervise(settings: Settings) -> int:
    """Run the processes of this machine until SIGTERM or SIGINT; returns the exit code.

    They are `settings.workers` workers, the reconciler, the teller, the observer and, where the settings name an
    Alertmanager, the relearner. A rule file or inventory with errors, and a password or a sealing key that
    cannot be used, is refused here, before anything is started.
    """
    house = House.load(settings)
    settings.redis.password()
    settings.audit.keys()
    stopping, pulse = Stopping(), Pulse()
    kept = [_Kept(_HEALTH, run_health(pulse))] if settings.worker_listen else []
    kept += [_Kept("reconciler", run_reconciler), _Kept("teller", run_teller)]
    kept += [_Kept("observer", run_observer)]
    kept += [_Kept("relearner", run_relearner)] if settings.alertmanager else []
    kept += [_Kept(f"worker-{n + 1}", run_worker) for n in range(settings.workers)]
    for number in _ASKED_TO_STOP:
        signal.signal(number, lambda *_: stopping.set())
    hung_up: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: hung_up.append(number))
    log.info("supervisor.started", processes=[k.name for k in kept])
    refreshed_at = time.monotonic()
    while not stopping.wait(0.1):
        if hung_up:
            hung_up.clear()
            house.reload()
            _pass_on(kept)
        if time.monotonic() - refreshed_at > _REFRESH_EVERY_S:
            house.refresh()  # so that a process started anew has what others have
            refreshed_at = time.monotonic()
        for one in kept:
            _keep(one, settings, house)
        pulse.beat(running=all(one.process is not None for one in kept))
        bury_orphans([one.process for one in kept if one.process is not None])
    pulse.beat(running=False, stopping=True)
    return _stop(kept, settings.numbers.termination_grace_s)


def _pass_on(kept: list[_Kept]) -> None:
    """Have every process doubt what it has read; those that read nothing take no notice."""
    for one in kept:
        if one.process is not None and one.process.pid is not None and one.process.is_alive():
            os.kill(one.process.pid, signal.SIGHUP)


def _keep(one: _Kept, settings: Settings, house: House) -> None:
    now = time.monotonic()
    if one.process is not None and not one.process.is_alive():
        log.warning("supervisor.process_ended", process=one.name, exit_code=one.process.exitcode)
        one.quick_ends = one.quick_ends + 1 if now - one.started_at < _STEADY_S else 0
        one.start_again_at = now + _PAUSES_S[min(one.quick_ends, len(_PAUSES_S) - 1)]
        one.process = None
    if one.process is None and now >= one.start_again_at:
        one.process = _fork.Process(target=_main, args=(one, settings, house, os.getpid()), name=one.name)
        one.started_at = now
        signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)  # until the child no longer has our handlers
        one.process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)


def _main(one: _Kept, settings: Settings, house: House, supervisor: int) -> None:
    for number in _ASKED_TO_STOP:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
    if sys.platform == "linux":  # where the supervisor is killed, its children park and go as well
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:
        return
    structlog.contextvars.bind_contextvars(process=one.name)
    one.main(settings, house)


def _stop(kept: list[_Kept], grace_s: float) -> int:
    """Ask every process to stop, workers first in line; whoever outlives the grace period is killed.

    Health goes on answering until the others are gone: alive, and not ready.
    """
    log.info("supervisor.stopping")
    everyone = [one.process for one in reversed(kept) if one.process is not None]
    health = [process for process in everyone if process.name == _HEALTH]
    running = [process for process in everyone if process.name != _HEALTH]
    for process in running:
        if process.is_alive():
            process.terminate()
    deadline, code = time.monotonic() + grace_s, 0
    for process in running:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            log.error("supervisor.killed", process=process.name, after_s=grace_s)
            process.kill()
            process.join()
            code = 1
    for process in health:
        process.terminate()
        process.join()
    log.info("supervisor.stopped")
    return code
