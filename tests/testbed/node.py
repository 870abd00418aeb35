"""The cluster's one node: containerd, runc and the kubelet, whose pods are real containers on a bridge.

Both see a file system of their own where their habits are fixed in code (/run, /var/log, /var/lib/cni): a
private mount namespace. The kernel takes it and every mount in it away with the last process.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from testbed import control_groups
from testbed.control_plane import ControlPlane, start_expendable
from testbed.kubernetes_build import built_kubernetes
from testbed.nspawn import make_bridge
from testbed.parts import PLUGINS, program
from testbed.programs import Program, free_port
from testbed.slots import Slot
from testbed.wait import until

NAME = "node1"
HIDDEN = Path("/var/lib/cni")
PRIVATE = f"""\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs {HIDDEN}
mount --bind "$1" /var/log
shift
exec "$@"
"""
CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Some virtual machines lack CAP_SYS_RESOURCE: no sandbox would start there.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
"""


@dataclass(slots=True)
class Node:
    """One node of a cluster; `pause` names the image that holds a pod's network namespace."""

    slot: Slot
    folder: Path
    control: ControlPlane
    pause: str
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _runtime: Program | None = None

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return self.slot.folder / "containerd.sock"

    @property
    def group(self) -> str:
        """The control group that all pods live in."""
        return f"{self.slot.bridge}-pods"

    def start(self) -> None:
        """Start both, before the API server: the kubelet spends its first seconds looking at the machine."""
        self._start_runtime()
        self._start_kubelet()

    def stop(self) -> None:
        """End both; what they started, pods and their keepers, ends with the slot's control groups."""
        self._running.close()
        control_groups.end_and_remove(f"{self.slot.bridge}-")

    def _start_runtime(self) -> None:
        program("host-local")
        self._write_files()
        make_bridge(self.slot)
        control_groups.make_everywhere(self.group)
        # Left where it is afterwards: removing it would take another run's mount away.
        HIDDEN.mkdir(parents=True, exist_ok=True)
        argv = [program("containerd"), "--config", str(self.slot.folder / "containerd.toml")]
        private = [program("unshare"), "--mount", "sh", "-c", PRIVATE, "sh", str(self.slot.folder / "log")]
        self._runtime = self._start("containerd", [*private, *argv])

    def _start_kubelet(self) -> None:
        """Start the kubelet among containerd's mounts; it registers the node."""
        runtime = self._runtime
        assert runtime is not None, "start the runtime first"
        until(lambda: runtime.running() and self.socket.exists(), within_s=20, what="containerd listens")
        folder = self.slot.folder
        options = {
            "config": f"{folder}/kubelet.json",
            "kubeconfig": str(self.control.kubeconfig),
            "root-dir": f"{folder}/kubelet",
            "cert-dir": f"{folder}/kubelet-certificates",
            "volume-plugin-dir": f"{folder}/volume-plugins",
            "container-runtime": "remote",
            "container-runtime-endpoint": f"unix://{self.socket}",
            "hostname-override": NAME,
            "node-ip": self.slot.gateway,
        }
        argv = [str(built_kubernetes() / "kubelet"), *(f"--{key}={value}" for key, value in options.items())]
        enter = [program("nsenter"), f"--mount=/proc/{runtime.pid}/ns/mnt", "--"]
        self._start("kubelet", [*enter, *argv])

    def _start(self, name: str, argv: list[str]) -> Program:
        return start_expendable(name, argv, self.slot, self.folder, self._running)

    def _write_files(self) -> None:
        folder = self.slot.folder
        for name in ("cni", "log", "kubelet"):
            (folder / name).mkdir()
        words = {"folder": folder, "socket": self.socket, "pause": self.pause, "plugins": PLUGINS}
        words["snapshotter"] = _snapshotter(folder)
        (folder / "containerd.toml").write_text(CONTAINERD.format(**words))
        (folder / "cni/10-testbed.conflist").write_text(json.dumps(self._network()))
        (folder / "resolv.conf").write_text("")
        (folder / "kubelet.json").write_text(json.dumps(self._kubelet()))

    def _network(self) -> dict[str, object]:
        """Pods get addresses of the slot's network above those that hosts get."""
        pods = {
            "subnet": self.slot.address(0) + "/24",
            "rangeStart": self.slot.address(32),
            "rangeEnd": self.slot.address(250),
            "gateway": self.slot.gateway,
        }
        addresses: dict[str, object] = {
            "type": "host-local",
            "dataDir": f"{self.slot.folder}/addresses",
            "ranges": [[pods]],
        }
        addresses["routes"] = [{"dst": self.slot.services}]  # see testbed.services
        bridge = {"type": "bridge", "bridge": self.slot.bridge, "isGateway": True, "ipam": addresses}
        return {"cniVersion": "0.4.0", "name": "testbed", "plugins": [bridge]}

    def _kubelet(self) -> dict[str, object]:
        """Answer fast, evict nothing, and touch nothing outside the slot."""
        never = dict.fromkeys(("nodefs.available", "nodefs.inodesFree", "imagefs.available"), "0%")
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.slot.gateway,
            "port": free_port(),
            "healthzPort": 0,
            "readOnlyPort": 0,
            # It listens on the slot's bridge alone; the API server fetches logs there.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.group}",
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            "makeIPTablesUtilChains": False,
            "resolvConf": f"{self.slot.folder}/resolv.conf",
            "clusterDomain": "cluster.local",
            "clusterDNS": [self.slot.gateway],
            "maxPods": 200,
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "eventRecordQPS": 0,
            "kubeAPIQPS": 300,
            "kubeAPIBurst": 600,
            "syncFrequency": "1s",
            "nodeStatusUpdateFrequency": "2s",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {**never, "memory.available": "1Mi"},
            "featureGates": {"DevicePlugins": False, "KubeletPodResources": False},
        }


def _snapshotter(folder: Path) -> str:
    """Lay containers over their image where the file system can; copies work on any, and take seconds each."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        lower, upper, work, over = (Path(name, one) for one in ("lower", "upper", "work", "over"))
        for one in (lower, upper, work, over):
            one.mkdir()
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        argv = [program("unshare"), "--mount", "mount", "-t", "overlay", "overlay", "-o", options, str(over)]
        done = subprocess.run(argv, capture_output=True, check=False)
    return "overlayfs" if done.returncode == 0 else "native"
