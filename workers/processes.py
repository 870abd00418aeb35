"""The processes of one worker machine, built from the settings and the rules that the supervisor has read."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import structlog

from controller.ledger import Ledger, LedgerUnavailable, connect, queue_client
from controller.ledger.connection import translated
from controller.settings.clusters import clusters_in_force
from controller.settings.house import House
from controller.settings.settings import Settings
from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import Instance, WorkloadInstance
from workers.driver import Driver
from workers.finding import NO_CLUSTER, Finding, NoClusters
from workers.hosts import Params, reach
from workers.monitoring.alertmanager import Alertmanager
from workers.monitoring.prometheus import Prometheus
from workers.reconciler import reconcile
from workers.rqworker import work
from workers.site import Site, no_clusters, nothing
from workers.stopping import Stopping
from workers.terms import Terms

if TYPE_CHECKING:
    from workers.clusters import Clusters
    from workers.pulse import Pulse

log = structlog.get_logger(__name__)


def build_site(settings: Settings, house: House) -> Site:
    """Build what a worker needs; connects to nothing yet."""
    ledger = connect(settings.redis, settings.numbers, "worker")
    clusters = _clusters(settings, ledger)
    return Site(
        numbers=settings.numbers,
        house=house,
        ledger=ledger,
        lease_ledger=lambda: connect(settings.redis, settings.numbers, "lease"),
        reach=partial(_reach, house, clusters),
        find=lambda: Finding(house.inventory, clusters.finder() if clusters else NoClusters()),
        find_wanted=clusters.find_wanted if clusters else no_clusters,
        prepare=clusters.prepare if clusters else nothing,
        check_clusters=clusters.check if clusters else tuple,
        policy=settings.policy,
        keys=settings.audit.keys,
        prometheus=partial(Prometheus, settings.prometheus) if settings.prometheus else None,
        alertmanager=partial(Alertmanager, settings.alertmanager) if settings.alertmanager else None,
    )


def _clusters(settings: Settings, ledger: Ledger) -> Clusters | None:
    """Return the way to clusters; who has none is spared the memory of their client."""
    found = clusters_in_force(settings.clusters)
    if not found:
        return None
    from workers.clusters import Clusters  # noqa: PLC0415

    clusters = Clusters(found, settings.numbers, ledger, settings.audit.keys)
    clusters.warm()
    return clusters


def _reach(
    house: House,
    clusters: Clusters | None,
    instance: Instance,
    rollback: str,
    terms: Terms,
    clock: Callable[[], float],
) -> Driver:
    if isinstance(instance, WorkloadInstance):
        if clusters is None:
            raise Permanent(Reason.CLUSTER_UNKNOWN, NO_CLUSTER)
        return clusters.reach(instance, rollback, terms, clock)
    params = Params(terms.evidence_logs_s, terms.healthy_within_s, terms.steady_s)
    return reach(instance, house.inventory, params, rollback, clock=clock)


def run_worker(settings: Settings, house: House) -> None:
    """Serve the queue until asked to stop, or until RQ's worker quits and wants to be started again."""
    site = build_site(settings, house)
    signal.signal(signal.SIGHUP, lambda *_: house.doubt())
    _greet(site.ledger)
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, every page that the children share with us
    try:
        with translated():
            work(site, queue_client(settings.redis, settings.numbers))
    except LedgerUnavailable as e:  # the supervisor starts us again
        log.warning("redis.unavailable", error=str(e))


def run_reconciler(settings: Settings, house: House) -> None:
    """Ring for what is due until asked to stop; asks no rules."""
    del house
    stopping = Stopping()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    reconcile(connect(settings.redis, settings.numbers, "worker"), settings.numbers, stopping, settings.audit)


def run_observer(settings: Settings, house: House) -> None:
    """Look clusters and hosts over until the signal that ends the process, which may come at any moment."""
    from workers.observer import observer_of  # noqa: PLC0415

    observer_of(settings, house).run(Stopping())


def run_relearner(settings: Settings, house: House) -> None:
    """Ask Alertmanager what fires until asked to stop; started only where the settings name one."""
    from workers.relearning import relearner_of  # noqa: PLC0415

    stopping = Stopping()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    signal.signal(signal.SIGHUP, lambda *_: house.doubt())
    if settings.alertmanager is not None:
        relearner_of(settings, house, settings.alertmanager).run(stopping)


def run_health(pulse: Pulse) -> Callable[[Settings, House], None]:
    """Return the process that says over HTTP whether this machine is well; for settings that say where."""

    def run(settings: Settings, house: House) -> None:
        del house
        from workers.health import serve_health  # noqa: PLC0415

        if settings.worker_bind is not None:
            serve_health(settings.worker_bind, pulse)

    return run


def run_teller(settings: Settings, house: House) -> None:
    """Tell people what waits in the outbox until asked to stop."""
    del house
    from workers.telling.teller import teller_of  # noqa: PLC0415

    stopping = Stopping()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    teller_of(settings).run(stopping)


def _greet(ledger: Ledger) -> None:
    """Teach Redis our scripts and say what is wrong with it; one that is away is no reason not to start."""
    try:
        ledger.teach()
        if mended := ledger.mend():
            log.warning("redis.mended", keys=mended, because="RQ keeps something else there")
        for complaint in ledger.health.complaints():
            log.warning("redis.complaint", complaint=complaint)
    except LedgerUnavailable as e:
        log.warning("redis.unavailable", error=str(e))
