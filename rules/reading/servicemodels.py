"""The services of the inventory as models: what each field may hold, what it defaults to, what it means."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rules.matching.regexes import RegexError, compile_anchored
from rules.reading.fieldtypes import Literally, Section, Text, checked, say
from rules.reading.placenames import wrong_address, wrong_inner_path, wrong_name
from rules.reading.restartmodels import AbsolutePath, HealthModel, RestartModel, StopModel, Url
from rules.services import Health, Host, Order, Restart, Service

Name = Annotated[Text, checked(wrong_name)]
InnerPath = Annotated[Text, checked(wrong_inner_path)]
Port = Annotated[int, Field(ge=1, le=65535)]


def _pattern(pattern: str) -> str | None:
    try:
        compile_anchored(pattern)
    except RegexError as error:
        return f"not a regular expression: {error}"
    return None


class HostModel(Section):
    """One machine that runs the service."""

    name: Annotated[Name, Field(description="The host's name, unique in the service.")]
    address: Annotated[
        Annotated[Text, checked(wrong_address)] | None,
        Field(description="Its IPv4 or IPv6 address or DNS name. Without it: the name, or 127.0.0.1 when local."),
    ] = None
    port: Annotated[
        Port | None, Field(description="The port of its SSH server, when it is not that of `ssh:`.")
    ] = None
    instance: Annotated[
        Literally | None, Field(description="What the label `instance` of its alerts says, when it is neither.")
    ] = None
    labels: Annotated[
        dict[Text, Literally], Field(default_factory=dict, description="Labels that rules select by.")
    ]
    releases: Annotated[
        AbsolutePath | None, Field(description="The directory of releases on this host, when it is another one.")
    ] = None
    current: Annotated[
        AbsolutePath | None, Field(description="The link on this host, when it is another one.")
    ] = None
    restart: Annotated[
        RestartModel | None, Field(description="How the service takes up a release here, when otherwise.")
    ] = None
    health: Annotated[HealthModel | None, Field(description="When this instance is healthy, when otherwise.")] = (
        None
    )

    @model_validator(mode="after")
    def _reachable(self) -> HostModel:
        if self.address is None and (wrong := wrong_address(self.name)):
            say(f"the name is no address ({wrong}); add `address:`")
        return self

    def read(self, *, local: bool) -> Host:
        """Return it as the rest of the project sees it."""
        address = self.address or ("127.0.0.1" if local else self.name)
        return Host(
            name=self.name,
            address=address,
            labels=MappingProxyType(dict(self.labels)),
            instance=self.instance,
            port=self.port,
            releases=self.releases and self.releases.rstrip("/"),
            current=self.current and self.current.rstrip("/"),
            restart=self.restart.read() if self.restart else None,
            health=self.health.read() if self.health else None,
        )


def _metric(name: str) -> str | None:
    return (
        None if re.fullmatch("[a-zA-Z_:][a-zA-Z0-9_:]*", name) else f"`{name}` is no name of a metric; correct it"
    )


class VersionModel(Section):
    """Where the service itself says what it runs."""

    url: Annotated[
        Url | None,
        Field(
            description="A URL that answers with a version, as text or as JSON with `version` or `commit`; "
            "{address} is the host's address."
        ),
    ] = None
    metric: Annotated[
        Annotated[Text, checked(_metric)] | None,
        Field(description="A metric in Prometheus whose labels say it, as in `shop_build_info`."),
    ] = None

    @model_validator(mode="after")
    def _says_where(self) -> VersionModel:
        if self.url is None and self.metric is None:
            say("say where the version is found; add `url:` or `metric:`")
        return self


def misfit(releases: str, current: str, restart: Restart, health: Health | None) -> str | None:
    """Say what does not fit together, of a service or of one host that differs from it."""
    if current == releases or current.startswith(f"{releases}/"):
        return "`current` lies inside `releases` and would be taken for a release; put the link beside it"
    if health and health.systemd and restart.unit is None:
        return "`health: {systemd: active}` needs a unit, and `restart` names none; use `health: {url: …}`"
    return None


class ServiceModel(Section):
    """What is released together, in the same way, on every one of its hosts."""

    releases: Annotated[
        AbsolutePath, Field(description="The directory that holds one directory or file per release.")
    ]
    current: Annotated[AbsolutePath, Field(description="The link that is switched.")]
    pattern: Annotated[
        Annotated[Text, checked(_pattern)] | None,
        Field(description="A regular expression (RE2) that a release's whole name matches."),
    ] = None
    whitelist: Annotated[
        list[Text] | None,
        Field(min_length=1, description="Shell globs; only releases like one of them are chosen."),
    ] = None
    executable: Annotated[
        InnerPath | None, Field(description="A file inside a release that must be there and be executable.")
    ] = None
    complete: Annotated[
        InnerPath | None, Field(description="A file inside a release that is there once it is whole.")
    ] = None
    order: Annotated[
        Literal["auto", "version", "time"], Field(description="How releases are sorted from old to new.")
    ] = "auto"
    restart: Annotated[RestartModel, Field(description="How the service takes up a release.")]
    stop: Annotated[StopModel | None, Field(description="Out of rotation, and in again.")] = None
    health: Annotated[HealthModel | None, Field(description="When an instance is healthy.")] = None
    version: Annotated[VersionModel | None, Field(description="Where the service itself says what it runs.")] = (
        None
    )
    hosts: Annotated[list[HostModel], Field(min_length=1, description="The machines that run the service.")]

    @model_validator(mode="after")
    def _fits_together(self) -> ServiceModel:
        health = self.health.read() if self.health else None
        if wrong := misfit(self.releases.rstrip("/"), self.current.rstrip("/"), self.restart.read(), health):
            say(wrong)
        return self

    def read(self, name: str, *, local: bool) -> Service:
        """Return it as the rest of the project sees it."""
        return Service(
            name=name,
            releases=self.releases.rstrip("/"),
            current=self.current.rstrip("/"),
            restart=self.restart.read(),
            hosts=tuple(host.read(local=local) for host in self.hosts),
            pattern=self.pattern,
            whitelist=None if self.whitelist is None else tuple(self.whitelist),
            executable=self.executable,
            complete=self.complete,
            order=Order(self.order),
            stop=self.stop.read() if self.stop else None,
            health=self.health.read() if self.health else None,
            version_url=self.version.url if self.version else None,
            version_metric=self.version.metric if self.version else None,
        )
