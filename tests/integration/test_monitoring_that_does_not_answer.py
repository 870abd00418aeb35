"""Monitoring that is away, hangs, or says something else than its API does is blind; it is said in time."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from testbed.certificates import Authority
from testbed.odd_api import OddApi, Says, breaks_off, drops, hangs, odd_api, trickles

from controller.settings import AlertmanagerSettings, PrometheusSettings
from rules.alerts import Alert
from rules.decisions import Reason
from rules.errors import Transient
from rules.facts import Sample
from workers.monitoring import Alertmanager, Prometheus, exchange

ALERT = Alert("ab", "firing", {"alertname": "A"}, {}, 1_700_000_000_000)
ONE = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "1"]}]}}
ALERTS = [
    {
        "fingerprint": "ab",
        "startsAt": "2026-01-01T00:00:00.000Z",
        "labels": {"alertname": "A"},
        "annotations": {},
        "receivers": [{"name": "ours"}],
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
    }
]
BLIND = [
    pytest.param(hangs(), "did not answer within 0.3 s", id="hangs"),
    pytest.param(trickles(), "did not answer within 0.3 s", id="trickles"),
    pytest.param(breaks_off(), "cannot be reached", id="breaks off"),
    pytest.param(drops(), "cannot be reached", id="drops"),
    pytest.param(Says(503, "starting"), "503", id="busy"),
    pytest.param(Says(401, "who?"), "does not let us ask", id="unauthorized"),
    pytest.param(Says(403, "no"), "does not let us ask", id="forbidden"),
    pytest.param(Says(302, "", {"Location": "http://127.0.0.1:1/"}), "302", id="redirect"),
    pytest.param(Says(200, "<html>\x1b[31m</html>"), "something else than its API", id="html"),
    pytest.param(Says(200, {"status": "success"}), "something else than its API", id="other JSON"),
    pytest.param(Says(200, [{"labels": "x"}]), "something else than its API", id="strange alerts"),
    pytest.param(Says(200, "x" * 2_000), "more than", id="huge"),
]


def access(url: str, **more: Any) -> dict[str, Any]:
    """Return settings with little patience."""
    return {"url": url, "timeout_s": 0.3, **more}


def query(url: str, **more: Any) -> tuple[Sample, ...]:
    """Ask a Prometheus a query."""
    with closing(Prometheus(PrometheusSettings(**access(url, **more)))) as prometheus:
        return prometheus.query("up")


def active_since(url: str) -> object:
    """Ask a Prometheus for an onset."""
    with closing(Prometheus(PrometheusSettings(**access(url)))) as prometheus:
        return prometheus.active_since(ALERT)


def firing(url: str, **more: Any) -> tuple[Alert, ...]:
    """Ask an Alertmanager what fires."""
    with closing(Alertmanager(AlertmanagerSettings(**access(url, **more)))) as alertmanager:
        return alertmanager.firing()


ASK: dict[str, Callable[[str], object]] = {"query": query, "active_since": active_since, "firing": firing}


@pytest.fixture
def api() -> Iterator[OddApi]:
    """Run a server that says what it is told to."""
    with odd_api() as running:
        yield running


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize(("says", "words"), BLIND)
def test_no_whole_answer_is_blind(
    api: OddApi, monkeypatch: pytest.MonkeyPatch, says: Says, words: str, ask: str
) -> None:
    """Neither yes nor no. The message names the server, steers no terminal, and ends with what to do."""
    monkeypatch.setattr(exchange, "ANSWER_CAP", 1_000)
    api.says = [says]
    with pytest.raises(Transient, match=words) as caught:
        ASK[ask](api.url)
    assert caught.value.reason is Reason.MONITORING_BLIND
    assert api.url in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert str(caught.value)[-1] in ".?"


@pytest.mark.parametrize("ask", ASK)
def test_nobody_there_is_blind(ask: str) -> None:
    """Said as what it is."""
    with pytest.raises(Transient, match=r"cannot be reached \(Connection refused\)") as caught:
        ASK[ask]("http://127.0.0.1:1")
    assert caught.value.reason is Reason.MONITORING_BLIND


@pytest.mark.parametrize("first", [drops(), Says(503, "starting"), breaks_off()])
def test_what_broke_off_is_asked_once_more(api: OddApi, first: Says) -> None:
    """And no more often: a rollback waits for it."""
    api.says = [first, Says(200, ONE)]
    assert query(api.url) == (Sample(1.0),)
    api.says, api.seen = [first], []
    with pytest.raises(Transient):
        query(api.url)
    assert len(api.seen) == 2


def test_what_took_all_of_its_time_is_not_asked_again(api: OddApi) -> None:
    """The time limit is for the whole question."""
    api.says = [hangs()]
    with pytest.raises(Transient):
        query(api.url)
    assert len(api.seen) == 1


def test_a_store_that_judges_no_rules_is_asked_for_what_it_stored(api: OddApi) -> None:
    """It has no list of alerts; that is no error."""
    stored = {"metric": {"__name__": "ALERTS_FOR_STATE", "alertname": "A"}, "value": [0, "1699999990"]}
    by_name = {"status": "success", "data": {"resultType": "vector", "result": [stored]}}
    api.says = [Says(404, "not here"), Says(200, by_name)]
    with closing(Prometheus(PrometheusSettings(**access(api.url)), clock_ms=lambda: 7)) as prometheus:
        found = prometheus.active_since(ALERT)
    assert found is not None
    assert (found.value, found.source, found.at_ms) == (1_699_999_990_000, "Prometheus ALERTS_FOR_STATE", 7)
    assert b"time=1700000001.000" in api.seen[1].body


def test_prometheus_warnings_are_kept(api: OddApi) -> None:
    """Those of the last answer: it doubts its own words. They are cleaned."""
    with closing(Prometheus(PrometheusSettings(**access(api.url)))) as prometheus:
        api.says = [Says(200, {**ONE, "warnings": ["a store\n\x1b[1mis away"]})]
        prometheus.query("up")
        assert prometheus.warnings == ("a store [1mis away",)
        api.says = [Says(200, ONE)]
        prometheus.query("up")
        assert prometheus.warnings == ()


def test_the_path_prefix_is_kept_and_the_receiver_is_no_pattern(api: OddApi) -> None:
    """A receiver's name is taken letter by letter."""
    api.says = [Says(200, ALERTS)]
    assert firing(f"{api.url}/am/", receiver="o.rs") == ()
    assert len(firing(f"{api.url}/am/", receiver="ours")) == 1
    assert api.seen[0].path.startswith("/am/api/v2/alerts?")
    assert "receiver=o%5C.rs" in api.seen[0].path


def test_the_credentials_are_read_anew_and_shown_to_nobody_else(api: OddApi, tmp_path: Path) -> None:
    """They are rotated; what cannot be read is blind, and says which file."""
    file = tmp_path / "secret"
    api.says = [Says(200, ONE)]
    with closing(Prometheus(PrometheusSettings(**access(api.url, token_file=file)))) as prometheus:
        with pytest.raises(Transient, match=str(file)):
            prometheus.query("up")
        for token in ("one", "two"):
            file.write_text(f"{token}\n")
            prometheus.query("up")
    query(api.url, username="anna", password_file=file)
    query(api.url)
    login = b64encode(b"anna:two").decode()
    file.write_text("never\nshown")
    with pytest.raises(Transient, match="one token, on one line") as caught:
        query(api.url, token_file=file)
    assert "never" not in str(caught.value)
    sent = [seen.headers.get("Authorization") for seen in api.seen]
    assert sent == ["Bearer one", "Bearer two", f"Basic {login}", None]


def test_a_redirect_gets_no_credentials(api: OddApi, tmp_path: Path) -> None:
    """It is not followed, wherever it leads."""
    (tmp_path / "token").write_text("secret")
    with odd_api() as elsewhere:
        api.says = [Says(307, "", {"Location": elsewhere.url})]
        with pytest.raises(Transient, match="redirect"):
            query(api.url, token_file=tmp_path / "token")
        assert elsewhere.seen == []


def test_only_who_is_trusted_is_believed(tmp_path: Path) -> None:
    """The authority of the settings vouches for the server; another one, or a file that is none, does not."""
    ours, other = Authority.make("ours"), Authority.make("other")
    for name, authority in {"ours": ours, "other": other}.items():
        (tmp_path / name).write_text(authority.pem)
    (tmp_path / "none").write_text("no certificate")
    ours.issue("prometheus", ["127.0.0.1"], tmp_path / "certificate", tmp_path / "key")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with odd_api(tls) as api:
        api.says = [Says(200, ONE)]
        assert query(api.url, ca_file=tmp_path / "ours", timeout_s=5) == (Sample(1.0),)
        with pytest.raises(Transient, match="certificate is not trusted"):
            query(api.url, ca_file=tmp_path / "other", timeout_s=5)
        with pytest.raises(Transient, match="certificate is not trusted"):
            query(api.url, timeout_s=5)
        with pytest.raises(Transient, match="cannot be read as certificates"):
            query(api.url, ca_file=tmp_path / "none", timeout_s=5)
