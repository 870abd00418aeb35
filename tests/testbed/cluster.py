"""A Kubernetes cluster as tests see it: the testbed's own, or one that the developer lends.

A lent cluster (`ROLLBACK_TEST_KUBECONFIG`) is touched only in namespaces that the tests make.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from testbed import access, images
from testbed.control_plane import ControlPlane
from testbed.debian_package import kubectl
from testbed.kube_api import APPLY, STRATEGIC, KubeApi, KubeRefusedError, path_of
from testbed.parts import PartMissingError
from testbed.registry import Registry
from testbed.rollouts import rolled_out
from testbed.wait import until

LENT = "ROLLBACK_TEST_KUBECONFIG"
LENT_IMAGES = "ROLLBACK_TEST_IMAGES"
Object = dict[str, Any]
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Cluster:
    """One running cluster and its administrator's way in."""

    kubeconfig: Path
    folder: Path
    api: KubeApi
    images: str
    """What the shop's images are called, without tag."""
    own_registry: Registry | None = None
    own_control: ControlPlane | None = None

    @property
    def registry(self) -> Registry:
        """The registry that the images come from; tests may push to it."""
        return _ours(self.own_registry, "the testbed's registry")

    @property
    def control(self) -> ControlPlane:
        """The processes of the control plane."""
        return _ours(self.own_control, "the testbed's own control plane")

    def image(self, tag: str) -> str:
        """Return the full name of the shop's image `v1`, `v2`, `v3` (bad), `bad`, `crash`, or of none at all."""
        return f"{self.images}:{tag}"

    def push(self, tag: str, version: str, behaves: str = "good") -> str:
        """Build an image and push it under a tag, new or taken; return its digest."""
        archive = images.write_archive(self.folder / f"{secrets.token_hex(4)}.tar", version, behaves)
        return self.registry.push(archive, f"{self.images.split('/', 1)[1]}:{tag}")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the real kubectl as administrator and return what it prints."""
        argv = [str(kubectl()), f"--kubeconfig={self.kubeconfig}", *arguments]
        env = {**os.environ, "HOME": str(self.folder), "NO_PROXY": "*"}
        done = subprocess.run(argv, input=stdin, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def stop_api(self) -> None:
        """End the API server at once; data, pods and controllers stay."""
        self.control.stop_api()

    def start_api(self) -> None:
        """Start the API server again, on the same port and data, and wait until it is ready."""
        self.control.start_api()

    def without_controllers(self) -> contextlib.AbstractContextManager[None]:
        """Stop the controllers for a while: what is written is stored, and nobody takes it up."""
        return self.control.without_controllers()

    def apply(self, manifest: Object, namespace: str, *, manager: str = "shop-team", force: bool = True) -> Object:
        """Apply on the server's side, as `kubectl apply --server-side` does."""
        path = _path(manifest, namespace)
        query = {"fieldManager": manager, "force": str(force).lower()}
        return self._object("PATCH", path, manifest, sends=APPLY, query=query)

    def create(self, manifest: Object, namespace: str | None = None) -> Object:
        """Create an object of any kind."""
        path = path_of(manifest["kind"], namespace, version=manifest["apiVersion"])
        return self._object("POST", path, manifest)

    def get(self, kind: str, namespace: str | None, name: str, *, version: str | None = None) -> Object:
        """Return an object; `KubeRefusedError` with status 404 when there is none."""
        return self._object("GET", path_of(kind, namespace, name, version))

    def all(
        self, kind: str, namespace: str | None, selector: str = "", *, version: str | None = None
    ) -> list[Object]:
        """Return all objects of a kind that the label selector takes."""
        query = {"labelSelector": selector} if selector else None
        answer = self.api.call("GET", path_of(kind, namespace, version=version), query=query)
        return list(answer["items"])

    def patch(self, kind: str, namespace: str, name: str, patch: object, *, sends: str = STRATEGIC) -> Object:
        """Patch an object as somebody else would."""
        return self._object("PATCH", path_of(kind, namespace, name), patch, sends=sends)

    def delete(self, kind: str, namespace: str | None, name: str) -> None:
        """Delete an object and, in the background, all that it owns; do not wait."""
        body = {"propagationPolicy": "Background"}
        with contextlib.suppress(KubeRefusedError):
            self.api.call("DELETE", path_of(kind, namespace, name), body)

    def set_image(self, kind: str, namespace: str, name: str, image: str, container: str = "app") -> Object:
        """Do what `kubectl set image` does."""
        containers = [{"name": container, "image": image}]
        return self.patch(kind, namespace, name, {"spec": {"template": {"spec": {"containers": containers}}}})

    def pods(self, namespace: str, selector: str = "") -> list[Object]:
        """Return the pods that are not on their way out, by name."""
        found = self.all("Pod", namespace, selector)
        living = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return sorted(living, key=lambda pod: str(pod["metadata"]["name"]))

    def log(self, namespace: str, pod: str, *, previous: bool = False) -> str:
        """Return what a pod's container wrote."""
        query = {"previous": str(previous).lower()}
        return self.api.text(f"{path_of('Pod', namespace, pod)}/log", query=query)

    def wait_rolled_out(self, kind: str, namespace: str, name: str, *, within_s: float = 60) -> Object:
        """Wait until every pod that the newest spec asks for runs and is ready; return the workload."""

        def seen() -> Object | None:
            workload = self.get(kind, namespace, name)
            return workload if rolled_out(workload) else None

        return until(seen, within_s=within_s, what=f"{kind} {namespace}/{name} is rolled out", every_s=0.1) or {}

    def roll(self, manifest: Object, namespace: str) -> Object:
        """Apply a workload and wait until it is rolled out."""
        self.apply(manifest, namespace)
        return self.wait_rolled_out(manifest["kind"], namespace, manifest["metadata"]["name"])

    def make_namespace(self) -> str:
        """Make a namespace in which pods can start at once, and return its name."""
        name = f"rollback-test-{secrets.token_hex(4)}"
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        until(lambda: self._has_its_account(name), within_s=60, what="the namespace has its account")
        return name

    def _has_its_account(self, namespace: str) -> bool:
        """Whether pods may be made; the testbed's own server also wants the account to have its token."""
        account = self.get("ServiceAccount", namespace, "default")
        return self.own_control is None or bool(account.get("secrets"))

    def user_kubeconfig(
        self, name: str, namespace: str, rules: list[access.Rule], *, everywhere: bool = False
    ) -> Path:
        """Make a service account that may do what the rules say, and return a kubeconfig with its token.

        The rules bind in the namespace; `everywhere` in all of them, which a lent cluster is not asked for.
        """
        if everywhere:
            _ours(self.own_control, "a ClusterRole, for which the testbed uses its own cluster")
        access.grant(self.api, name, namespace, rules, everywhere=everywhere)
        return access.kubeconfig(self.api, name, namespace, self.folder)

    def user_token(self, name: str, namespace: str) -> str:
        """Return a new token of a service account that `user_kubeconfig` made."""
        return access.token(self.api, name, namespace)

    def _object(self, method: str, path: str, body: object = None, **how: Any) -> Object:
        return dict(self.api.call(method, path, body, **how))


@contextlib.contextmanager
def lent_cluster(kubeconfig: Path, folder: Path) -> Iterator[Cluster]:
    """Give the developer's own cluster; CONTRIBUTING.md says what it must have."""
    api = KubeApi.from_kubeconfig(kubeconfig)
    yield Cluster(kubeconfig, folder, api, os.environ.get(LENT_IMAGES, images.REPOSITORY))


def _path(manifest: Object, namespace: str) -> str:
    return path_of(manifest["kind"], namespace, manifest["metadata"]["name"], manifest["apiVersion"])


def _ours(part: Part | None, what: str) -> Part:
    if part is None:
        raise PartMissingError(what, f"not with a cluster lent by {LENT}; unset it")
    return part
