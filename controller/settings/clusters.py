"""The clusters that workloads are rolled back on, each by a name that is part of every identity."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts a pod's own credentials."""

DEFAULT_CLUSTER = "default"

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a cluster's name is letters, digits, '-', '_' and '.', 63 at most, as in prod-eu")
    return name


def _namespace(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a namespace: small letters, digits and '-', 63 at most, as in shop-eu"
        )
    return name


ClusterName = Annotated[str, AfterValidator(_named)]
Namespace = Annotated[str, AfterValidator(_namespace)]


class ClusterSettings(BaseModel):
    """How one cluster is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kubeconfig: Path | None = None
    context: str | None = None
    """Which context of the kubeconfig; by default its current one."""
    in_cluster: bool = False
    """Reached with the service account of the pod we run in."""
    namespaces: tuple[Namespace, ...] = ()
    """Where workloads are looked for; none means in every namespace."""
    insecure_skip_tls_verify: bool = False
    """Whether the kubeconfig's `insecure-skip-tls-verify` is obeyed."""

    @model_validator(mode="after")
    def _reached_one_way(self) -> ClusterSettings:
        if self.in_cluster == (self.kubeconfig is not None):
            raise ValueError("needs either `kubeconfig: PATH` or `in-cluster: true`, and not both")
        if self.in_cluster and (self.context or self.insecure_skip_tls_verify):
            raise ValueError("`context` and `insecure-skip-tls-verify` belong to a `kubeconfig`")
        return self


def clusters_in_force(
    said: Mapping[str, ClusterSettings],
    folder: Path = SERVICE_ACCOUNT,
    environ: Mapping[str, str] = os.environ,
) -> Mapping[str, ClusterSettings]:
    """Return the clusters of the settings; where none is said, the one that this process is a pod of, if it is."""
    if said or "KUBERNETES_SERVICE_HOST" not in environ or not (folder / "token").is_file():
        return said
    return {DEFAULT_CLUSTER: ClusterSettings(in_cluster=True)}
