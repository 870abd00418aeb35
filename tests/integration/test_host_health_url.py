"""What counts as an answer of a health URL, and that a strange one does not hold us."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from testbed.loopback_sshd import free_port

from workers.hosts.http_probe import why_not_healthy


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection by a function; give the URL."""

    def serve() -> None:
        with server.accept()[0] as client, contextlib.suppress(OSError):
            client.recv(1 << 16)
            answer(client)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/healthz?deep=1"
        thread.join()


def says(text: str) -> Callable[[socket.socket], None]:
    return lambda client: client.sendall(text.encode())


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 204 No Content\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ],
)
def test_healthy(head: str) -> None:
    """2xx and 3xx; a redirect is not followed, and a body is not waited for."""
    with answering(says(head)) as url:
        assert why_not_healthy(url, 5) is None


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "answers 503"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answers 404"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "does not answer"),
        ("", "does not answer"),
        ("HTTP/1.1 200 OK\r\n" + "X: " + "x" * 70000, "does not answer"),
    ],
)
def test_not_healthy(head: str, why: str) -> None:
    """Anything else, in words."""
    with answering(says(head)) as url:
        assert why in str(why_not_healthy(url, 5))


def test_a_server_that_drips_does_not_hold_us() -> None:
    """A byte now and then would keep a timeout per read from ever coming."""
    over = threading.Event()

    def drip(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not over.wait(0.05):
            client.sendall(b"x")

    with answering(drip) as url:
        assert "does not answer" in str(why_not_healthy(url, 0.5))
        over.set()


def test_nobody_there() -> None:
    """Refused at once."""
    assert "does not answer" in str(why_not_healthy(f"http://127.0.0.1:{free_port()}/", 5))


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/", "http://127.0.0.1:99999/"])
def test_no_url(url: str) -> None:
    """Said, not raised."""
    assert "is not a URL" in str(why_not_healthy(url, 1))


def test_no_proxy_answers_for_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's own error page, or its cache, says nothing of the service."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with answering(says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as url:
        assert why_not_healthy(url, 5) is None
