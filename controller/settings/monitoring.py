"""How Prometheus and Alertmanager are asked. Addresses come from here, never from what a notification says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from controller.settings.secrets import read_secret


class MonitoringAccess(BaseModel):
    """One HTTP API of the monitoring: its address and how we show who we are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """With the path prefix, if it has one: what `--web.external-url` says, as seen from here."""
    token_file: Path | None = None
    username: Annotated[str, Field(min_length=1)] | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    """Who signed its certificate; by default whom the system trusts."""
    timeout_s: Annotated[float, Field(gt=0, le=30)] = 2
    """One question, from connecting to the last byte, with its one repetition."""

    @field_validator("url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            whole = False
        if not whole:
            raise ValueError(
                "must be an address such as http://127.0.0.1:9090 or https://prometheus.example/prefix"
            )
        if parts.username is not None or parts.password is not None:
            raise ValueError("must hold no user name or password: use `username` and `password-file`")
        if parts.query or parts.fragment:
            raise ValueError("must end with the path: leave out `?` and `#` and what follows")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> MonitoringAccess:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("`username` and `password-file` belong together: set both or neither")
        if self.token_file is not None and self.username is not None:
            raise ValueError("has both `token-file` and `username`; keep the one that it asks for")
        return self

    def token(self) -> SecretStr | None:
        """Read the bearer token anew: tokens are rotated. None when none is named."""
        return None if self.token_file is None else read_secret(self.token_file)

    def password(self) -> SecretStr | None:
        """Read the password anew; None when none is named."""
        return None if self.password_file is None else read_secret(self.password_file)


class PrometheusSettings(MonitoringAccess):
    """The Prometheus that judges the alerting rules, or something that speaks its query API for it."""


class AlertmanagerSettings(MonitoringAccess):
    """The Alertmanager that notifies us."""

    receiver: Annotated[str, Field(min_length=1)] | None = None
    """Our receiver's name there: only alerts that are routed to it concern us. By default every alert."""
