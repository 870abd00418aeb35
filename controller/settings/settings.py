"""The settings as a model: what may be said in the settings file and in `ROLLBACK_*` variables.

A variable wins over the file; `__` goes one level down (`ROLLBACK_REDIS__URL`). Secrets are no values here:
the settings name the file that holds one, and whoever needs it reads it as a `SecretStr`.
"""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from controller.settings.clusters import ClusterName, ClusterSettings
from controller.settings.monitoring import AlertmanagerSettings, PrometheusSettings
from controller.settings.notify import Channel, ChannelName
from controller.settings.numbers import Numbers
from controller.settings.policy import PolicyField
from controller.settings.redis import Redis as Redis  # noqa: PLC0414 - one of the settings, wherever it is written
from controller.settings.sealing import Audit
from controller.settings.secrets import read_secret
from rules.limits import NO_POLICY
from rules.reading.surroundings import Surroundings


class Role(StrEnum):
    """What the bearer of a token may do."""

    ALERTS = "alerts"
    """Post notifications, and nothing else: Alertmanager's."""
    READ = "read"
    """See rollbacks, decisions, plans and the state."""
    OPERATE = "operate"
    """Start and cancel rollbacks; includes `read`."""
    APPROVE = "approve"
    """Answer what a rule asks."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Token(_Section):
    """A bearer token with a name that the audit shows; the token itself is the content of `file`."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    roles: frozenset[Role] = Field(min_length=1)
    file: Path

    def read(self) -> SecretStr:
        """Read the token; surrounding white space is not part of it."""
        return read_secret(self.file)


class BasicLogin(_Section):
    """A user name and password for the receiver, for senders that cannot send a bearer token."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    username: Annotated[str, Field(min_length=1)]
    password_file: Path
    roles: frozenset[Role] = frozenset({Role.ALERTS})

    def read(self) -> SecretStr:
        """Read the password; surrounding white space is not part of it."""
        return read_secret(self.password_file)


class Auth(_Section):
    """Who may speak to the server. Several tokens of one name are fine: that is how one is rotated."""

    enabled: bool = True
    tokens: tuple[Token, ...] = ()
    basic: tuple[BasicLogin, ...] = ()


class Log(_Section):
    """How the processes log, always to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


def _apart(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _listed(value: object) -> object:
    """Take one path, a list, or (in a variable) paths separated as in PATH."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [part for part in value.split(os.pathsep) if part]


Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """Everything a process is told; immutable. Made by `load_settings`, or directly in tests."""

    model_config = SettingsConfigDict(
        env_prefix="ROLLBACK_", env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    rules: Paths = (Path("rules.yaml"),)
    """Rule files, or directories whose `*.yaml` are read in order of their names."""
    inventory: Path = Path("inventory.yaml")
    clusters: dict[ClusterName, ClusterSettings] = {}
    """The Kubernetes clusters by name; `clusters_in_force` also knows the one we run in."""
    redis: Redis = Redis()
    listen: str = "127.0.0.1:8095"
    """Address and port the server listens on; IPv6 in brackets."""
    worker_listen: str | None = None
    """Address and port where the workers of a machine say whether they are well; None: nowhere."""
    url: str | None = None
    """Where the command line finds the server; by default what `listen` says."""
    token_file: Path | None = None
    """Where the command line finds its personal token."""
    auth: Auth = Auth()
    audit: Audit = Audit()
    body_max: ByteSize = ByteSize(16 * 2**20)
    """The largest notification that is read, in bytes or like `16MiB`."""
    workers: Annotated[int, Field(ge=1, le=256)] = 2
    """Worker processes of one `rollbackctl worker`."""
    data_dir: Path = Path("data")
    """Where `rollbackctl up` keeps its embedded Valkey."""
    log: Log = Log()
    numbers: Numbers = Numbers()
    policy: PolicyField = NO_POLICY
    """What binds every rule, whatever it says."""
    prometheus: PrometheusSettings | None = None
    alertmanager: AlertmanagerSettings | None = None
    notify: dict[ChannelName, Channel] = {}
    """The channels by name; who is told what: `channels_for`."""

    @field_validator("listen", "worker_listen")
    @classmethod
    def _address_and_port(cls, listen: str | None) -> str | None:
        if listen is None:
            return None
        host, colon, port = listen.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65_536):
            raise ValueError("must be ADDRESS:PORT, as in 127.0.0.1:8095 or [::1]:8095")
        return listen

    @property
    def surroundings(self) -> Surroundings:
        """What rules may name, and what their times go by."""
        windows, channels = frozenset(self.policy.windows), frozenset(self.notify)
        return Surroundings(
            windows,
            channels,
            self.numbers.group_interval_s,
            prometheus=self.prometheus is not None,
            alertmanager=self.alertmanager is not None,
        )

    @property
    def bind(self) -> tuple[str, int]:
        """`listen` as address and port, without brackets."""
        return _apart(self.listen)

    @property
    def worker_bind(self) -> tuple[str, int] | None:
        """`worker_listen` as address and port, without brackets."""
        return None if self.worker_listen is None else _apart(self.worker_listen)

    @property
    def server_url(self) -> str:
        """Where a client on this machine finds the server."""
        if self.url:
            return self.url.rstrip("/")
        host, port = self.bind
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a wildcard is no address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' hook
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings  # the variable wins over the file
