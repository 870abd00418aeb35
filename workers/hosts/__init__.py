"""Services on hosts: reached over SSH or on this machine, switched by a link, restarted, and seen healthy."""

from __future__ import annotations

from workers.hosts.driver import HostDriver
from workers.hosts.plan import Params
from workers.hosts.reach import reach

__all__ = ["HostDriver", "Params", "reach"]
