"""An sshd of the test's own on loopback: no root, no system configuration, no trace left behind."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rules.inventory import Host, Ssh
from testbed.parts import program
from testbed.wait import until
from workers.hosts.ssh import SshConnection

CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv SHLVL=1
"""
"""With `SHLVL` a shell that is bash does not take itself for a log-in, and reads nobody's `.bashrc` first."""


@dataclass
class Sshd:
    """A running sshd and what it takes to log in."""

    folder: Path
    port: int
    ssh: Ssh

    def connection(self, **changes: object) -> SshConnection:
        """Return a connection, with some of the log-in changed."""
        return SshConnection(Host("here", "127.0.0.1"), replace(self.ssh, **changes))

    def by_ssh(self, port: int) -> Ssh:
        """Return how to log in by another port, under which the same key is known."""
        line = self.key_line("host_key").replace(f":{self.port}", f":{port}")
        return replace(self.ssh, port=port, known_hosts=self.known_hosts(line))

    def by(self, port: int) -> SshConnection:
        """Return a connection by another port."""
        return SshConnection(Host("here", "127.0.0.1"), self.by_ssh(port))

    def known_hosts(self, *lines: str) -> str:
        """Write another file of known hosts and return its path."""
        path = self.folder / f"known_hosts.{len(list(self.folder.iterdir()))}"
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    def key_line(self, name: str) -> str:
        """Return how a key stands in known_hosts for this sshd."""
        kind, key, *_ = (self.folder / f"{name}.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {kind} {key}"


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair."""
    argv = [program("ssh-keygen"), "-q", "-t", kind, "-N", passphrase, "-f", str(path)]
    subprocess.run(argv, check=True)
    return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def start_sshd(folder: Path) -> Iterator[Sshd]:
    """Start an sshd; on the way out it and its children are ended."""
    sshd = program("sshd")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host_key", "user_key", "other_key"):
        make_key(folder / name)
    (folder / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    port = free_port()
    (folder / "sshd_config").write_text(CONFIG.format(folder=folder, port=port))
    ssh = Ssh(getpass.getuser(), str(folder / "user_key"), str(folder / "known_hosts"), port)
    made = Sshd(folder, port, ssh)
    Path(ssh.known_hosts).write_text(made.key_line("host_key") + "\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        until(lambda: _greets(port), within_s=10, what="sshd answers")
        yield made
    finally:
        process.terminate()
        process.wait(10)


def _greets(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        return connection.recv(4) == b"SSH-"
