"""Who may do what: names and roles from files, several at once, looked at again when a file changes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.alertmanager import alert, body
from testbed.redis import Redis
from testbed.web_face import CANARY, WebFace, web_face

from controller.settings import Auth, Role, SettingsError, Token
from controller.web.auth import Doorkeeper
from controller.web.metrics import Metrics

RECEIVER = "/api/v1/alertmanager"


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize(
    ("method", "path", "token", "admitted"),
    [
        ("POST", RECEIVER, "alertmanager", True),
        ("POST", RECEIVER, "reader", False),
        ("POST", RECEIVER, "operator", False),
        ("GET", "/api/v1/rollbacks", "alertmanager", False),
        ("GET", "/api/v1/rollbacks", "reader", True),
        ("GET", "/api/v1/rollbacks", "operator", True),
        ("GET", "/api/v1/rollbacks", "approver", False),
        ("GET", "/api/v1/rollbacks/r1", "reader", True),
        ("GET", "/api/v1/decisions", "reader", True),
        ("GET", "/api/v1/status", "reader", True),
        ("GET", "/api/v1/status", "alertmanager", False),
        ("POST", "/api/v1/plans", "reader", True),
        ("POST", "/api/v1/rollbacks", "reader", False),
        ("POST", "/api/v1/rollbacks", "operator", True),
        ("POST", "/api/v1/rollbacks/r1/cancel", "reader", False),
        ("POST", "/api/v1/rollbacks/r1/cancel", "operator", True),
    ],
)
def test_each_endpoint_wants_its_role(
    face: WebFace, method: str, path: str, token: str, *, admitted: bool
) -> None:
    """403 names the role that is missing; `operate` includes `read`."""
    answer = face.ask(path, token, method=method, body=b"{}" if method == "POST" else None)
    assert (answer.status_code == 403) is not admitted
    if not admitted:
        assert "role" in answer.json["error"]  # type: ignore[index]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"am").decode(),
        "Digest x",
        "token",
    ],
)
def test_unknown_credentials_are_401_and_nothing_is_parsed(face: WebFace, authorization: str | None) -> None:
    """Not even a body that would be refused is looked at; the answer says how to come in."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = face.app.test_client().post(RECEIVER, data=b"not json", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "Basic" in answer.headers["WWW-Authenticate"]


def test_a_token_is_no_password_and_a_password_no_token(face: WebFace) -> None:
    """Each is known under its own scheme only."""
    client = face.app.test_client()
    as_token = {"Authorization": f"Bearer am:{face.secret('basic')}"}
    assert client.post(RECEIVER, data=b"", headers=as_token).status_code == 401
    assert (
        client.post(RECEIVER, data=b"", headers=basic("alertmanager", face.secret("alertmanager"))).status_code
        == 401
    )


def test_basic_authentication_serves_the_receiver(face: WebFace) -> None:
    """For senders that cannot send a bearer token."""
    client = face.app.test_client()
    right = client.post(RECEIVER, json=body(alert(CANARY)), headers=basic("am", face.secret("basic")))
    assert right.status_code == 202
    assert client.post(RECEIVER, data=b"", headers=basic("am", "wrong")).status_code == 401
    assert client.post(RECEIVER, data=b"", headers=basic("ma", face.secret("basic"))).status_code == 401
    assert client.get("/api/v1/rollbacks", headers=basic("am", face.secret("basic"))).status_code == 403


def test_a_token_is_rotated_without_a_restart(face: WebFace) -> None:
    """Both while both are in the file, then only the new one; the next request already sees the change."""
    file, old = face.folder / "reader.token", face.secret("reader")
    file.write_text(f"{old}\nthe-new-one\n")
    client = face.app.test_client()

    def status(token: str) -> int:
        answer = client.get("/api/v1/rollbacks", headers={"Authorization": f"Bearer {token}"})
        return int(answer.status_code)

    assert [status(old), status("the-new-one")] == [200, 200]
    file.write_text("the-new-one\n")
    assert [status(old), status("the-new-one")] == [401, 200]


@pytest.mark.parametrize("spoil", ["empty", "gone"])
def test_a_file_that_becomes_unusable_takes_nobodys_access_away(face: WebFace, spoil: str) -> None:
    """A half-written or lost file must not keep Alertmanager out."""
    file, secret = face.folder / "alertmanager.token", face.secret("alertmanager")
    file.write_text("")
    if spoil == "gone":
        file.unlink()
    answer = face.app.test_client().post(
        RECEIVER, json=body(alert(CANARY)), headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 202


def test_refusals_are_counted_by_reason(face: WebFace) -> None:
    """Missing, wrong, and the wrong role are three different mistakes."""
    client = face.app.test_client()
    client.post(RECEIVER)
    client.post(RECEIVER, headers={"Authorization": "Bearer wrong"})
    face.ask(RECEIVER, "reader", body=b"")
    counted = [face.metric("http_unauthorized_total", reason=reason) for reason in ("missing", "wrong", "role")]
    assert counted == [1, 1, 1]


def test_without_authentication_everybody_may_do_everything(tmp_path: Path, redis_server: Redis) -> None:
    """Only where the settings say so."""
    with web_face(tmp_path, redis_server.url) as face:
        settings = face.settings.model_copy(update={"auth": Auth(enabled=False)})
        door = Doorkeeper(settings.auth, Metrics().unauthorized)
        assert door.admit(None, Role.OPERATE).name == "anonymous"


@pytest.mark.parametrize("content", ["", " \n\n", None])
def test_an_empty_or_missing_token_file_stops_the_start(tmp_path: Path, content: str | None) -> None:
    """An empty token would let in whoever sends an empty one."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    auth = Auth(tokens=(Token(name="am", roles={Role.ALERTS}, file=file),))
    with pytest.raises(SettingsError, match=str(file)):
        Doorkeeper(auth, Metrics().unauthorized)


def test_no_credentials_at_all_stop_the_start() -> None:
    """A server that nobody can speak to is a mistake, and the message says what to write."""
    with pytest.raises(SettingsError, match=r"auth\.tokens"):
        Doorkeeper(Auth(), Metrics().unauthorized)


def test_a_token_that_others_can_read_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With the command that closes it; the server starts all the same."""
    file = tmp_path / "token"
    file.write_text("secret-of-am")
    file.chmod(0o644)
    Doorkeeper(Auth(tokens=(Token(name="am", roles={Role.ALERTS}, file=file),)), Metrics().unauthorized)
    said = capfd.readouterr()
    assert f"chmod o= {file}" in said.out + said.err
    assert "secret-of-am" not in said.out + said.err
