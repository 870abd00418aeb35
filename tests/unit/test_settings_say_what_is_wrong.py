"""Settings: a variable wins over the file, paths are relative to the file, every mistake is told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import Role, SettingsError, load_settings

MISTAKES = [
    ("inventry: x.yaml", "1:1: `inventry` is not a setting; did you mean inventory?"),
    ("redis: {url: 'http://x'}", "1:9: `redis.url`: must begin with redis://, rediss:// or unix://"),
    ("redis:\n  passwordfile: x", "2:3: `redis.passwordfile` is not a setting; did you mean password-file?"),
    ("listen: 8095", "1:1: `listen`: input should be a valid string"),
    ("listen: localhost", "1:1: `listen`: must be ADDRESS:PORT, as in 127.0.0.1:8095 or [::1]:8095"),
    ("auth: {tokens: [{name: a, roles: [alerts]}]}", "1:17: `auth.tokens.0.file` is needed and not said"),
    (
        "auth: {tokens: [{name: a, roles: [admin], file: f}]}",
        "1:35: `auth.tokens.0.roles.0`: input should be 'alerts', 'read', 'operate' or 'approve'",
    ),
    ("workers: on", "1:10: on is true or false to some YAML readers; put it in quotes if it is meant as text"),
    ("workers: 1\nworkers: 2", "2:1: `workers` is written twice, first on line 1; keep one"),
    ("numbers: {lease-ttl-s: -1}", "1:11: `numbers.lease-ttl-s`: input should be greater than 0"),
    (
        "numbers: {call-timeout-s: 20}",
        (
            "1:1: call_timeout_s (20) must be less than lease_ttl_s (10): a call that hangs would outlive the "
            "lease it was made under. Set call_timeout_s below 10 or lease_ttl_s above 20."
        ),
    ),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """As file:line:column, with what was meant when it is close."""
    path = _written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert f"{path}:{problem}" in caught.value.problems


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """Nobody mends a file one error at a time."""
    path = _written(tmp_path, "inventry: x\nworkers: 0\nlisten: x")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert len(caught.value.problems) == 3


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One level down is `__`; what the variable does not say, the file still does."""
    path = _written(tmp_path, "workers: 3\nredis: {url: 'redis://file:1/0', username: anna}\nbody-max: 1MiB")
    monkeypatch.setenv("ROLLBACK_REDIS__URL", "redis://variable:2/0")
    monkeypatch.setenv("ROLLBACK_RULES", "/a.yaml:/b")
    settings = load_settings(path)
    assert (settings.redis.url, settings.redis.username) == ("redis://variable:2/0", "anna")
    assert settings.rules == (Path("/a.yaml"), Path("/b"))
    assert (settings.workers, settings.body_max) == (3, 2**20)


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("ROLLBACK_LISTEN", "x", "ROLLBACK_LISTEN: `listen`: must be ADDRESS:PORT"),
        ("ROLLBACK_REDIS__URL", "x", "ROLLBACK_REDIS__URL: `redis.url`: must begin with redis://"),
        ("ROLLBACK_LISTN", "x", "ROLLBACK_LISTN is not a setting; did you mean ROLLBACK_LISTEN?"),
        ("ROLLBACK_REDIS", "x", 'error parsing value for field "redis"'),
    ],
)
def test_a_wrong_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    """The file is not blamed for what a variable says."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(_written(tmp_path, "workers: 1"))
    assert caught.value.problems[0].startswith(problem)


def test_variables_of_a_kubernetes_service_called_rollback_are_nobodys_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes puts them into every pod of the namespace."""
    for name in ("PORT", "SERVICE_HOST", "SERVICE_PORT", "PORT_8095_TCP_ADDR", "CONTROLLER_PORT"):
        monkeypatch.setenv(f"ROLLBACK_{name}", "tcp://10.0.0.1:8095")
    assert load_settings(_written(tmp_path, "workers: 1")).workers == 1


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Also those that the file leaves to their defaults; an absolute path stays as it is."""
    text = (
        "rules: [a.yaml, /abs/b.yaml]\nauth: {tokens: [{name: n, roles: [alerts], file: tokens/n}]}\ntoken_file: t"
    )
    settings = load_settings(_written(tmp_path, text))
    assert settings.rules == (tmp_path / "a.yaml", Path("/abs/b.yaml"))
    assert settings.inventory == tmp_path / "inventory.yaml"
    assert settings.auth.tokens[0].file == tmp_path / "tokens/n"
    assert settings.token_file == tmp_path / "t"


def test_credentials_are_found_where_the_service_manager_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process has a directory of its own; to whom nothing was handed, the path stays as it is written."""
    path = _written(tmp_path, "redis: {password-file: $CREDENTIALS_DIRECTORY/secret_redis}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x.service")
    assert load_settings(path).redis.password_file == Path("/run/credentials/x.service/secret_redis")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert load_settings(path).redis.password_file == tmp_path / "$CREDENTIALS_DIRECTORY/secret_redis"


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    """As does one with nothing but remarks."""
    assert load_settings(_written(tmp_path, "# nothing yet\n")).listen == "127.0.0.1:8095"


def test_a_missing_file_says_what_writes_one(tmp_path: Path) -> None:
    """Whoever names a file means it."""
    with pytest.raises(SettingsError, match=r"cannot be read: No such file or directory. `rollbackctl init`"):
        load_settings(tmp_path / "rollback.yaml")


@pytest.mark.parametrize(
    ("listen", "bind", "url"),
    [
        ("127.0.0.1:8095", ("127.0.0.1", 8095), "http://127.0.0.1:8095"),
        ("0.0.0.0:80", ("0.0.0.0", 80), "http://127.0.0.1:80"),
        ("[::]:80", ("::", 80), "http://[::1]:80"),
    ],
)
def test_the_address_tells_where_a_client_finds_the_server(
    tmp_path: Path, listen: str, bind: tuple[str, int], url: str
) -> None:
    """A wildcard is where we listen, and no address to go to."""
    settings = load_settings(_written(tmp_path, f"listen: '{listen}'"))
    assert (settings.bind, settings.server_url) == (bind, url)


def test_secrets_come_from_files_and_are_never_printed(tmp_path: Path) -> None:
    """Neither in the settings' own text nor in that of what was read."""
    (tmp_path / "secret").write_text("  hunter2\n")
    text = (
        "redis: {password-file: secret}\nauth: {tokens: [{name: n, roles: [operate], file: secret}], "
        "basic: [{name: b, username: u, password-file: secret}]}"
    )
    settings = load_settings(_written(tmp_path, text))
    read = (settings.redis.password(), settings.auth.tokens[0].read(), settings.auth.basic[0].read())
    assert [secret and secret.get_secret_value() for secret in read] == ["hunter2"] * 3
    assert "hunter2" not in f"{settings!r} {settings} {read}"
    assert settings.auth.basic[0].roles == {Role.ALERTS}


def _written(folder: Path, text: str) -> Path:
    path = folder / "rollback.yaml"
    path.write_text(text)
    return path
