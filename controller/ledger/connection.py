"""The way to Redis: clients with the time limits of their role, and scripts that run whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from controller.ledger.keys import prelude
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.decisions import Reason
from rules.errors import Transient

_NOT_NOW = ("OOM", "READONLY", "MISCONF", "NOREPLICAS", "BUSY ")

Client = Any
"""A `redis.Redis` that decodes: its own annotations cannot say so and make every answer a union."""

Argument = str | bytes | int | float

NAMES = (
    *("approve", "behind", "book", "catalogue", "enlist", "others"),
    *("commit", "counts", "decide", "due", "hand", "hear", "move"),
    *("note", "open", "raise", "release", "renew", "roster", "sight", "suspend", "take"),
    *("fetch", "giveup", "route", "tell", "told", "untold"),
)

_MAY_PASS = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    OutOfMemoryError,
    MasterDownError,
    ClusterDownError,
    TryAgainError,
)


class LedgerUnavailable(Transient):
    """Redis did not answer, or not as a primary that keeps what it is given."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.LEDGER_UNAVAILABLE, message)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into ours, at the edge.

    A `ResponseError` that no retry heals (a broken script) is a bug and passes as it is.
    """
    try:
        yield
    except (AuthenticationError, NoPermissionError) as e:
        raise LedgerUnavailable(
            f"Redis refuses our login or a command: {e}. Check redis.username, its password file and ACL."
        ) from e
    except _MAY_PASS as e:
        raise LedgerUnavailable(f"Redis does not answer as it should: {e}. Check that it runs.") from e
    except ResponseError as e:
        if not any(word in str(e) for word in _NOT_NOW):
            raise
        raise LedgerUnavailable(f"Redis does not take writes: {e}. Free memory or disk.") from e


def client(
    settings: RedisSettings, *, connect_s: float, read_s: float, retries: int, decode: bool = True
) -> redis.Redis:
    """Build a client; nothing is connected yet, so it may be built before a fork.

    Only a refused or broken connection is tried again: a call that timed out has used its time up.
    """
    password = settings.password()
    return redis.Redis.from_url(
        settings.url,
        username=settings.username,
        password=None if password is None else password.get_secret_value(),
        socket_connect_timeout=connect_s,
        socket_timeout=read_s,
        retry=Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
        decode_responses=decode,
        driver_info=None,
    )


class Scripts:
    """The ledger's scripts on one client.

    Each is idempotent for its caller: what was done although the reply was lost is recognised when asked again.
    """

    def __init__(self, connection: Client, numbers: Numbers) -> None:
        head = prelude(numbers)
        folder = resources.files("controller.ledger") / "scripts"
        shared = (folder / "prelude.lua").read_text()
        self._client = connection
        self._taught = False
        self._texts = {name: "\n".join((head, shared, (folder / f"{name}.lua").read_text())) for name in NAMES}
        self._digests = {name: connection.register_script(text).sha for name, text in self._texts.items()}

    def run(self, name: str, *args: Argument) -> Any:
        """Run one script; Redis that forgot it (a restart) is taught anew."""
        with translated():
            try:
                return self._client.evalsha(self._digests[name], 0, *args)
            except NoScriptError:
                return self._client.eval(self._texts[name], 0, *args)

    def queue(self, pipe: Any, name: str, *args: Argument) -> None:
        """Put one script into the MULTI that `transact` builds."""
        pipe.evalsha(self._digests[name], 0, *args)

    def transact(self, build: Callable[[Any], None]) -> list[Any]:
        """Execute, as one MULTI, what `build` puts into the pipeline it is given.

        Where Redis has forgotten the scripts, the rest of the MULTI took place: a doorbell rang for nothing,
        which is allowed. The scripts are taught and the whole is executed again.
        """
        with translated():
            try:
                self.teach()
                return self._once(build)
            except NoScriptError:
                self._teach()
                return self._once(build)

    def _once(self, build: Callable[[Any], None]) -> list[Any]:
        with self._client.pipeline(transaction=True) as pipe:
            pipe.multi()
            build(pipe)
            return list(pipe.execute())

    def teach(self) -> None:
        """Load every script, unless this process or the one it was forked from has; may raise Redis' errors."""
        if not self._taught:
            self._teach()

    def _teach(self) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            for text in self._texts.values():
                pipe.script_load(text)
            pipe.execute()
        self._taught = True


def pairs(flat: Any) -> dict[str, str]:
    """Read the flat list of a hash as a script returns it."""
    items = list(flat)
    return dict(zip(items[::2], items[1::2], strict=True))
