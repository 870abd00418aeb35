"""The server as a process: it says where it is, cannot be stalled by other clients, and ends in good order."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import alert, body
from testbed.redis import Redis
from testbed.wait import until
from testbed.web_face import CANARY, WebFace, web_face

from controller.web.admission import PLACES

SERVE = """
import sys
from controller import logs
from controller.settings import SettingsError, load_settings
from controller.web.server import serve
from http.client import HTTPConnection
from pathlib import Path

settings = load_settings(Path(sys.argv[1]))
logs.configure(settings.log)
try:
    serve(settings)
except SettingsError as error:
    sys.exit(str(error))
"""
HUNDRED_MIB = 100 * 2**20


class Server:
    """One `serve` with its log."""

    def __init__(self, face: WebFace, listen: str = "127.0.0.1:0", *, unready_s: float = 0) -> None:
        self.face = face
        numbers = face.settings.numbers.model_copy(update={"unready_s": unready_s})
        config = face.folder / "rollback.yaml"
        config.write_text(
            face.settings.model_copy(update={"listen": listen, "numbers": numbers}).model_dump_json(
                exclude_none=True, exclude={"policy"}
            )
        )
        self.log = face.folder / f"serve-{id(self)}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-c", SERVE, str(config)], stderr=log, stdout=log)

    @property
    def url(self) -> str:
        """Where it says it serves."""
        said = until(
            lambda: re.search(r'"url": "(http://[^"]+)"', self.log.read_text()), within_s=20, what="serving"
        )
        return said.group(1)

    def connect(self) -> socket.socket:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        connection = socket.create_connection((host.strip("[]"), int(port)), timeout=20)
        connection.settimeout(20)
        return connection

    def head(self, *lines: str, path: str = "/api/v1/alertmanager") -> bytes:
        token = self.face.secret("alertmanager")
        wanted = ("Host: x", f"Authorization: Bearer {token}", *lines)
        return "\r\n".join((f"POST {path} HTTP/1.1", *wanted, "", "")).encode()

    def post(self, content: object) -> bytes:
        """Post a notification and return the status line."""
        sent = json.dumps(content).encode()
        with self.connect() as connection:
            connection.sendall(self.head(f"Content-Length: {len(sent)}", "Connection: close") + sent)
            return status_line(connection)

    def get(self, path: str) -> bytes:
        """Ask without credentials and return the whole answer."""
        with self.connect() as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def turned_away(server: Server) -> int:
    """Return how many notifications were answered 503 for want of a place; asked on a connection of its own."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    found = re.search(r'notifications_turned_away_total{want_of="places"} (\d+)', told)
    return int(found[1]) if found else 0


def status_line(connection: socket.socket) -> bytes:
    return connection.recv(65536).split(b"\r\n", 1)[0]


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


@pytest.fixture
def server(face: WebFace) -> Iterator[Server]:
    running = Server(face)
    try:
        assert running.url
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait()


def test_with_port_0_it_says_which_port_it_has(server: Server) -> None:
    """One line of the log, once requests are answered."""
    assert not server.url.endswith(":0")
    assert server.post(body(alert(CANARY))) == b"HTTP/1.1 202 Accepted"


def test_it_listens_on_ipv6(face: WebFace) -> None:
    """In brackets, as everywhere."""
    server = Server(face, "[::1]:0")
    try:
        assert server.url.startswith("http://[::1]:")
        assert server.post(body(alert(CANARY))) == b"HTTP/1.1 202 Accepted"
    finally:
        server.stop()


def test_sigterm_ends_it_with_exit_code_0(server: Server) -> None:
    """And nothing listens any more."""
    url = server.url
    assert server.stop() == 0
    host, port = url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def test_asked_to_stop_it_says_so_before_it_stops_listening(face: WebFace) -> None:
    """New work and readiness are answered 503, so that they go elsewhere; asked twice, it goes."""
    server = Server(face, unready_s=60)
    try:
        assert server.post(body(alert(CANARY))) == b"HTTP/1.1 202 Accepted"
        with server.connect() as kept:
            server.process.send_signal(signal.SIGTERM)
            until(lambda: server.get("/readyz").startswith(b"HTTP/1.1 503 "), within_s=10, what="not ready")
            assert b"asked to stop" in server.get("/readyz")
            assert server.get("/livez").startswith(b"HTTP/1.1 200 ")
            assert server.post(body(alert(CANARY))) == b"HTTP/1.1 503 Service Unavailable"
            kept.sendall(server.head("Content-Length: 2") + b"{}")
            assert b"\r\nconnection: close\r\n" in kept.recv(65536).lower()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
    finally:
        server.process.kill()
        server.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_with_all_its_processes_it_ends_at_once_and_well(face: WebFace, number: signal.Signals) -> None:
    """A service manager tells every process of a service, a terminal its whole group."""
    server = Server(face, unready_s=60)
    try:
        assert server.url
        told = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        for pid in (server.process.pid, *map(int, told)):
            os.kill(pid, number)
        assert server.process.wait(20) == 0
    finally:
        server.process.kill()
        server.process.wait()


def test_a_request_in_flight_is_finished_on_sigterm(server: Server, redis_server: Redis) -> None:
    """It waits for a plan that no worker makes; SIGTERM comes meanwhile; the answer comes all the same."""
    sent = json.dumps({"service": "shop", "all": True, "dry_run": True}).encode()
    token = server.face.secret("operator")
    lines = ("POST /api/v1/rollbacks HTTP/1.1", "Host: x", f"Authorization: Bearer {token}")
    head = "\r\n".join((*lines, f"Content-Length: {len(sent)}", "", "")).encode()
    with server.connect() as connection, redis_server.client() as client:
        connection.sendall(head + sent)
        questions = until(lambda: client.keys("rc:ask:*"), within_s=10, what="the question is asked")
        until(lambda: len(client.keys("rc:ask:*")) == 2, within_s=10, what="both questions are asked")
        questions = client.keys("rc:ask:*")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "Stopping" in server.log.read_text(), within_s=10, what="it is stopping")
        for question in questions:
            client.rpush(question.replace("rc:ask:", "rc:answer:"), json.dumps({"plans": [{}]}))
        assert status_line(connection) == b"HTTP/1.1 200 OK"
    assert server.process.wait(30) == 0


def test_a_killed_server_leaves_nothing_behind(server: Server, face: WebFace) -> None:
    """The next one gets the same address, and nobody else serves on it."""
    address = server.url.removeprefix("http://")
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    again = Server(face, address)
    try:
        assert again.url == f"http://{address}"
        assert again.post(body(alert(CANARY))) == b"HTTP/1.1 202 Accepted"
    finally:
        assert again.stop() == 0


def test_a_second_server_on_the_same_address_is_refused(server: Server, face: WebFace) -> None:
    """It would take half of the alerts."""
    second = Server(face, server.url.removeprefix("http://"))
    assert second.process.wait(20) == 1
    assert "cannot listen on" in second.log.read_text()


@pytest.mark.parametrize("how", ["announced", "chunked", "without credentials"])
def test_a_client_that_sends_100_mib_is_answered(server: Server, how: str) -> None:
    """While it is still sending; it does not hang and nobody reads it all."""
    head = {
        "announced": server.head(f"Content-Length: {HUNDRED_MIB}"),
        "chunked": server.head("Transfer-Encoding: chunked"),
        "without credentials": server.head(f"Content-Length: {HUNDRED_MIB}").replace(b"Bearer", b"Bear"),
    }[how]
    piece = b"x" * 65536
    with server.connect() as connection:
        connection.sendall(head)
        try:
            for _ in range(HUNDRED_MIB // len(piece)):
                connection.sendall(b"10000\r\n" + piece + b"\r\n" if how == "chunked" else piece)
        except ConnectionError:
            pass  # the answer is there, and the rest is not wanted
        expected = b"HTTP/1.1 401 " if how == "without credentials" else b"HTTP/1.1 413 "
        assert status_line(connection).startswith(expected)


@pytest.mark.parametrize(
    ("sent", "times"),
    [
        (b"POST /api/v1/alertmanager HTTP/1.1\r\nHo", 40),
        (b"POST /api/v1/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", 40),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 40),
        (b"", 200),
    ],
)
def test_clients_that_stall_keep_nobody_from_being_heard(server: Server, sent: bytes, times: int) -> None:
    """Half heads, half bodies without credentials, connections that are never closed or never used."""
    with ExitStack() as held:
        for _ in range(times):
            connection = held.enter_context(server.connect())
            connection.sendall(sent)
        assert server.post(body(alert(CANARY))) == b"HTTP/1.1 202 Accepted"


def test_senders_that_stall_within_a_body_leave_health_and_api_alone(server: Server) -> None:
    """With credentials: more notifications are answered 503 at once, which is repeated, and not kept waiting."""
    with ExitStack() as held:
        for _ in range(PLACES + 8):
            connection = held.enter_context(server.connect())
            connection.sendall(server.head("Content-Length: 1000") + b"{")

        until(lambda: turned_away(server) == 8, within_s=10, what="the places for bodies are taken")
        assert server.post(body(alert(CANARY))) == b"HTTP/1.1 503 Service Unavailable"
        with server.connect() as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert status_line(connection) == b"HTTP/1.1 200 OK"
    until(
        lambda: server.post(body(alert(CANARY))) == b"HTTP/1.1 202 Accepted",
        within_s=10,
        what="the places are free again once the connections break",
    )


def test_many_notifications_at_once_are_each_answered(server: Server) -> None:
    """From several connections, some bodies new, some repeated, on connections that are kept."""
    answers: list[Any] = []

    def send(number: int) -> None:
        connection = HTTPConnection(server.url.removeprefix("http://"), timeout=20)
        headers = {"Authorization": f"Bearer {server.face.secret('alertmanager')}"}
        for turn in range(20):
            sent = json.dumps(body(alert(CANARY | {"n": str(number % 3), "turn": str(turn % 4)})))
            connection.request("POST", "/api/v1/alertmanager", sent, headers)
            answer = connection.getresponse()
            answers.append((answer.status, json.loads(answer.read())["bad"]))
        connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(202, [])] * 160


def test_changed_rules_are_in_force_without_a_restart(server: Server) -> None:
    """And rules with errors are named in the log, at their place, while the older ones stay."""
    other = body(alert({"alertname": "SomethingElse", "severity": "critical"}))
    assert server.post(other) == b"HTTP/1.1 200 OK"
    file = server.face.folder / "rules.yaml"
    file.write_text(file.read_text().replace('alertname="HighErrorRate"', 'alertname="SomethingElse"'))
    until(lambda: server.post(other) == b"HTTP/1.1 202 Accepted", within_s=15, what="the new rules are in force")
    file.write_text("version: rules/v1\nrules:\n  - nam: typo\n")
    until(lambda: "rules.yaml:3:" in server.log.read_text(), within_s=15, what="the error is logged at its place")
    assert server.post(other) == b"HTTP/1.1 202 Accepted"
