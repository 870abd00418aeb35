"""etcd, API server, controllers and scheduler: the part of a cluster that remembers and decides."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from testbed.certificates import Authority, write_key
from testbed.control_groups import IN_OWN_GROUPS
from testbed.kube_api import KubeApi, write_kubeconfig
from testbed.kubernetes_build import built_kubernetes
from testbed.parts import program
from testbed.programs import Program, free_port, started
from testbed.slots import Slot
from testbed.wait import until

STAYS_HERE = {"NO_PROXY": "*", "no_proxy": "*", "AWS_EC2_METADATA_DISABLED": "true"}
"""Nothing leaves the machine: neither by a developer's proxy nor in search of a cloud that it might run in."""
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
BRISK = ("--kube-api-qps=300", "--kube-api-burst=600")


@dataclass(slots=True)
class ControlPlane:
    """One control plane, its data in `slot.folder`, its logs and credentials in `folder`."""

    slot: Slot
    folder: Path
    port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    authority: Authority = field(default_factory=lambda: Authority.make("rollback-testbed"), repr=False)
    _etcd_port: int = field(default_factory=free_port)
    _etcd_peer_port: int = field(default_factory=free_port)
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _api: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _manager: Program | None = None

    @property
    def server(self) -> str:
        """The address of the API server."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """The way in for the cluster's administrator."""
        return self.folder / "admin.kubeconfig"

    def write_files(self) -> None:
        """Write credentials and settings; whoever wants may then start to ask for the API server."""
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self.token},admin,admin,"system:masters"\n')
        write_key(rsa.generate_private_key(public_exponent=65537, key_size=2048), self._accounts_key)
        (self.folder / "audit-policy.json").write_text(json.dumps(AUDIT))
        self._ca_file.write_text(self.authority.pem)
        names = ["127.0.0.1", self.slot.api_service]
        self.authority.issue("kube-apiserver", names, self._certificate, self._certificate_key)
        write_kubeconfig(self.kubeconfig, self.server, self.authority.pem, self.token)

    def start(self) -> None:
        """Start all of it; return when the API server is ready."""
        self._start_etcd()
        self.start_api()
        self._start_deciders()

    def stop(self) -> None:
        """End all of it, without letting it tidy up: nothing of it is wanted any more."""
        self._api.close()
        self._running.close()

    def start_api(self) -> None:
        """Start the API server, first or again, on the same port and the same data."""
        server = self._start("kube-apiserver", self._api_options(), self._api)
        until(lambda: server.running() and self.ready(), within_s=40, what="the API server is ready")

    def stop_api(self) -> None:
        """End the API server at once; its clients see their connections break."""
        self._api.close()

    @contextlib.contextmanager
    def stricter_api(self, *plugins: str) -> Iterator[str]:
        """Start another API server beside this one, on the same data, with admission plugins; give its address.

        Pods and controllers do not know of it.
        """
        port = free_port()
        apart = {"secure-port": str(port), "audit-log-path": str(self.folder / "audit-stricter.jsonl")}
        also = {"endpoint-reconciler-type": "none", "enable-admission-plugins": ",".join(plugins)}
        server = f"https://127.0.0.1:{port}"
        asked = KubeApi.trusting(server, self.authority.pem, self.token)
        with contextlib.ExitStack() as running:
            options = [*self._api_options(), *(f"--{key}={value}" for key, value in {**apart, **also}.items())]
            second = self._start("kube-apiserver", options, running)
            until(lambda: second.running() and asked.text("/readyz") == "ok", within_s=40, what="it is ready too")
            yield server

    @contextlib.contextmanager
    def without_controllers(self) -> Iterator[None]:
        """Stop kube-controller-manager for a while: what is written is stored, and nobody takes it up."""
        assert self._manager is not None, "the control plane was not started"
        os.kill(self._manager.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._manager.pid, signal.SIGCONT)

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        return KubeApi.trusting(self.server, self.authority.pem, self.token).text("/readyz") == "ok"

    def requests(self, account: str) -> list[str]:
        """Return what a service account asked, such as "patch deployments/shop 200", from the audit log."""
        user = f"system:serviceaccount:{account}"
        lines = map(json.loads, self._audit_file.read_text().splitlines())
        return [_told(line) for line in lines if line["user"]["username"] == user]

    @property
    def _audit_file(self) -> Path:
        return self.folder / "audit.jsonl"

    @property
    def _ca_file(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def _certificate(self) -> Path:
        return self.folder / "apiserver.crt"

    @property
    def _certificate_key(self) -> Path:
        return self.folder / "apiserver.key"

    @property
    def _accounts_key(self) -> Path:
        return self.folder / "service-accounts.key"

    def _start_etcd(self) -> None:
        """Start etcd with its data in memory: it syncs every write, and a disk would make every test slow."""
        data = self.slot.folder / "etcd"
        data.mkdir(mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", "mode=0700,size=1g", "tmpfs", str(data)]
        subprocess.run(mount, check=True, capture_output=True)
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._etcd_peer_port}"
        options = {
            "data-dir": str(data / "data"),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "auto-compaction-retention": "1",
        }
        argv = [program("etcd"), *(f"--{key}={value}" for key, value in options.items())]
        start_expendable("etcd", argv, self.slot, self.folder, self._running)

    def _api_options(self) -> list[str]:
        options = {
            "etcd-servers": f"http://127.0.0.1:{self._etcd_port}",
            "bind-address": "127.0.0.1",
            "secure-port": str(self.port),
            "advertise-address": self.slot.gateway,
            "tls-cert-file": str(self._certificate),
            "tls-private-key-file": str(self._certificate_key),
            "service-cluster-ip-range": self.slot.services,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": str(self._accounts_key),
            "service-account-signing-key-file": str(self._accounts_key),
            "token-auth-file": str(self.folder / "tokens.csv"),
            "authorization-mode": "Node,RBAC",
            "anonymous-auth": "true",
            "kubelet-preferred-address-types": "InternalIP",
            "audit-policy-file": str(self.folder / "audit-policy.json"),
            "audit-log-path": str(self._audit_file),
            "audit-log-mode": "blocking",
        }
        return [f"--{key}={value}" for key, value in options.items()]

    def _start_deciders(self) -> None:
        alone = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1", "--port=0"]
        alone += BRISK
        manager = [
            f"--secure-port={free_port()}",
            f"--cert-dir={self.folder}/controller-manager",
            f"--service-account-private-key-file={self._accounts_key}",
            f"--root-ca-file={self._ca_file}",
            "--concurrent-deployment-syncs=20",
            "--concurrent-replicaset-syncs=20",
            "--concurrent-gc-syncs=40",
            "--concurrent-namespace-syncs=20",
            "--horizontal-pod-autoscaler-sync-period=2s",
        ]
        scheduler = [f"--secure-port={free_port()}", f"--cert-dir={self.folder}/scheduler"]
        self._manager = self._start("kube-controller-manager", [*alone, *manager], self._running)
        self._start("kube-scheduler", [*alone, *scheduler], self._running)

    def _start(self, name: str, options: list[str], running: contextlib.ExitStack) -> Program:
        return start_expendable(name, [str(built_kubernetes() / name), *options], self.slot, self.folder, running)


def _told(line: dict[str, Any]) -> str:
    what = line.get("objectRef", {})
    path = "/".join(what[key] for key in ("resource", "name", "subresource") if what.get(key))
    return f"{line['verb']} {path or line['requestURI']} {line['responseStatus']['code']}"


def start_expendable(
    name: str, argv: list[str], slot: Slot, folder: Path, running: contextlib.ExitStack
) -> Program:
    """Start a program in the slot's control group; when `running` closes it is killed, with no chance to tidy up.

    Tidying up takes some of them a minute, and all they hold is thrown away anyway.
    """
    grouped = ["sh", "-c", IN_OWN_GROUPS, "sh", f"{slot.bridge}-programs", *argv]
    begun = running.enter_context(started(name, grouped, folder, env=STAYS_HERE))
    running.callback(begun.kill)
    return begun
