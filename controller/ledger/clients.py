"""Clients of Redis, by its address or by asking its Sentinels, that never stay with a primary that was demoted."""

from __future__ import annotations

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from controller.settings.redis import Redis as RedisSettings

_DEMOTED = ("READONLY", "UNBLOCKED")
_IS_DEMOTED = "this Redis became a replica, and another is the primary now"


class _LeavesTheDemoted:
    """A connection that ends when a replica refuses a write: the next one goes to who is primary then.

    Nothing of such a write was done, so trying again doubles nothing. redis-py sees a plain `READONLY` only:
    Redis 6.2 wraps what a script met in an error of the script, and a MULTI returns it in a list.
    """

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        # redis-py would keep a connection to a watched primary after a reply that came late or was not read to its
        # end, and the next who uses it would be given that reply as its own.
        kwargs.setdefault("disconnect_on_error", True)
        try:
            response = super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as e:
            self._leave_if(e)
            raise
        if isinstance(response, list):
            for one in response:
                self._leave_if(one)
        return response

    def _leave_if(self, one: object) -> None:
        if isinstance(one, ResponseError) and _is_demotion(one):
            self.disconnect()  # type: ignore[attr-defined]
            raise RedisConnectionError(_IS_DEMOTED) from one


def _is_demotion(error: ResponseError) -> bool:
    return isinstance(error, redis.ReadOnlyError) or any(word in str(error) for word in _DEMOTED)


class _Tcp(_LeavesTheDemoted, Connection):
    pass


class _Tls(_LeavesTheDemoted, SSLConnection):
    pass


class _Unix(_LeavesTheDemoted, UnixDomainSocketConnection):
    pass


class _Watched(_LeavesTheDemoted, SentinelManagedConnection):
    pass


class _WatchedTls(_LeavesTheDemoted, SentinelManagedSSLConnection):
    pass


_CLASSES: dict[str, type[Any]] = {"redis": _Tcp, "rediss": _Tls, "unix": _Unix}


class _Sentinels(Sentinel):
    """Sentinels that are asked only when a connection is made, within a limit, and are not kept connected."""

    within_s: float = 1

    def discover_master(self, service_name: str) -> Any:
        """Ask one after another. Where that took its time it is a timeout, which is not tried again at once."""
        began = time.monotonic()
        try:
            return super().discover_master(service_name)  # type: ignore[no-untyped-call]
        except MasterNotFoundError as e:
            if time.monotonic() - began < self.within_s:
                raise
            raise RedisTimeoutError(str(e)) from e
        finally:
            for sentinel in self.sentinels:
                sentinel.connection_pool.disconnect(inuse_connections=False)


def client(
    settings: RedisSettings, *, connect_s: float, read_s: float, retries: int, decode: bool = True
) -> redis.Redis:
    """Build a client; nothing is connected yet, so it may be built before a fork.

    Only a refused or broken connection is tried again: a call that timed out has used its time up. With
    Sentinels, each of them has `connect_s` to answer.
    """
    password = settings.password()
    limits: dict[str, Any] = {
        "username": settings.username,
        "password": None if password is None else password.get_secret_value(),
        "socket_connect_timeout": connect_s,
        "socket_timeout": read_s,
        "retry": Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
        "decode_responses": decode,
        "encoding_errors": "backslashreplace",  # a stranger's bytes in one field hide nothing of the others
        "driver_info": None,
    }
    if not settings.sentinels:
        scheme = settings.way.partition(":")[0]
        return redis.Redis.from_url(settings.way, connection_class=_CLASSES[scheme], **limits)
    said = dict(parse_url(settings.way))  # type: ignore[no-untyped-call]
    tls = said.pop("connection_class", None) is not None
    return redis.Redis.from_pool(
        SentinelConnectionPool(  # type: ignore[no-untyped-call]
            settings.master,
            _sentinels(settings, connect_s, {k: v for k, v in said.items() if k.startswith("ssl_")}, tls=tls),
            connection_class=_WatchedTls if tls else _Watched,
            **{**limits, **said},
        )
    )


def _sentinels(settings: RedisSettings, each_s: float, ssl: dict[str, Any], *, tls: bool) -> _Sentinels:
    password = settings.sentinel_password()
    found = _Sentinels(  # type: ignore[no-untyped-call]
        settings.sentinel_addresses,
        sentinel_kwargs={
            "username": settings.sentinel_username,
            "password": None if password is None else password.get_secret_value(),
            "socket_connect_timeout": each_s,
            "socket_timeout": each_s,
            "retry": Retry(NoBackoff(), 0),
            "driver_info": None,
            **({"ssl": True, **ssl} if tls else {}),
        },
    )
    found.within_s = each_s
    return found
