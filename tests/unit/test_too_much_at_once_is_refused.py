"""What is taken in at once is bounded, in requests and in bytes; more is answered 503 before it is read."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Request
from prometheus_client import CollectorRegistry, Counter
from werkzeug.test import EnvironBuilder

from controller.web.admission import Admission
from controller.web.bodies import read_body
from controller.web.refusals import Refusal

KIB = 1024
MOST = 4096 * KIB


class Untouched(io.BytesIO):
    """A body that must not be read."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("read a body that there is no room for")


def request(size: int, *, announced: bool = True, stream: io.BytesIO | None = None) -> Request:
    """Return a request with a body of `size` bytes."""
    environ = EnvironBuilder(method="POST").get_environ()
    environ["wsgi.input"] = stream or io.BytesIO(b"x" * size)
    if announced:
        environ["CONTENT_LENGTH"] = str(size)
    else:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        environ["wsgi.input_terminated"] = True
    return Request(environ)


@pytest.fixture
def refused() -> Counter:
    return Counter("refused", "what was turned away", ["want_of"], registry=CollectorRegistry())


def taken_in(admission: Admission, held: ExitStack, asked: Request) -> bytes:
    """Take a request in until `held` ends."""
    admit = held.enter_context(admission.admitted(asked, MOST))
    return read_body(asked, MOST, admit)


def fails_at_work(admission: Admission, asked: Request) -> None:
    """Take a request in and fail while it is worked on."""
    with ExitStack() as held:
        taken_in(admission, held, asked)
        with admission.turn():
            raise ValueError("a bug")


def count(refused: Counter, want_of: str) -> float:
    value: Any = refused.labels(want_of)._value.get()
    return float(value)


def test_no_more_requests_than_there_are_places(refused: Counter) -> None:
    """The next one is told to come again; with a place free again it is taken."""
    admission = Admission(refused, places=2)
    with ExitStack() as held:
        taken_in(admission, held, request(10))
        with ExitStack() as other:
            taken_in(admission, other, request(10))
            with pytest.raises(Refusal, match="send it again") as answer, ExitStack() as third:
                taken_in(admission, third, request(10, stream=Untouched()))
            assert answer.value.status == 503
            assert answer.value.headers["Retry-After"]
        assert taken_in(admission, held, request(10)) == b"x" * 10
    assert count(refused, "places") == 1


def test_no_more_bytes_than_there_is_room_for(refused: Counter) -> None:
    """A body whose length is announced is refused before a byte of it is read."""
    admission = Admission(refused, most_bytes=1024 * KIB)
    with ExitStack() as held:
        taken_in(admission, held, request(700 * KIB))
        with pytest.raises(Refusal), ExitStack() as other:
            taken_in(admission, other, request(400 * KIB, stream=Untouched()))
        taken_in(admission, held, request(300 * KIB))
    with ExitStack() as held:
        taken_in(admission, held, request(1024 * KIB))
    assert count(refused, "bytes") == 1


def test_a_body_that_is_not_announced_is_counted_as_it_comes(refused: Counter) -> None:
    """And given up where there is no more room, however long it would have become."""
    admission = Admission(refused, most_bytes=1024 * KIB)
    with ExitStack() as held:
        taken_in(admission, held, request(300 * KIB, announced=False))
        with pytest.raises(Refusal), ExitStack() as other:
            taken_in(admission, other, request(2048 * KIB, announced=False))
        taken_in(admission, held, request(100 * KIB))


@pytest.mark.parametrize("announced", [True, False])
def test_who_is_alone_may_have_more_than_the_room(refused: Counter, announced: bool) -> None:
    """A body as large as the settings allow is not refused for ever because the room is smaller."""
    admission = Admission(refused, most_bytes=512 * KIB)
    with ExitStack() as held:
        assert len(taken_in(admission, held, request(2048 * KIB, announced=announced))) == 2048 * KIB
        with pytest.raises(Refusal), ExitStack() as other:
            taken_in(admission, other, request(1))


def test_the_room_is_given_back_whatever_happens(refused: Counter) -> None:
    """A body that ends early, or an error while it is worked on."""
    admission = Admission(refused, places=1, hands=1, most_bytes=512 * KIB)
    for _ in range(5):
        early = request(500 * KIB, stream=io.BytesIO(b"x"))
        with pytest.raises(Refusal, match="ended after 1 of"), ExitStack() as held:
            taken_in(admission, held, early)
        with pytest.raises(ValueError, match="a bug"):
            fails_at_work(admission, request(500 * KIB))


def test_whose_turn_does_not_come_is_told_to_come_again(refused: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read, and nothing of it was recorded."""
    monkeypatch.setattr("controller.web.admission.WAITS_S", 0.01)
    admission = Admission(refused, hands=1)
    with admission.turn():
        with pytest.raises(Refusal, match="no turn came") as answer, admission.turn():
            pytest.fail("it was not its turn")
        assert answer.value.status == 503
    with admission.turn():
        pass
    assert count(refused, "turn") == 1
