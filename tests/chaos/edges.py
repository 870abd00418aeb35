"""Where faults are put in: the libraries by which the product speaks to the world, and the steps of its runner.

The product has no hooks for this. What is patched here is named, so that a change of a name is noticed when the
process starts, and not by a thousand seeds that meet no fault.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import redis.connection
import urllib3.connectionpool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from chaos.chance import Chance
from chaos.plan import Family, Kind

SAID = "put in by tests/chaos"
VITAL = frozenset(
    {"take", "commit", "note", "move", "release", "raise", "open", "decide", "enlist", "book", "hear"}
)
"""The scripts that a rollback's life hangs on; the others are fault points too, but seldom used."""


def install(chance: Chance, *, workers: bool) -> None:
    """Patch every edge of this process, and of those that it forks."""
    _redis(chance)
    _scripts(chance)
    if workers:
        _http(chance)
        _local(chance)
        _ssh(chance)
        _steps(chance)


def _redis(chance: Chance) -> None:
    connection = redis.connection.AbstractConnection
    send, read = connection.send_packed_command, connection.read_response

    @functools.wraps(send)
    def sending(self: Any, command: Any, check_health: bool = True) -> Any:
        fault = chance.at(Family.REDIS, "redis.send", Kind.FAIL, Kind.HANG)
        if fault is not None:
            _hang(chance, fault.kind, self.socket_timeout)
            self.disconnect()
            _raise_of(fault.kind)
        return send(self, command, check_health)

    @functools.wraps(read)
    def reading(self: Any, *args: Any, **more: Any) -> Any:
        fault = chance.at(Family.REDIS, "redis.reply", Kind.LOST, Kind.HANG)
        if fault is None:
            return read(self, *args, **more)
        read(self, *args, **more)  # so it was done
        _hang(chance, fault.kind, self.socket_timeout)
        self.disconnect()
        return _raise_of(fault.kind)

    connection.send_packed_command, connection.read_response = sending, reading


def _hang(chance: Chance, kind: Kind, limit_s: float | None) -> None:
    if kind is Kind.HANG:
        time.sleep(min(limit_s or chance.plan.hang_s, chance.plan.hang_s))


def _raise_of(kind: Kind) -> None:
    if kind is Kind.HANG:
        raise RedisTimeoutError(f"Timeout reading from socket ({SAID})")
    raise RedisConnectionError(f"Connection closed by server ({SAID})")


def _http(chance: Chance) -> None:
    pool = urllib3.connectionpool.HTTPConnectionPool
    make = pool._make_request

    @functools.wraps(make)
    def making(self: Any, conn: Any, method: str, url: str, *args: Any, **more: Any) -> Any:
        fault = chance.at(Family.HTTP, f"http.{method.lower()}", Kind.FAIL, Kind.LOST, Kind.HANG)
        if fault is None:
            return make(self, conn, method, url, *args, **more)
        if fault.kind is Kind.LOST:
            make(self, conn, method, url, *args, **more).close()
        conn.close()
        if fault.kind is Kind.HANG:
            time.sleep(chance.plan.hang_s)
            raise ReadTimeoutError(self, url, f"Read timed out ({SAID})")
        raise ProtocolError(f"Connection aborted ({SAID})", ConnectionResetError())

    pool._make_request = making


def _local(chance: Chance) -> None:
    """Patch local commands past their `Popen`: whoever is killed here leaves one running in its own session."""
    local = import_module("workers.hosts.local")
    drain = local._drain

    @functools.wraps(drain)
    def draining(process: Any, deadline: float) -> Any:
        fault = chance.at(Family.HOST, "host.local", Kind.FAIL, Kind.LOST, Kind.CUT, Kind.HANG)
        if fault is None:
            return drain(process, deadline)
        if fault.kind is Kind.CUT:
            time.sleep(fault.part * 0.08)  # the length of a script: what it had got to is left to chance
        elif fault.kind is Kind.LOST:
            drain(process, deadline)
        elif fault.kind is Kind.HANG:
            time.sleep(chance.plan.hang_s)
        raise TimeoutError  # its session is killed, whatever it had got to

    local._drain = draining


def _ssh(chance: Chance) -> None:
    import paramiko  # noqa: PLC0415

    ssh = import_module("workers.hosts.ssh")
    run = ssh._run

    @functools.wraps(run)
    def running(transport: Any, command: str, deadline: float) -> Any:
        fault = chance.at(Family.HOST, "host.ssh", Kind.FAIL, Kind.LOST, Kind.CUT, Kind.HANG)
        if fault is None:
            return run(transport, command, deadline)
        if fault.kind is Kind.HANG:
            time.sleep(chance.plan.hang_s)
            return None
        if fault.kind is Kind.CUT:  # the script goes on, and nobody listens
            transport.open_session(timeout=2).exec_command(command)
            time.sleep(fault.part * 0.08)
            transport.close()
        elif fault.kind is Kind.LOST:
            run(transport, command, deadline)
        raise paramiko.SSHException(f"Server connection dropped ({SAID})")

    ssh._run = running


def _scripts(chance: Chance) -> None:
    scripts = import_module("controller.ledger.connection").Scripts
    run, transact = scripts.run, scripts.transact

    @functools.wraps(run)
    def running(self: Any, name: str, *args: Any) -> Any:
        family = Family.STEP if name in VITAL else Family.SCRIPT
        return _around(chance, family, name, lambda: run(self, name, *args))

    @functools.wraps(transact)
    def transacting(self: Any, build: Any) -> Any:
        return _around(chance, Family.STEP, "transact", lambda: transact(self, build))

    scripts.run, scripts.transact = running, transacting


def _steps(chance: Chance) -> None:
    """Before and after each intent, each deed and each done; the scripts are patched by name already."""
    for module, owner, method, point in (
        ("workers.runner.journal", "Journal", "intend", "intent"),
        ("workers.runner.journal", "Journal", "done", "done"),
        ("workers.runner.steps", "Steps", "_fenced", "do"),
        ("workers.runner.steps", "Steps", "_settled", "settle"),
    ):
        cls = getattr(import_module(module), owner)
        setattr(cls, method, _bounded(chance, getattr(cls, method), point))


def _bounded(chance: Chance, function: Callable[..., Any], point: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def bounded(*args: Any, **more: Any) -> Any:
        return _around(chance, Family.STEP, point, lambda: function(*args, **more))

    return bounded


def _around(chance: Chance, family: Family, point: str, do: Callable[[], Any]) -> Any:
    chance.at(family, f"{point}.before")
    done = do()
    chance.at(family, f"{point}.after")
    return done
