"""How the monitoring is asked and who is told: every mistake at its place, and no secret in any message."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import Channel, SettingsError, channels_for, load_settings
from controller.settings.secrets import SecretUnreadable
from rules.telling import Kind

MISTAKES = [
    ("prometheus: {url: 'prometheus:9090'}", "1:14: `prometheus.url`: must be an address such as"),
    ("prometheus: {url: 'http://a:0'}", "1:14: `prometheus.url`: must be an address such as"),
    ("prometheus: {url: 'http://anna:secret@a'}", "`prometheus.url`: must hold no user name or password"),
    ("prometheus: {url: 'http://a/graph?g0=up'}", "`prometheus.url`: must end with the path"),
    (
        "prometheus: {url: 'http://a', timeout-s: 0}",
        "1:31: `prometheus.timeout-s`: input should be greater than 0",
    ),
    ("prometheus: {url: 'http://a', timeout-s: 60}", "`prometheus.timeout-s`: input should be less than or equal"),
    ("prometheus: {url: 'http://a', username: a}", "`username` and `password-file` belong together"),
    (
        "prometheus: {url: 'http://a', username: a, password-file: b, token-file: c}",
        "has both `token-file` and `username`",
    ),
    ("prometheus: {url: 'http://a', receiver: x}", "1:31: `prometheus.receiver` is not a setting"),
    ("alertmanager: {receiver: x}", "1:1: `alertmanager.url` is needed and not said"),
    ("notify: {on call: {urls-file: x}}", "1:10: `notify.on call`: a channel's name is letters"),
    ("notify: {oncall: {}}", "1:10: `notify.oncall.urls-file` is needed and not said"),
    ("notify: {oncall: {urls: [x]}}", "`notify.oncall.urls` is not a setting; did you mean urls-file?"),
    (
        "notify: {oncall: {urls-file: x, kinds: [paged]}}",
        "1:41: `notify.oncall.kinds.0`: input should be 'asked',",
    ),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """With what is right."""
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)


def test_paths_are_beside_the_file_and_a_name_keeps_its_hyphen(tmp_path: Path) -> None:
    """As everywhere in the settings."""
    text = (
        "prometheus: {url: 'https://p.example/prom/', token-file: t, ca-file: ca.pem}\n"
        "alertmanager: {url: 'http://[::1]:9093', receiver: ours, username: anna, password-file: p}\n"
        "notify: {on-call: {urls-file: secrets/on-call.urls, default: true}}\n"
    )
    settings = load_settings(written(tmp_path, text))
    assert settings.prometheus is not None
    assert settings.alertmanager is not None
    assert settings.prometheus.url == "https://p.example/prom"
    assert (settings.prometheus.token_file, settings.prometheus.ca_file) == (tmp_path / "t", tmp_path / "ca.pem")
    assert settings.alertmanager.password_file == tmp_path / "p"
    assert settings.notify["on-call"].urls_file == tmp_path / "secrets" / "on-call.urls"
    assert settings.notify["on-call"].kinds == frozenset(Kind)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("exec://s3cret", "line 1, begins with exec://, which is not sent to. It may begin with discord, form,"),
        ("# who\n\nfile:///etc/s3cret", "line 3, begins with file://, which is not sent to"),
        ("slack://a/b/c\ns3cret", "line 2, is no Apprise URL"),
        ("slack://", "line 1, is no Apprise URL"),
        ("# nobody", "names no address"),
        ("", "is empty"),
    ],
)
def test_what_is_no_address_is_named_by_its_line_and_not_shown(tmp_path: Path, text: str, problem: str) -> None:
    """It may be a secret that was pasted without its beginning."""
    with pytest.raises(SecretUnreadable) as caught:
        Channel(urls_file=written(tmp_path, text)).urls()
    assert problem in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_addresses_are_read_without_comments(tmp_path: Path) -> None:
    """One on a line; a `#` within one belongs to it. Printing them shows nothing."""
    found = Channel(urls_file=written(tmp_path, "# who\n\n slack://a/b/c/#oncall \nNTFY://topic\n")).urls()
    assert [url.get_secret_value() for url in found] == ["slack://a/b/c/#oncall", "NTFY://topic"]
    assert "oncall" not in str(found)


@pytest.mark.parametrize(
    ("named", "kind", "told"),
    [
        (("b",), "held", ("b",)),
        (("c", "a"), "held", ("a", "c")),
        ((), "held", ("b", "c")),
        (("gone",), "held", ("b", "c")),
        ((), "ended", ("b",)),
        (("c",), "ended", ()),
    ],
)
def test_who_is_told(named: tuple[str, ...], kind: str, told: tuple[str, ...]) -> None:
    """Those that are named and exist, else those that are marked; each for its kinds."""
    file = Path("x")
    channels = {
        "a": Channel(urls_file=file),
        "b": Channel(urls_file=file, default=True),
        "c": Channel(urls_file=file, default=True, kinds=frozenset({Kind.HELD})),
    }
    assert channels_for(channels, named, kind) == told


def test_the_first_is_told_where_none_is_marked() -> None:
    """Somebody must hear of it; without any channel nobody does."""
    channels = {name: Channel(urls_file=Path(name)) for name in ("z", "a")}
    assert channels_for(channels, (), "held") == ("z",)
    assert channels_for({}, (), "held") == ()


def written(folder: Path, text: str) -> Path:
    path = folder / "rollback.yaml"
    path.write_text(text)
    return path
