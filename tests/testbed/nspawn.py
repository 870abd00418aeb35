"""Booting a root file system with systemd-nspawn, in a network namespace and control group of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from testbed.control_groups import IN_OWN_GROUPS
from testbed.parts import program
from testbed.programs import end_with_parent
from testbed.slots import Slot, ip
from testbed.wait import until

DEPLOYER = "deploy"
SUDOERS = """\
Cmnd_Alias SHOP = /usr/bin/systemctl restart shop.service, \\
                  /usr/bin/systemctl reload shop.service, \\
                  /usr/bin/systemctl stop shop.service, \\
                  /usr/bin/systemctl start shop.service, \\
                  /usr/bin/systemctl reset-failed shop.service, \\
                  /usr/bin/systemctl kill --kill-who=main --signal=HUP shop.service, \\
                  /usr/bin/systemctl daemon-reload
deploy ALL=(root) NOPASSWD: SHOP
"""


def make_key(path: Path, comment: str) -> Path:
    argv = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(argv, check=True)
    return path


def make_bridge(slot: Slot) -> None:
    ip("link", "add", slot.bridge, "type", "bridge")
    ip("addr", "add", f"{slot.gateway}/24", "dev", slot.bridge)
    ip("link", "set", slot.bridge, "up")


def make_root(slot: Slot, name: str, lower: Path, key_file: Path) -> Path:
    """Give the host a root of its own above the shared one: an overlay, or a copy where that cannot be."""
    folder = slot.folder / name
    upper, work, root = (folder / part for part in ("upper", "work", "root"))
    for path in (upper, work, root):
        path.mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    argv = ["mount", "-t", "overlay", slot.bridge, "-o", options, str(root)]
    if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
        subprocess.run(["cp", "-a", "--reflink=auto", f"{lower}/.", str(root)], check=True)
    _furnish(root, name, key_file)
    return root


def _furnish(root: Path, name: str, key_file: Path) -> None:
    """Name the host, give it host keys, a deployer with a key and narrow rights, and the shop's own user."""
    (root / "etc/hostname").write_text(f"{name}\n")
    make_key(root / "etc/ssh/ssh_host_ed25519_key", name)
    (root / "etc/ssh/sshd_config.d/testbed.conf").write_text("UseDNS no\nPasswordAuthentication no\n")
    people = f"useradd -m -s /bin/bash -G systemd-journal {DEPLOYER} && useradd -r -s /usr/sbin/nologin shop"
    subprocess.run(["chroot", str(root), "sh", "-c", people], check=True)
    keys = root / "home" / DEPLOYER / ".ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700)
    keys.write_text(key_file.with_suffix(".pub").read_text())
    subprocess.run(["chroot", str(root), "chown", "-R", f"{DEPLOYER}:", f"/home/{DEPLOYER}/.ssh"], check=True)
    rights = root / "etc/sudoers.d/rollback"
    rights.write_text(SUDOERS)
    rights.chmod(0o440)


def connect(slot: Slot, name: str, address: str) -> None:
    """Make the host's network namespace, with a cable to the bridge."""
    namespace, cable = slot.namespace(name), f"{slot.bridge}{name}"[-15:]
    ip("netns", "add", namespace)
    ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    ip("link", "set", cable, "master", slot.bridge, "up")
    ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        ip("-n", namespace, "link", "set", device, "up")


def boot(slot: Slot, name: str, root: Path, options: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Boot the root; `options` are more of systemd-nspawn's."""
    namespace = slot.namespace(name)
    nspawn = [program("systemd-nspawn"), "--register=no", "--keep-unit", "--console=pipe", "--boot"]
    place = [f"--directory={root}", f"--network-namespace-path=/run/netns/{namespace}"]
    with (slot.folder / f"{name}.console").open("ab") as console:
        return subprocess.Popen(
            ["sh", "-c", IN_OWN_GROUPS, "sh", namespace, *nspawn, *place, *options],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one call to the kernel, no lock
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """Shut a booted root down."""
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_boot(process: subprocess.Popen[bytes]) -> int:
    """Return the pid of the host's init once systemd says that it has booted."""

    def booted() -> int:
        assert process.poll() is None, f"systemd-nspawn ended with {process.returncode}"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if not children:
            return 0
        argv = [program("nsenter"), "--target", children[0], "--all", "systemctl", "is-system-running"]
        state = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/").stdout.strip()
        return int(children[0]) if state in {"running", "degraded"} else 0

    return until(booted, within_s=60, what="systemd has booted")
