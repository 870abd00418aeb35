"""The way to Redis: its errors in our words, and scripts that run whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

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
from redis.sentinel import MasterNotFoundError

from controller.ledger.keys import REPLICATED, prelude
from controller.settings.numbers import Numbers
from rules.decisions import Reason
from rules.errors import Transient

_NOT_NOW = ("OOM", "READONLY", "MISCONF", "NOREPLICAS", "BUSY ")

Client = Any
"""A `redis.Redis` that decodes: its own annotations cannot say so and make every answer a union."""

Argument = str | bytes | int | float

RedisRefuses = ResponseError
"""What Redis answers where a command cannot be done, as on a key of another type; for who speaks through RQ."""

NAMES = (
    *("approve", "behind", "book", "catalogue", "enlist", "others"),
    *("commit", "counts", "decide", "due", "hand", "hear", "mend", "move"),
    *("note", "open", "raise", "release", "renew", "roster", "seal", "sight", "suspend", "take"),
    *("fetch", "giveup", "route", "tell", "told", "untold"),
    *("in_force", "listed", "orphans", "turn", "unresolved"),
)

_REACHES_REPLICAS = frozenset({"take", "commit"})
"""What no change may begin without: a primary that takes over must know of it. The journal adds its intents."""

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


def redis_now_ms(client: Client) -> int:
    """Return Redis' time, in milliseconds since the epoch; raises `LedgerUnavailable`."""
    with translated():
        seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


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
    except MasterNotFoundError as e:
        raise LedgerUnavailable(
            f"The Sentinels name no primary that runs: {e}. Check redis.sentinels and redis.master; after a "
            "failover it passes within seconds."
        ) from e
    except _MAY_PASS as e:
        raise LedgerUnavailable(f"Redis does not answer as it should: {e}. Check that it runs.") from e
    except ResponseError as e:
        if "WRONGTYPE" in str(e):
            raise LedgerUnavailable(
                f"A key of ours holds what we never wrote: {e}. Find it with `redis-cli --scan --pattern 'rc:*'` "
                "and TYPE (docs/reference/protocol.md lists the keys), and ask who else writes to this Redis."
            ) from e
        if not any(word in str(e) for word in _NOT_NOW):
            raise
        raise LedgerUnavailable(f"Redis does not take writes: {e}. Free memory or disk.") from e


class Scripts:
    """The ledger's scripts on one client.

    Each is idempotent for its caller: what was done although the reply was lost is recognised when asked again.
    Where `replicas` is not 0, so many have `wait_s` to say that they have what must outlive a failover.
    """

    def __init__(self, connection: Client, numbers: Numbers, *, replicas: int = 0, wait_s: float = 0.5) -> None:
        head = prelude(numbers)
        folder = resources.files("controller.ledger") / "scripts"
        shared = (folder / "prelude.lua").read_text()
        self._client = connection
        self._replicas, self._wait_ms = replicas, max(1, round(wait_s * 1000))
        self._taught = False
        self._texts = {name: "\n".join((head, shared, (folder / f"{name}.lua").read_text())) for name in NAMES}
        self._digests = {name: connection.register_script(text).sha for name, text in self._texts.items()}

    def run(self, name: str, *args: Argument) -> Any:
        """Run one script; Redis that forgot it (a restart) is taught anew."""
        with translated():
            try:
                result = self._client.evalsha(self._digests[name], 0, *args)
            except NoScriptError:
                result = self._client.eval(self._texts[name], 0, *args)
        if name in _REACHES_REPLICAS:
            self.reach_replicas()
        return result

    def reach_replicas(self) -> None:
        """Return when the replicas that the settings ask for have everything written so far, by anybody.

        Raises `LedgerUnavailable` where too few say so in time; what was written stays written. The write here
        is what WAIT waits for: it counts its own connection's writes only, and ours come from many.
        """
        if not self._replicas:
            return
        with translated(), self._client.pipeline(transaction=False) as pipe:
            pipe.set(REPLICATED, 1)
            pipe.wait(self._replicas, self._wait_ms)
            reached = int(pipe.execute()[1])
        if reached < self._replicas:
            raise LedgerUnavailable(
                f"Only {reached} of {self._replicas} replicas have what was written. Check that they run, or "
                "set redis.wait-for-replicas to fewer."
            )

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
