"""A cluster is asked with credentials, each call has its end, and every failure has its own reason."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from structlog.testing import capture_logs
from testbed.authority import Authority
from testbed.connect_proxy import tunnel
from testbed.odd_api import OddApi, Says, breaks_off, drops, hangs, odd_api, status, trickles

from controller.settings import ClusterSettings, Numbers
from rules.decisions import Reason
from rules.errors import NotYet, Permanent, RollbackError, Transient
from workers.kubernetes import failures, paths
from workers.kubernetes.access import Cluster, connect_cluster
from workers.kubernetes.credentials import Way, in_cluster, kubeconfig

DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"
PODS = paths.pods("shop")
NUMBERS = Numbers(call_timeout_s=0.6)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def api(authority: Authority, tmp_path: Path) -> Iterator[OddApi]:
    with odd_api(authority.server(tmp_path)) as server:
        yield server


@pytest.fixture
def configured(authority: Authority, tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a kubeconfig for a server, with a user as given."""

    def write(server: str, user: dict[str, Any], **cluster: Any) -> Path:
        ca = {"certificate-authority-data": base64.b64encode(authority.pem.encode()).decode()}
        config = {
            "current-context": "shop",
            "contexts": [{"name": "shop", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, **ca, **cluster}}],
            "users": [{"name": "u", "user": user}],
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(config))
        return file

    return write


@pytest.fixture
def cluster(api: OddApi, configured: Callable[..., Path]) -> Iterator[Cluster]:
    made = connect_cluster("eu", ClusterSettings(kubeconfig=configured(api.url, {"token": "t0ken"})), NUMBERS)
    yield made
    made.close()


# Who we are


def test_a_client_that_was_prepared_is_built_anew_where_its_files_changed(
    api: OddApi, configured: Callable[..., Path]
) -> None:
    """A process that stood by for a day must not come with yesterday's credentials."""
    settings = ClusterSettings(kubeconfig=configured(api.url, {"token": "of-yesterday"}))
    kept, renewed = (connect_cluster("eu", settings, NUMBERS) for _ in range(2))
    kept.prepare()
    kept.get(DEPLOYMENT)
    renewed.prepare()
    assert len(api.seen) == 1, "preparing asks nothing"
    configured(api.url, {"token": "of-today"})
    renewed.get(DEPLOYMENT)
    assert [one.headers["authorization"] for one in api.seen] == ["Bearer of-yesterday", "Bearer of-today"]
    kept.close()
    renewed.close()


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "t0ken-of-anna"}, "Bearer t0ken-of-anna"),
        ({"tokenFile": "token"}, "Bearer from-the-file"),
        ({"token": "stale", "tokenFile": "token"}, "Bearer from-the-file"),
        ({"username": "anna", "password": "geheim"}, "Basic " + base64.b64encode(b"anna:geheim").decode()),
        (
            {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "sh",
                    "args": [
                        "-c",
                        (
                            'echo \'{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
                            '"status": {"token": "from-the-plugin"}}\''
                        ),
                    ],
                }
            },
            "Bearer from-the-plugin",
        ),
    ],
    ids=["token", "token-file", "token-file-before-token", "password", "plugin"],
)
def test_every_kind_of_call_carries_the_credentials_of_the_kubeconfig(
    api: OddApi, configured: Callable[..., Path], tmp_path: Path, user: dict[str, Any], header: str
) -> None:
    """A release of the client library that sends none (36.0.0 was one) does not get past this."""
    (tmp_path / "token").write_text("from-the-file\n")
    api.says = [Says(200, {"metadata": {}})]
    cluster = connect_cluster("eu", ClusterSettings(kubeconfig=configured(api.url, user)), NUMBERS)
    _call_everything(cluster)
    cluster.close()
    assert [seen.headers.get("authorization", seen.headers.get("Authorization")) for seen in api.seen] == [
        header
    ] * 6


def test_a_client_certificate_is_shown_and_its_key_does_not_stay_on_the_disk(
    api: OddApi,
    configured: Callable[..., Path],
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job's process ends without tidying up, so there must be nothing to tidy up."""
    certificate, key = authority.issue(tmp_path, "rollback-controller")
    user = {"client-certificate": certificate.name, "client-key-data": base64.b64encode(key.read_bytes()).decode()}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    cluster = connect_cluster("eu", ClusterSettings(kubeconfig=configured(api.url, user)), NUMBERS)
    cluster.get(DEPLOYMENT)
    assert list(scratch.iterdir()) == []
    cluster.close()
    assert [seen.shown for seen in api.seen] == ["rollback-controller"]


def test_in_a_pod_the_service_account_is_used(api: OddApi, authority: Authority, tmp_path: Path) -> None:
    """Its CA, its token, and the address that Kubernetes puts into the environment."""
    account = _service_account(tmp_path, authority, "projected")
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
    cluster = Cluster("default", lambda: in_cluster(account, environ), timeout_s=2)
    cluster.get(DEPLOYMENT)
    cluster.close()
    assert api.seen[0].headers["authorization"] == "Bearer projected"


def test_a_token_that_was_rotated_is_read_again(api: OddApi, authority: Authority, tmp_path: Path) -> None:
    """As the kubelet rotates it: another directory behind the same link."""
    account = _service_account(tmp_path, authority, "first")
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
    cluster = Cluster("default", lambda: in_cluster(account, environ), timeout_s=2)
    cluster.get(DEPLOYMENT)
    fresh = account / "..2"
    fresh.mkdir()
    (fresh / "token").write_text("second")
    (account / "..new").symlink_to("..2")
    (account / "..new").rename(account / "..data")
    cluster.get(DEPLOYMENT)
    cluster.close()
    assert [seen.headers["authorization"] for seen in api.seen] == ["Bearer first", "Bearer second"]
    assert api.connections == 1


def test_where_the_server_does_not_know_us_the_kubeconfig_is_read_again_once(
    api: OddApi, configured: Callable[..., Path]
) -> None:
    """Somebody may have put a new token there while we were at work."""
    file = configured(api.url, {"token": "old"})
    cluster = connect_cluster("eu", ClusterSettings(kubeconfig=file), NUMBERS)
    cluster.get(DEPLOYMENT)
    configured(api.url, {"token": "new"})
    api.says = [status(401, "Unauthorized"), Says(200, {"kind": "Deployment"})]
    assert cluster.get(DEPLOYMENT) == {"kind": "Deployment"}
    cluster.close()
    assert [seen.headers["authorization"] for seen in api.seen] == ["Bearer old", "Bearer old", "Bearer new"]


def test_where_that_does_not_help_we_are_unauthorized(api: OddApi, cluster: Cluster) -> None:
    """Asked with the old credentials, with fresh ones, and once more when the server says that it is ready."""
    api.says = [status(401, "Unauthorized")]
    error = _failure(cluster, failures.Unauthorized, Reason.UNAUTHORIZED)
    assert isinstance(error, Permanent)
    assert "read again" in str(error)
    assert len(api.seen) == 3


# What can be wrong with a kubeconfig


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "does not exist: correct `clusters.eu.kubeconfig` in the settings"),
        ("", "it is empty, or no kubeconfig"),
        ("a: [", "it is not YAML in line"),
        ("apiVersion: v1", "it has no `current-context`"),
        ("current-context: x\ncontexts: [{name: a, context: {cluster: c}}]", "it has no context 'x'; there is: a"),
        (
            "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]",
            "it has no cluster 'c'; there is: none",
        ),
        (
            (
                "current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"
                "clusters: [{name: c, cluster: {server: '10.0.0.1:6443'}}]"
            ),
            "its cluster names no `server:` with https://",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_what_is_wrong(tmp_path: Path, text: str | None, says: str) -> None:
    """With its path, and where to correct it."""
    file = tmp_path / "kubeconfig"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Permanent) as caught:
        connect_cluster("eu", ClusterSettings(kubeconfig=file), NUMBERS).get(DEPLOYMENT)
    assert caught.value.reason is Reason.TARGET_MISCONFIGURED
    assert says in str(caught.value)
    assert str(file) in str(caught.value)
    assert "settings" in str(caught.value)


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ({"auth-provider": {"name": "gcp"}}, "use an `exec` plugin or a token"),
        ({"token": "x", "as": "anna"}, "give us a user of our own"),
        ({"tokenFile": "missing"}, "missing: No such file or directory"),
        ({"exec": {"apiVersion": "v1", "command": "false"}}, "gave no credentials (exec: process returned 1)"),
        (
            {"exec": {"apiVersion": "v1", "command": "no-such-plugin"}},
            "No such file or directory: 'no-such-plugin'",
        ),
        (
            {
                "exec": {
                    "apiVersion": "v1",
                    "command": "sh",
                    "args": ["-c", "echo Bearer abcdefghijkl >&2; exit 3"],
                }
            },
            "process returned 3. (not shown)",
        ),
    ],
)
def test_credentials_that_cannot_be_had_are_named_and_no_call_goes_without(
    api: OddApi, configured: Callable[..., Path], user: dict[str, Any], says: str
) -> None:
    """A call without any would be answered for a stranger, and the message would be about the wrong user."""
    cluster = connect_cluster("eu", ClusterSettings(kubeconfig=configured(api.url, user)), NUMBERS)
    error = _failure(cluster, failures.Unauthorized, Reason.UNAUTHORIZED)
    assert says in str(error)
    assert api.seen == []


def test_credentials_do_not_go_over_an_unencrypted_way(configured: Callable[..., Path]) -> None:
    """To this machine itself they may."""
    file = configured("http://api.example:8080", {"token": "t"})
    cluster = connect_cluster("eu", ClusterSettings(kubeconfig=file), NUMBERS)
    assert "is not encrypted" in str(_failure(cluster, failures.BadCertificate, Reason.CERTIFICATE))
    with odd_api() as plain:
        file = configured(plain.url, {"token": "t"})
        cluster = connect_cluster("eu", ClusterSettings(kubeconfig=file), NUMBERS)
        cluster.get(DEPLOYMENT)
        cluster.close()
        assert plain.seen[0].headers["authorization"] == "Bearer t"


def test_nothing_that_can_be_printed_holds_a_secret(configured: Callable[..., Path], tmp_path: Path) -> None:
    """Neither in a log line nor in a traceback with locals."""
    way = kubeconfig(configured("https://127.0.0.1:1", {"token": "s3cret"}), None)
    assert "s3cret" not in repr(way)
    assert "s3cret" not in repr(Way("https://x", "test", certificate=b"s3cret", key=b"s3cret"))


# Whether it is the right server


def test_an_expired_certificate_has_its_own_words(
    authority: Authority, configured: Callable[..., Path], tmp_path: Path
) -> None:
    """Permanent: it will not mend itself."""
    with odd_api(authority.server(tmp_path, ends=timedelta(hours=-1))) as server:
        cluster = connect_cluster(
            "eu", ClusterSettings(kubeconfig=configured(server.url, {"token": "t"})), NUMBERS
        )
        assert "has expired" in str(_failure(cluster, failures.BadCertificate, Reason.CERTIFICATE))
        assert server.seen == []


def test_a_certificate_for_another_name_has_its_own_words(
    authority: Authority, configured: Callable[..., Path], tmp_path: Path
) -> None:
    """And the kubeconfig can say which name to expect."""
    with odd_api(authority.server(tmp_path, host="api.example")) as server:
        settings = ClusterSettings(kubeconfig=configured(server.url, {"token": "t"}))
        error = _failure(connect_cluster("eu", settings, NUMBERS), failures.BadCertificate, Reason.CERTIFICATE)
        assert "is for other names" in str(error)
        assert server.seen == []
        configured(server.url, {"token": "t"}, **{"tls-server-name": "api.example"})
        cluster = connect_cluster("eu", settings, NUMBERS)
        assert cluster.get(DEPLOYMENT) == {}
        cluster.close()


def test_a_server_of_another_authority_gets_no_credentials(
    configured: Callable[..., Path], tmp_path: Path
) -> None:
    """Only the cluster's own CA counts."""
    with odd_api(Authority("stranger").server(tmp_path)) as server:
        cluster = connect_cluster(
            "eu", ClusterSettings(kubeconfig=configured(server.url, {"token": "t"})), NUMBERS
        )
        assert "is not signed by the CA" in str(_failure(cluster, failures.BadCertificate, Reason.CERTIFICATE))
        assert server.seen == []


def test_skipping_the_check_takes_a_word_in_our_own_settings_too(tmp_path: Path) -> None:
    """A kubeconfig that somebody sent round is not enough; and it is logged each time."""
    with odd_api(Authority("stranger").server(tmp_path)) as server:
        file = tmp_path / "kubeconfig"
        whole = {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url, "insecure-skip-tls-verify": True}}],
        }
        file.write_text(json.dumps(whole))
        refused = connect_cluster("eu", ClusterSettings(kubeconfig=file), NUMBERS)
        error = _failure(refused, failures.BadCertificate, Reason.CERTIFICATE)
        assert "`clusters.eu.insecure-skip-tls-verify: true`" in str(error)
        assert server.seen == []
        obeyed = connect_cluster("eu", ClusterSettings(kubeconfig=file, insecure_skip_tls_verify=True), NUMBERS)
        with capture_logs() as logs:
            obeyed.get(DEPLOYMENT)
        obeyed.close()
        assert [line["event"] for line in logs] == ["cluster.not_verified"]


def test_without_a_ca_the_systems_own_are_trusted(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for an API server behind a public certificate."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(authority.pem)
    with odd_api(authority.server(tmp_path)) as server:
        cluster = Cluster("eu", lambda: Way(server.url, "a test"), timeout_s=2)
        _failure(cluster, failures.BadCertificate, Reason.CERTIFICATE)
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        cluster.close()
        assert cluster.get(DEPLOYMENT) == {}
        cluster.close()


def test_a_port_that_speaks_no_tls_says_so(configured: Callable[..., Path]) -> None:
    """A proxy in trouble answers like that."""
    with odd_api() as plain:
        file = configured(plain.url.replace("http:", "https:"), {"token": "t"})
        cluster = connect_cluster("eu", ClusterSettings(kubeconfig=file), NUMBERS)
        assert "TLS fails" in str(_failure(cluster, failures.Unreachable, Reason.UNREACHABLE))


# Whether an answer comes


@pytest.mark.parametrize("odd", [hangs(), trickles()], ids=["hangs", "trickles"])
def test_a_call_has_one_deadline_from_its_first_byte_to_its_last(api: OddApi, cluster: Cluster, odd: Says) -> None:
    """A server that sends a byte now and then does not hold us longer than one that sends none."""
    api.says = [odd]
    begun = time.monotonic()
    error = _failure(cluster, failures.Unreachable, Reason.UNREACHABLE)
    assert "did not answer" in str(error)
    assert NUMBERS.call_timeout_s * 0.9 < time.monotonic() - begun < 30


@pytest.mark.parametrize("odd", [breaks_off(), drops()], ids=["breaks off", "drops"])
def test_an_answer_that_breaks_off_is_unreachable_and_asked_only_once(
    api: OddApi, cluster: Cluster, odd: Says
) -> None:
    """Whether to repeat is the runner's business: a write may have been done."""
    api.says = [odd]
    _failure(cluster, failures.Unreachable, Reason.UNREACHABLE)
    with pytest.raises(failures.Unreachable):
        cluster.patch(DEPLOYMENT, [], field_manager="rollback-controller")
    assert [seen.method for seen in api.seen] == ["GET", "PATCH"]
    api.says = [Says(200, {"kind": "Deployment"})]
    assert cluster.get(DEPLOYMENT) == {"kind": "Deployment"}


def test_where_nobody_listens_it_is_unreachable(configured: Callable[..., Path]) -> None:
    """Transient: an API server that is restarted comes back."""
    cluster = connect_cluster(
        "eu", ClusterSettings(kubeconfig=configured("https://127.0.0.1:1", {"token": "t"})), NUMBERS
    )
    error = _failure(cluster, failures.Unreachable, Reason.UNREACHABLE)
    assert isinstance(error, Transient)
    assert "https://127.0.0.1:1 cannot be reached (Connection refused)" in str(error)


def test_one_connection_serves_a_whole_job(api: OddApi, cluster: Cluster) -> None:
    """Every greeting of TLS costs."""
    api.says = [Says(200, {"metadata": {}})]
    _call_everything(cluster)
    assert api.connections == 1


def test_the_proxy_of_a_kubeconfig_is_gone_through(
    api: OddApi, configured: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a tunnel, in which the server still shows its certificate; the environment does not talk us out of it."""
    monkeypatch.setenv("NO_PROXY", "*")
    with tunnel() as proxy:
        file = configured(api.url, {"token": "t0ken"}, **{"proxy-url": f"http://127.0.0.1:{proxy.port}"})
        cluster = connect_cluster("eu", ClusterSettings(kubeconfig=file), Numbers())
        cluster.get(DEPLOYMENT)
        cluster.close()
        assert [line.split()[:2] for line in proxy.asked] == [["CONNECT", f"127.0.0.1:{api.port}"]]
    assert api.seen[0].headers["authorization"] == "Bearer t0ken"
    cluster = connect_cluster("eu", ClusterSettings(kubeconfig=file), NUMBERS)
    assert "cannot be reached" in str(_failure(cluster, failures.Unreachable, Reason.UNREACHABLE))


# What an answer means


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (status(404, 'deployments.apps "web" not found'), failures.NotFound, Reason.WORKLOAD_UNKNOWN),
        (Says(404, "404 page not found\n"), failures.NotFound, Reason.WORKLOAD_UNKNOWN),
        (status(409, "the object has been modified"), failures.Conflict, Reason.CHANGED_MEANWHILE),
        (status(410, "too old resource version"), failures.Expired, Reason.API_ERROR),
        (status(422, "spec.template: Required value"), failures.Refused, Reason.TARGET_REFUSED),
        (status(400, 'admission webhook "x" denied the request'), failures.Refused, Reason.TARGET_REFUSED),
        (status(403, 'admission webhook "x" denied the request'), failures.Refused, Reason.TARGET_REFUSED),
        (status(403, "exceeded quota: pods"), failures.Refused, Reason.TARGET_REFUSED),
        (status(403, "forbidden: not yet ready to handle request"), failures.ApiError, Reason.API_ERROR),
        (status(500, "etcdserver: request timed out"), failures.ApiError, Reason.API_ERROR),
        (Says(503, "<html>down</html>"), failures.ApiError, Reason.API_ERROR),
        (Says(200, "<html>log in</html>"), failures.ApiError, Reason.API_ERROR),
        (Says(200, "[]"), failures.ApiError, Reason.API_ERROR),
        (Says(200, ""), failures.ApiError, Reason.API_ERROR),
    ],
)
def test_every_answer_has_its_reason(
    api: OddApi, cluster: Cluster, answer: Says, kind: type[RollbackError], reason: Reason
) -> None:
    """Told for a patch; the message names the call and the cluster, and only what is forbidden is asked again."""
    api.says = [answer]
    with pytest.raises(kind) as caught:
        cluster.patch(DEPLOYMENT, [{"op": "remove", "path": "/x"}], field_manager="rollback-controller")
    assert caught.value.reason is reason
    assert str(caught.value).startswith("patch deployments.apps web in namespace shop (cluster eu): ")
    assert len(api.seen) == (2 if answer.status == 403 else 1)


def test_a_pod_that_is_not_found_is_gone(api: OddApi, cluster: Cluster) -> None:
    """Which is no mistake in a rule, and has a reason of its own."""
    api.says = [status(404, 'pods "web-1" not found')]
    with pytest.raises(failures.NotFound) as caught:
        cluster.get(paths.pods("shop", "web-1"))
    assert caught.value.reason is Reason.POD_GONE


def test_a_forbidden_call_names_the_line_of_the_role_that_is_missing(api: OddApi, cluster: Cluster) -> None:
    """With verb, resource and namespace, so that nobody has to guess."""
    api.says = [
        status(
            403,
            'deployments.apps "web" is forbidden: User "system:serviceaccount:ops:rollback" cannot patch '
            'resource "deployments" in API group "apps" in the namespace "shop"',
        )
    ]
    with pytest.raises(failures.Forbidden) as caught:
        cluster.patch(DEPLOYMENT, [], field_manager="rollback-controller")
    said = str(caught.value)
    assert (caught.value.reason, isinstance(caught.value, Permanent)) == (Reason.FORBIDDEN, True)
    assert "patch deployments.apps web in namespace shop" in said
    assert "system:serviceaccount:ops:rollback" in said
    assert "a Role in shop or a ClusterRole" in said
    assert said.endswith(
        '- {apiGroups: ["apps"], resources: ["deployments", "statefulsets", "daemonsets"], '
        'verbs: ["get", "list", "patch"]}'
    )


def test_a_namespace_that_may_not_exist_is_asked_for_first(api: OddApi, cluster: Cluster) -> None:
    """Who has rights in some namespaces only is told `forbidden` about a misspelt one as well."""
    api.says = [status(403, 'pods is forbidden: User "x" cannot list resource "pods"')]
    with pytest.raises(failures.Forbidden) as caught:
        cluster.list(paths.pods("shp"))
    said = str(caught.value)
    assert "Is the name right, and does namespace shp exist? If so, add this line to a Role in shp" in said
    assert said.endswith('resources: ["pods"], verbs: ["get", "list", "delete"]}')


def test_a_list_that_is_read_like_an_object_is_still_a_list(api: OddApi, cluster: Cluster) -> None:
    """To a Role it is; the line that is named must be the one that helps."""
    api.says = [status(403, 'events is forbidden: User "x" cannot list resource "events"')]
    with pytest.raises(failures.Forbidden, match=r'^list events in .* verbs: \["list", "create"\]}$'):
        cluster.get(paths.events("shop"))


@pytest.mark.parametrize("code", [401, 403])
def test_a_server_that_is_starting_forbids_nothing_for_good(api: OddApi, cluster: Cluster, code: int) -> None:
    """It has not read its own rules yet; asked later it knows us."""
    api.by_path["/readyz"] = Says(500, "[-]poststarthook/rbac/bootstrap-roles failed")
    api.says = [status(code, "no")]
    _failure(cluster, failures.ApiError, Reason.API_ERROR)


@pytest.mark.parametrize(("ready", "waits"), [(200, []), (403, [1.5])])
def test_a_server_that_became_ready_meanwhile_is_asked_again(
    api: OddApi, configured: Callable[..., Path], ready: int, waits: list[float]
) -> None:
    """So quick is the moment; and before its end it may refuse to say even whether it is ready."""
    api.by_path["/readyz"] = status(ready, "")
    api.says = [status(403, "no"), Says(200, {"kind": "Deployment"})]
    waited: list[float] = []
    file = configured(api.url, {"token": "t"})
    cluster = Cluster("eu", lambda: kubeconfig(file, None), timeout_s=2, wait=waited.append)
    assert cluster.get(DEPLOYMENT) == {"kind": "Deployment"}
    cluster.close()
    assert waited == waits


@pytest.mark.parametrize(
    ("said", "wait_s"), [("7", 7), ("0", 0.5), ("86400", 60), ("", 1), ("Wed, 21 Oct 2026 07:28:00 GMT", 1)]
)
def test_a_server_with_too_much_to_do_is_asked_again_when_it_says(
    api: OddApi, cluster: Cluster, said: str, wait_s: float
) -> None:
    """That costs no attempt: nothing is wrong with the call."""
    answer = status(429, "too many requests")
    api.says = [Says(429, answer.body, {"Retry-After": said} if said else {})]
    error = _failure(cluster, failures.Throttled, Reason.THROTTLED)
    assert isinstance(error, NotYet)
    assert error.retry_after_s == wait_s


def test_a_redirect_is_not_followed(api: OddApi, cluster: Cluster) -> None:
    """The token would go along."""
    with odd_api() as elsewhere:
        api.says = [Says(302, "", {"Location": f"{elsewhere.url}/login"})]
        error = _failure(cluster, failures.ApiError, Reason.API_ERROR)
        assert f"answered 302 to {elsewhere.url}/login" in str(error)
        assert elsewhere.seen == []


def test_what_a_stranger_says_is_cut_and_shows_no_credentials(api: OddApi, cluster: Cluster) -> None:
    """Some proxies print the request that they did not like."""
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
    api.says = [Says(502, f"<p>\x1b[31mAuthorization: Bearer t0ken-of-anna, {jwt}\n{'x' * 9000}</p>")]
    said = str(_failure(cluster, failures.ApiError, Reason.API_ERROR))
    assert "t0ken-of-anna" not in said
    assert jwt not in said
    assert said.isprintable()
    assert len(said) < 700


# Lists


def test_a_list_is_read_to_its_end(api: OddApi, cluster: Cluster) -> None:
    """Five hundred at a time, by the same question; what the labels hold is encoded."""
    api.says = [
        Says(200, {"kind": "PodList", "metadata": {"continue": "a+b/c="}, "items": [{"n": 1}]}),
        Says(200, {"kind": "PodList", "metadata": {"continue": "more"}, "items": [{"n": 2}]}),
        Says(200, {"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": None}),
    ]
    selector = "app.kubernetes.io/name=shop,track in (canary,next)"
    found = cluster.list(PODS, labelSelector=selector, fieldSelector="status.phase=Running")
    assert found["items"] == [{"n": 1}, {"n": 2}]
    asked = [parse_qs(urlsplit(seen.path).query) for seen in api.seen]
    both = {"labelSelector": [selector], "fieldSelector": ["status.phase=Running"], "limit": ["500"]}
    assert asked == [both, {**both, "continue": ["a+b/c="]}, {**both, "continue": ["more"]}]


def test_a_list_whose_next_page_is_no_longer_kept_is_read_anew_once(api: OddApi, cluster: Cluster) -> None:
    """Pages of two different moments are never put together."""
    page, gone = Says(200, {"metadata": {"continue": "x"}, "items": [{"n": 1}]}), status(410, "expired")
    api.says = [page, gone, Says(200, {"metadata": {}, "items": [{"n": 2}]})]
    assert cluster.list(PODS)["items"] == [{"n": 2}]
    api.says = [page, gone, page, gone, gone]
    with pytest.raises(failures.Expired):
        cluster.list(PODS)


# What is sent


def test_a_patch_is_a_json_patch_under_our_name(api: OddApi, cluster: Cluster) -> None:
    """Nothing in it is lost on the way: an explicit null stays one."""
    patch = [{"op": "test", "path": "/metadata/uid", "value": "u"}, {"op": "add", "path": "/a", "value": None}]
    cluster.patch(DEPLOYMENT, patch, field_manager="rollback-controller")
    (seen,) = api.seen
    assert (seen.method, seen.path) == ("PATCH", f"{DEPLOYMENT}?fieldManager=rollback-controller")
    assert seen.headers["Content-Type"] == "application/json-patch+json"
    assert seen.json == patch


def test_a_deletion_is_of_one_uid(api: OddApi, cluster: Cluster) -> None:
    """Somebody else's pod may have taken the name."""
    cluster.delete(paths.pods("shop", "web-0"), uid="abc", grace_s=5)
    (seen,) = api.seen
    assert (seen.method, seen.path) == ("DELETE", "/api/v1/namespaces/shop/pods/web-0")
    assert seen.json["preconditions"] == {"uid": "abc"}
    assert seen.json["gracePeriodSeconds"] == 5


def test_a_log_is_text_whatever_its_bytes_are(api: OddApi, cluster: Cluster) -> None:
    """Containers write what they like."""
    api.says = [Says(200, "caf\u00e9 \u2713\n")]
    assert cluster.text(paths.pod_log("shop", "web-0"), previous=True, tailLines=20) == "café ✓\n"
    assert api.seen[0].path == "/api/v1/namespaces/shop/pods/web-0/log?previous=true&tailLines=20"


def _call_everything(cluster: Cluster) -> None:
    cluster.get(DEPLOYMENT)
    cluster.list(PODS)
    cluster.text(paths.pod_log("shop", "web-0"))
    cluster.patch(DEPLOYMENT, [], field_manager="rollback-controller")
    cluster.create(paths.events("shop"), {"kind": "Event"})
    cluster.delete(paths.pods("shop", "web-0"), uid="u")


def _failure(cluster: Cluster, kind: type[RollbackError], reason: Reason) -> RollbackError:
    with pytest.raises(kind) as caught:
        cluster.get(DEPLOYMENT)
    assert caught.value.reason is reason
    cluster.close()
    return caught.value


def _service_account(tmp_path: Path, authority: Authority, token: str) -> Path:
    """Lay a service account out as the kubelet does."""
    account = tmp_path / "serviceaccount"
    (account / "..1").mkdir(parents=True)
    (account / "..1" / "token").write_text(token)
    (account / "..data").symlink_to("..1")
    (account / "token").symlink_to("..data/token")
    (account / "ca.crt").write_text(authority.pem)
    return account
