"""Services of the testbed's cluster: their addresses on its bridge, and their names, for tests that need them.

What kube-proxy and a DNS server do elsewhere, without touching this machine's packet filter: each Service's
address is put on the bridge, and what connects to it is relayed to one of its ready endpoints.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testbed.cluster import Cluster
from testbed.kube_api import KubeApi
from testbed.programs import Program, started
from testbed.slots import ip
from testbed.wait import until

LOOK_EVERY_S = 0.2
DOMAIN = ".svc.cluster.local"
ANSWERED, NO_SUCH_NAME = 0x8580, 0x8583
A_RECORD = 1
Address = tuple[str, int]


@contextlib.contextmanager
def services(cluster: Cluster, folder: Path) -> Iterator[Program]:
    """Have Services work while this block lasts."""
    slot = cluster.control.slot
    argv = [sys.executable, "-m", "testbed.services", str(cluster.kubeconfig), slot.bridge, slot.gateway]
    argv += [str(cluster.control.port)]
    with started("services", argv, folder, {"PYTHONPATH": str(Path(__file__).parents[1])}) as running:
        until(lambda: running.running() and "ready" in running.log(), within_s=20, what="Services work")
        yield running


class _Services:
    """What the API server said last: addresses by name, and where each port of an address leads."""

    def __init__(self, api: KubeApi, bridge: str, api_port: int) -> None:
        self._api, self._bridge, self._api_port = api, bridge, api_port
        self.names: dict[str, list[str]] = {}
        self._leads: dict[Address, list[Address]] = {}
        self._open: dict[Address, asyncio.Server] = {}
        self._ours: set[str] = set()

    def look(self) -> None:
        """Read Services and Endpoints anew."""
        found = self._api.call("GET", "/api/v1/services")["items"]
        ready = {
            _name(one): one.get("subsets") or [] for one in self._api.call("GET", "/api/v1/endpoints")["items"]
        }
        names, leads = {}, {}
        for service in found:
            name, spec = _name(service), service["spec"]
            subsets = ready.get(name, [])
            pods = [one["ip"] for subset in subsets for one in subset.get("addresses") or []]
            if spec.get("clusterIP") in (None, "", "None"):
                names[name] = pods
                continue
            names[name] = [spec["clusterIP"]]
            for port in spec.get("ports", []):
                leads[spec["clusterIP"], port["port"]] = self._endpoints(name, subsets, port)
        self.names, self._leads = names, leads

    def _endpoints(self, name: str, subsets: list[dict[str, Any]], port: dict[str, Any]) -> list[Address]:
        if name == "kubernetes.default":  # it listens on loopback alone
            return [("127.0.0.1", self._api_port)]
        return [
            (one["ip"], there["port"])
            for subset in subsets
            for there in subset.get("ports", [])
            if there.get("name") == port.get("name")
            for one in subset.get("addresses") or []
        ]

    async def listen(self) -> None:
        """Listen where something new leads, and nowhere else."""
        for address in self._open.keys() - self._leads.keys():
            self._open.pop(address).close()
        for address in self._leads.keys() - self._open.keys():
            if address[0] not in self._ours:
                ip("address", "replace", f"{address[0]}/32", "dev", self._bridge)
                self._ours.add(address[0])

            async def relay(reader: Any, writer: Any, at: Address = address) -> None:
                await self._relay(at, reader, writer)

            self._open[address] = await asyncio.start_server(relay, *address)

    async def _relay(self, at: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for host, port in random.sample(there := self._leads.get(at, []), len(there)):
            with contextlib.suppress(OSError):
                theirs, ours = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
                await asyncio.gather(_pump(reader, ours), _pump(theirs, writer))
                break
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bring one direction over, and its end."""
    with contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


class _Names(asyncio.DatagramProtocol):
    """Answers for the names of Services, and says of every other that there is none."""

    def __init__(self, known: _Services) -> None:
        self._known = known

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._transport.sendto(_answer(data, self._known.names), addr)


def _answer(asked: bytes, names: dict[str, list[str]]) -> bytes:
    labels, at = [], 12
    while length := asked[at]:
        labels.append(asked[at + 1 : at + 1 + length].decode().lower())
        at += length + 1
    question = asked[12 : at + 5]
    name = ".".join(labels)
    found = names.get(name.removesuffix(DOMAIN)) if name.endswith(DOMAIN) else None
    told = (found or []) if struct.unpack("!H", asked[at + 1 : at + 3])[0] == A_RECORD else []
    flags = NO_SUCH_NAME if found is None else ANSWERED
    head = asked[:2] + struct.pack("!HHHHH", flags, 1, len(told), 0, 0)
    records = [struct.pack("!HHHIH", 0xC00C, A_RECORD, 1, 1, 4) + ipaddress.ip_address(one).packed for one in told]
    return head + question + b"".join(records)


def _name(found: dict[str, Any]) -> str:
    return f"{found['metadata']['name']}.{found['metadata']['namespace']}"


async def _run(known: _Services, gateway: str) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Names(known), local_addr=(gateway, 53))
    said = False
    while True:
        with contextlib.suppress(OSError, AssertionError):  # an API server that a test stopped
            await asyncio.to_thread(known.look)
            await known.listen()
            if not said:
                print("ready", flush=True)
                said = True
        await asyncio.sleep(LOOK_EVERY_S)


def main() -> None:
    """Run until ended."""
    parser = argparse.ArgumentParser(prog="testbed.services", description=__doc__)
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("bridge")
    parser.add_argument("gateway")
    parser.add_argument("api_port", type=int)
    asked = parser.parse_args()
    known = _Services(KubeApi.from_kubeconfig(asked.kubeconfig), asked.bridge, asked.api_port)
    asyncio.run(_run(known, asked.gateway))


if __name__ == "__main__":
    main()
