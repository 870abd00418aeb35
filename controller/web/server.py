"""Runs the application under Granian: one process serves, its parent only watches over it.

One serving process and many threads, because the work is waiting for Redis and because metrics and memo are in
its memory; more throughput is more replicas. docs/adr/0005-web-server.md says why Granian.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
import socket
import threading
import time
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from controller import logs
from controller.ledger import LedgerUnavailable, connect
from controller.settings import SettingsError
from controller.settings.house import House
from controller.web.announcing import Announcing
from controller.web.app import create_app
from controller.web.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from controller.ledger import Ledger
    from controller.settings import Settings

log = structlog.get_logger(__name__)

THREADS: Final = 128
"""More than may have a body in hand (`admission.PLACES`, `bodies.READERS`), so that health is always answered."""
_REFRESH_EVERY_S: Final = 2.0
_SAID_IN_A_SPREAD: Final = 12
_FINISH_WITHIN_S: Final = 25
"""What requests in flight get on SIGTERM; the longest is a dry run that waits for a worker."""
_FREED_WITHIN_S: Final = 2.0
_LOOK_EVERY_S: Final = 0.05
_HEAD_WITHIN_MS: Final = 10_000
_THROUGH_OUR_LOGS: Final = {
    name: {"handlers": [], "level": "ERROR", "propagate": True} for name in ("_granian", "granian.access")
}


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in flight and return.

    Raises `SettingsError` or `RuleFileErrors` before anything listens. Logs `serving` with the URL, which tells
    the port where the settings say 0, once requests are answered.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is somebody who could read anything again
    build(settings)
    with _claimed(*settings.bind) as (address, port):
        server = _Server(
            "controller.web",
            address=address,
            port=port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=_HEAD_WITHIN_MS),
            websockets=False,
            workers=1,
            blocking_threads=THREADS,
            workers_kill_timeout=_FINISH_WITHIN_S,
            respawn_failed_workers=True,
            log_dictconfig={"handlers": {}, "loggers": dict(_THROUGH_OUR_LOGS)},
            log_level=LogLevels.error,
        )
        server.unready_s = settings.numbers.unready_s
        server.serve(
            target_loader=partial(_start, settings, _url(address, port), server.stopping), wrap_loader=False
        )
    log.info("stopped")


class _Server(MPServer):
    """Granian; but SIGHUP has the serving process read its files again, where Granian would start it anew.

    And who is asked to stop says so before it stops listening: new work is answered 503, and so is readiness.
    """

    unready_s: float = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stopping = Stopping()

    def shutdown(self, exit_code: int = 0) -> None:
        """Listen a moment longer, refusing, so that balancers notice; asked a second time, stop at once."""
        self.stopping.set()
        for serving in self.wrks:  # it may have been asked as well, and its end is nothing unexpected
            serving.interrupt_by_parent = True
        log.info("stopping", answers_503_for_s=self.unready_s)
        self.main_loop_interrupt.clear()
        until = time.monotonic() + self.unready_s
        while time.monotonic() < until and multiprocessing.active_children():
            if self.main_loop_interrupt.wait(_LOOK_EVERY_S):
                break
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def signal_handler_reload(self, *_: object) -> None:
        """Pass it on. The serving process inherits this, and there it does nothing: it has no children."""
        for child in multiprocessing.active_children():
            if child.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGHUP)


def build(settings: Settings, stopping: Stopping | None = None) -> tuple[Flask, Ledger, House]:
    """Build the application of one process; raises `SettingsError` or `RuleFileErrors`."""
    house = House.load(settings)
    ledger = connect(settings.redis, settings.numbers, "web")
    return create_app(settings, ledger, house, stopping), ledger, house


def _start(settings: Settings, url: str, stopping: Stopping) -> Flask:
    """Begin the serving process: it has its own connections, logs and watch."""
    logs.configure(settings.log)
    app, ledger, house = build(settings, stopping)
    look = threading.Event()

    def look_again(*_: object) -> None:
        house.doubt()
        look.set()

    signal.signal(signal.SIGHUP, look_again)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    watched = (url, ledger, house, look, settings.numbers.rule_spreads_s)
    threading.Thread(target=_watch, args=watched, name="watch", daemon=True).start()
    return app


def _end_with_parent() -> None:
    """End when the parent is killed: left behind, this process would keep the next one from the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _watch(url: str, ledger: Ledger, house: House, look: threading.Event, spreads_s: float) -> None:
    """Say when requests are answered and what is wrong with Redis, then follow the files for ever.

    And tell the workers by which rules this server goes, often enough that none seems gone within `spreads_s`.
    """
    while not _answers(url):
        time.sleep(0.02)
    log.info("serving", url=url, pid=os.getpid())
    _complain(ledger)
    announcing = Announcing(ledger, house, every_s=spreads_s / _SAID_IN_A_SPREAD)
    while True:
        announcing.look()
        look.wait(min(_REFRESH_EVERY_S, announcing.every_s))
        look.clear()
        house.refresh()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/livez", timeout=1) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False


def _complain(ledger: Ledger) -> None:
    try:
        for complaint in ledger.health.complaints():
            log.warning("ledger.complaint", complaint=complaint)
    except LedgerUnavailable as error:
        log.warning("ledger.unavailable", problem=str(error), consequence="alerts are answered 503 until it is")


@contextlib.contextmanager
def _claimed(host: str, port: int) -> Iterator[tuple[str, int]]:
    """Hold an address for the server and yield it with its port; raises `SettingsError` if it cannot be had.

    Granian binds with SO_REUSEPORT, so that a second server of this user would take half of the alerts instead
    of failing: hence the look first, and a bound socket that keeps the port while nobody listens yet.
    """
    try:
        family, kind, proto, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as look:
            _bind(look, where, within_s=_FREED_WITHIN_S)
        claim = socket.socket(family, kind, proto)
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bind(claim, where, within_s=0)
    except OSError as error:
        why = error.strerror or error
        raise SettingsError(
            f"listen: cannot listen on {host}:{port}: {why}; change it or stop what does"
        ) from error
    with claim:
        bound = claim.getsockname()
        yield bound[0], bound[1]


def _bind(to_bind: socket.socket, where: Any, *, within_s: float) -> None:
    """Bind; one that was killed a moment ago may still be giving the address back."""
    to_bind.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + within_s
    while True:
        try:
            to_bind.bind(where)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _url(address: str, port: int) -> str:
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - not where we listen
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
