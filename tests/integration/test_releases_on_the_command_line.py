"""`rollbackctl releases`: what a person reads, and the exit codes that pipelines rely on."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from testbed.redis import Redis
from testbed.web_face import WebFace, web_face
from werkzeug.serving import make_server

from controller.cli.main import cli
from controller.ledger import Look
from rules.marks import Mark

DIGEST = f"sha256:{'a' * 64}"
Run = Callable[..., Result]


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


@pytest.fixture
def run(face: WebFace) -> Iterator[Run]:
    """Run `rollbackctl releases …` against the application, which listens."""

    def app(environ: dict[str, Any], start: Any) -> Any:
        """End the body where it ends: the real server does, this one leaves it to the application."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        return face.app({**environ, "wsgi.input": io.BytesIO(environ["wsgi.input"].read(length))}, start)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    env = {"ROLLBACK_URL": f"http://127.0.0.1:{server.port}", "ROLLBACK_TOKEN": face.secret("operator")}

    def ask(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, ["releases", *words], env=env, input=stdin)

    yield ask
    server.shutdown()
    thread.join()
    server.server_close()


def runs(face: WebFace, release: str, instance: str = "web2") -> None:
    look = Look(f"hosts/default/shop/{instance}", "shop", "", "default", (release,), release, healthy=True)
    face.ledger.roster.seen([look])


def test_a_build_is_registered_marked_and_listed(run: Run, face: WebFace) -> None:
    """From the options of a pipeline, in one line each."""
    added = run(
        *("add", "shop", "--version", "v1.3.0", "--commit", "3f2a1b9c0d", "--digest", f"shop/web@{DIGEST}"),
        *("--built-at", "2026-01-22T03:47:00Z", "--failed-smoke-test", "--irreversible"),
    )
    assert (added.exit_code, added.stdout) == (0, "Registered shop v1.3.0.\n")
    assert run("good", "shop", "v1.2.0", "--why", "weeks of traffic").exit_code == 0
    runs(face, "v1.2.0")
    assert run("stable", "shop", "v1.2.0", "--env", "prod").stdout == "Stable for shop in prod is v1.2.0.\n"
    listed = run("list", "shop")
    for words in (
        "v1.3.0",
        "3f2a1b9c0",
        "failed its smoke test; irreversible",
        "weeks of traffic",
        "web2",
        "prod",
    ):
        assert words in listed.stdout
    assert json.loads(run("list", "shop", "--json").stdout)["releases"][0]["release"] == "v1.2.0"


@pytest.mark.parametrize(
    "content", ['{"version": "v1", "passed_smoke_test": true}', "version: v1\n", '[{"version": "v1"}]']
)
def test_a_file_or_standard_input_is_registered(run: Run, tmp_path: Path, content: str) -> None:
    """JSON or YAML, one or a list; the same again is no news."""
    file = tmp_path / "manifest.json"
    file.write_text(content)
    assert run("add", "shop", str(file)).stdout == "Registered shop v1.\n"
    assert run("add", "shop", "-", stdin=content).stdout == "shop v1 was known so already.\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            '{"version": "v1",\n "digest": "x"}',
            "manifest.json:2:2: `digest` is not known here; did you mean `digests`?",
        ),
        ('{"version": "v1",\n "digests": ["sha256:12"]}', "manifest.json:2:14: after `sha256:` come 64"),
        ('{"version": "v1",\n "service": "web"}', "manifest.json:2:13: this says web"),
        ('[{"version": "v1"}, {"versio": "v2"}]', "manifest.json: manifest 1: version: `version` is missing"),
        ('[{"version": "v1"},\n]', "manifest.json:2:1: "),
    ],
)
def test_a_mistake_in_a_file_has_its_place(run: Run, tmp_path: Path, content: str, says: str) -> None:
    """Found before anything is sent."""
    file = tmp_path / "manifest.json"
    file.write_text(content)
    told = run("add", "shop", str(file))
    assert told.exit_code == 1
    assert says in told.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--version", "v1", "--digest", "shop/web:v1"), "--digest: write `sha256:`"),
        (("--version", "v1", "--built-at", "noon"), "--built-at: write a time"),
        (("--commit", "3f2a1b9"), "--version: `version` is missing"),
        ((), "Say what to register"),
        (("-", "--version", "v1"), "Say what to register"),
    ],
)
def test_a_mistake_in_an_option_names_it(run: Run, words: tuple[str, ...], says: str) -> None:
    """With the exit code of a wrong command line."""
    told = run("add", "shop", *words)
    assert told.exit_code == 2
    assert says in told.stderr


def test_another_build_under_the_same_version_is_refused(run: Run) -> None:
    """With both shown."""
    run("add", "shop", "--version", "v1", "--commit", "3f2a1b9")
    told = run("add", "shop", "--version", "v1", "--commit", "c0ffee1")
    assert told.exit_code == 1
    assert "commit 3f2a1b9, and this says c0ffee1" in told.stderr


@pytest.mark.parametrize(
    ("before", "code", "says"),
    [
        ((), 0, "shop v1 is unknown."),
        (("good", "shop", "v1"), 0, "shop v1 is good, says operator."),
        (("bad", "shop", "v1", "--why", "leaks"), 10, "shop v1 is bad, says operator: leaks."),
        (("add", "shop", "--version", "v1", "--failed-smoke-test"), 10, "failed its smoke test"),
    ],
)
def test_pipelines_ask_for_a_verdict(run: Run, before: tuple[str, ...], code: int, says: str) -> None:
    """The exit code answers."""
    if before:
        assert run(*before).exit_code == 0
    told = run("verdict", "shop", "v1")
    assert told.exit_code == code
    assert says in told.stdout


def test_a_suspect_has_a_code_of_its_own_and_unmark_takes_a_mark_away(run: Run, face: WebFace) -> None:
    """Whoever set it."""
    face.ledger.catalogue.mark("shop", "v1", Mark.SUSPECT, by="rollback r1", rollback="r1")
    assert run("verdict", "shop", "v1").exit_code == 11
    assert run("unmark", "shop", "v1").stdout == "shop v1 is unknown.\n"
    assert run("verdict", "shop", "v1").exit_code == 0


def test_pipelines_ask_whether_there_is_a_way_back(run: Run, face: WebFace) -> None:
    """Before they deploy."""
    told = run("ready", "shop")
    assert told.exit_code == 12
    assert "rollbackctl releases good shop" in told.stdout
    runs(face, "v1.2.0")
    assert run("ready", "shop").exit_code == 12
    run("good", "shop", "v1.2.0")
    told = run("ready", "shop", "v1.3.0")
    assert told.exit_code == 0
    assert "Ready: if v1.3.0 is bad, every instance has a release to go back to." in told.stdout
    run("add", "shop", "--version", "v1.3.0", "--irreversible")
    told = run("ready", "shop", "v1.3.0")
    assert told.exit_code == 12
    assert "v1.3.0, which is irreversible" in told.stdout


def test_a_name_that_nobody_knows_is_doubted(run: Run) -> None:
    """It is marked all the same: it may be on its way."""
    assert "Is it misspelt?" in run("bad", "shop", "v9").stderr
    assert "it has: shop" in run("good", "shp", "v9").stderr
