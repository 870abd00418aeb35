"""Where the ledger and the queue are: one Redis or Valkey, by its address or by the Sentinels that watch it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from controller.settings.secrets import read_secret

_SCHEMES = frozenset({"redis", "rediss", "unix"})
_SENTINEL_PORT = 26379


class Redis(BaseModel):
    """The one Redis or Valkey that holds the ledger and the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = "redis://127.0.0.1:6379/0"
    """With `sentinels` it names no host, and says only the database and whether TLS is spoken."""
    username: str | None = None
    password_file: Path | None = None
    sentinels: tuple[str, ...] = ()
    """HOST:PORT of each Sentinel; one that answers is enough."""
    master: Annotated[str, Field(min_length=1)] | None = None
    """What the Sentinels call the primary."""
    sentinel_username: str | None = None
    sentinel_password_file: Path | None = None
    wait_for_replicas: Annotated[int, Field(ge=0, le=16)] = 0
    """So many replicas have what is accepted, and each commit, before it counts."""

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if urlsplit(url).scheme not in _SCHEMES:
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return url

    @field_validator("sentinels")
    @classmethod
    def _host_and_port(cls, sentinels: tuple[str, ...]) -> tuple[str, ...]:
        for said in sentinels:
            if address(said) is None:
                raise ValueError(f"{said} must be HOST:PORT, as in sentinel-0.redis:26379 or [fd00::7]:26379")
        return sentinels

    @model_validator(mode="after")
    def _one_way_there(self) -> Redis:
        for problem in self._contradictions():
            raise ValueError(problem)
        return self

    def _contradictions(self) -> Iterator[str]:
        if not self.sentinels:
            if self.master is not None:
                yield "has `master` and no `sentinels`: name those who know it, or leave `master` out"
            if self.sentinel_username is not None or self.sentinel_password_file is not None:
                yield "has a login for Sentinels and no `sentinels`: name them, or leave the login out"
            return
        if self.master is None:
            yield "has `sentinels` and no `master`: set it to the name in their line `sentinel monitor NAME …`"
        if self.sentinel_username is not None and self.sentinel_password_file is None:
            yield "has `sentinel-username` and no `sentinel-password-file`: set both or neither"
        parts = urlsplit(self.url)
        if "url" in self.model_fields_set and (parts.scheme == "unix" or parts.hostname):
            yield (
                "names one server in `url` and `sentinels` that say which one: keep one of them. With "
                "`sentinels`, `url` says only the database and TLS, as in redis:///0 or rediss:///0"
            )

    @property
    def said(self) -> bool:
        """Whether anybody said where it is."""
        return not {"url", "sentinels"}.isdisjoint(self.model_fields_set)

    @property
    def way(self) -> str:
        """The URL that says how to speak; with Sentinels, whatever host it names is not asked."""
        return self.url if not self.sentinels or "url" in self.model_fields_set else "redis:///0"

    @property
    def sentinel_addresses(self) -> tuple[tuple[str, int], ...]:
        """The Sentinels as host and port, without brackets."""
        return tuple(found for said in self.sentinels if (found := address(said)))

    def password(self) -> SecretStr | None:
        """Read the password from its file; None when none is named."""
        return None if self.password_file is None else read_secret(self.password_file)

    def sentinel_password(self) -> SecretStr | None:
        """Read the Sentinels' password from its file; None when none is named."""
        return None if self.sentinel_password_file is None else read_secret(self.sentinel_password_file)


def address(said: str) -> tuple[str, int] | None:
    """Read HOST or HOST:PORT, IPv6 in brackets; the port is else the Sentinels' usual one. None if neither."""
    try:
        parts = urlsplit(f"//{said}")
        port = parts.port
    except ValueError:
        return None
    plain = parts.netloc == said and not any(letter.isspace() for letter in said)
    whole = plain and parts.hostname and parts.username is None and port != 0
    return (parts.hostname or "", port or _SENTINEL_PORT) if whole else None
