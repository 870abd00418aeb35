"""An inventory is read into services and hosts; what would reach another machine is checked first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.inventory import Health, Host, Restart, RestartKind, Ssh, Stop, parse_inventory
from rules.rulefile import RuleFileErrors
from rules.services import Service

FULL = """\
version: inventory/v1
name: fra
ssh: {user: deploy, key-file: /etc/rc/id, known-hosts: /etc/rc/known, port: 2222}
services:
  shop:
    releases: /opt/shop/releases/
    current: /opt/shop/current
    pattern: "v[0-9.]+"
    whitelist: ["v1.*"]
    executable: bin/shop
    complete: .complete
    order: version
    restart: {systemd: shop.service}
    stop: {drain: [shopctl, drain], undrain: [shopctl, undrain], within: 10m}
    health: {url: "http://{address}:8080/healthz", within: 20s}
    version: {url: "http://{address}:8080/version", metric: shop_build_info}
    hosts:
      - {name: web1, address: 10.90.0.2, labels: {track: stable}}
      - name: web2
        address: 2001:db8::3
        port: 22
        instance: shop.example:8080
        labels: {track: canary}
        current: /srv/current
        restart: {reload: shop@2.service}
        health: {systemd: active, for: 60s}
"""

SHORT = """\
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {systemd: shop.service}
    hosts: [{name: web1}]
"""


def shop(text: str) -> Service:
    return parse_inventory(text, "i.yaml").services["shop"]


def mistakes(text: str) -> list[str]:
    with pytest.raises(RuleFileErrors) as caught:
        parse_inventory(text, "i.yaml")
    return [f"{error.line}:{error.column}: {error.message}" for error in caught.value.errors]


def test_every_field_is_read():
    """What is written is what the inventory holds."""
    inventory = parse_inventory(FULL, "i.yaml")
    assert (inventory.name, inventory.local) == ("fra", False)
    assert inventory.ssh == Ssh("deploy", "/etc/rc/id", "/etc/rc/known", 2222)
    service = inventory.services["shop"]
    assert service == Service(
        name="shop",
        releases="/opt/shop/releases",
        current="/opt/shop/current",
        restart=Restart(RestartKind.SYSTEMD, unit="shop.service"),
        hosts=(
            Host("web1", "10.90.0.2", {"track": "stable"}),
            Host(
                "web2",
                "2001:db8::3",
                {"track": "canary"},
                "shop.example:8080",
                22,
                current="/srv/current",
                restart=Restart(RestartKind.RELOAD, unit="shop@2.service"),
                health=Health(systemd=True, for_s=60),
            ),
        ),
        pattern="v[0-9.]+",
        whitelist=("v1.*",),
        executable="bin/shop",
        complete=".complete",
        order="version",
        stop=Stop(("shopctl", "drain"), ("shopctl", "undrain"), 600),
        health=Health(url="http://{address}:8080/healthz", within_s=20),
        version_url="http://{address}:8080/version",
        version_metric="shop_build_info",
    )
    assert service.at(service.hosts[1]).current == "/srv/current"


def test_what_is_left_out_has_a_default():
    """A short inventory for this machine."""
    inventory = parse_inventory(SHORT, "i.yaml")
    assert (inventory.name, inventory.local, inventory.ssh) == ("default", True, None)
    service = inventory.services["shop"]
    assert service.hosts == (Host("web1", "127.0.0.1"),)
    assert (service.pattern, service.whitelist, service.health, service.stop, service.order) == (
        *(None, None, None, None),
        "auto",
    )


RESTARTS = {
    "{systemd: a.service}": Restart(RestartKind.SYSTEMD, unit="a.service"),
    "{reload: a.service}": Restart(RestartKind.RELOAD, unit="a.service"),
    "{signal: HUP, unit: a.service}": Restart(RestartKind.SIGNAL, unit="a.service", signal="HUP"),
    "{signal: USR2, pid-file: /run/a.pid}": Restart(RestartKind.SIGNAL, signal="USR2", path="/run/a.pid"),
    "{marker: /run/a/restart}": Restart(RestartKind.MARKER, path="/run/a/restart"),
    '{command: [ctl, "re start"]}': Restart(RestartKind.COMMAND, argv=("ctl", "re start")),
}


@pytest.mark.parametrize(("written", "meant"), RESTARTS.items(), ids=RESTARTS)
def test_each_way_to_restart(written, meant):
    """One mapping for each."""
    assert shop(SHORT.replace("{systemd: shop.service}", written)).restart == meant


WRONG = {
    "two ways": ("{systemd: shop.service}", "{systemd: a.service, marker: /x}", "7:14: name exactly one of"),
    "no way": ("{systemd: shop.service}", "{}", "7:14: name exactly one of"),
    "a unit without its kind": ("shop.service", "shop", "7:24: `shop` lacks its kind; write shop.service"),
    "an option for a unit": ("shop.service", "-H.service", "7:24: `-H.service` is not the name"),
    "a signal for nobody": ("{systemd: shop.service}", "{signal: HUP}", "7:14: `signal` needs to know whom"),
    "a signal's long name": ("{systemd: shop.service}", "{signal: SIGHUP, unit: a.service}", "write HUP"),
    "a signal that kills": (
        "{systemd: shop.service}",
        "{signal: KILL, unit: a.service}",
        "`KILL` is not known here",
    ),
    "a unit without a signal": ("{systemd: shop.service}", "{marker: /x, unit: a.service}", "belong to `signal`"),
    "a command as text": (
        "{systemd: shop.service}",
        "{command: ctl restart}",
        "7:24: a command is a list of words",
    ),
    "a command that is an option": (
        "{systemd: shop.service}",
        "{command: [-x]}",
        "the first word must be the command",
    ),
    "a line break in a command": (
        "{systemd: shop.service}",
        '{command: [a, "b\\n"]}',
        "cannot hold NUL or line breaks",
    ),
    "a relative path": ("/opt/shop/current", "current", "6:14: `current` is not an absolute path"),
    "a path that goes up": ("/opt/shop/current", "/opt/../current", "6:14: `/opt/../current` goes up"),
    "NUL in a path": ("/opt/shop/current", '"/a\\0b"', "6:14: a path cannot hold control characters"),
    "a line break in a path": ("/opt/shop/current", '"/a\\nb"', "6:14: a path cannot hold control characters"),
    "the root": ("/opt/shop/releases", "/", "5:15: `/` holds an empty part"),
    "the link among the releases": (
        "shop/current",
        "shop/releases/current",
        "5:5: `current` lies inside `releases`",
    ),
    "no hosts": ("[{name: web1}]", "[]", "8:12: this must not be empty"),
    "a slash in a host": ("web1", "a/b", "8:20: `a/b` cannot be a name"),
    "a slash in a service": ("  shop:", '  "a/b":', "4:3: `a/b` cannot be a name"),
    "a host twice": (
        "[{name: web1}]",
        "[{name: a, address: b}, {name: a, address: c}]",
        "8:43: `a` names another host",
    ),
    "an instance twice": (
        "[{name: web1}]",
        '[{name: a, address: b, instance: "x:1"}, {name: c, address: d, instance: "x:1"}]',
        "`x:1` names another host of shop",
    ),
    "a link twice": (
        "[{name: web1}]",
        "[{name: a}, {name: b}]",
        "8:24: /opt/shop/current on 127.0.0.1 is switched",
    ),
    "an address with a port": ("web1}", 'web1, address: "10.0.0.1:22"}', "`10.0.0.1:22` holds a port"),
    "an IPv6 address with a port": ("web1}", 'web1, address: "[::1]:22"}', "`[::1]:22` holds a port"),
    "an address in brackets": ("web1}", 'web1, address: "[::1]"}', "write the address without them"),
    "no address": (
        "web1}",
        "web1, address: 10.0.0.256}",
        "`10.0.0.256` is no IPv4 or IPv6 address and no DNS name",
    ),
    "an option for an address": (
        "web1}",
        "web1, address: -oProxyCommand=x}",
        "is no IPv4 or IPv6 address and no DNS",
    ),
    "a port out of range": ("web1}", "web1, port: 65536}", "8:32: this must be at most 65535"),
    "a label that is a number": (
        "web1}",
        "web1, labels: {track: 1}}",
        "8:42: 1 is a number, not text; write it in",
    ),
    "both ways to reach hosts": (
        "connection: local",
        "connection: local\nssh: {user: a, key-file: /a, known-hosts: /b}",
        "exclude each other",
    ),
    "no way to reach hosts": ("connection: local\n", "", "1:1: add `ssh:` to say how hosts are reached"),
    "another connection": ("local", "docker", "2:13: `docker` is not known here; write local"),
    "a user that is an option": (
        "connection: local",
        "ssh: {user: -x, key-file: /a, known-hosts: /b}",
        "2:13: `-x` cannot be",
    ),
    "a URL with another placeholder": (
        "    hosts",
        '    health: {url: "http://{host}/"}\n    hosts',
        "only {address} is put into a URL",
    ),
    "no URL": ("    hosts", "    health: {url: healthz}\n    hosts", "8:19: `healthz` is not a URL"),
    "a URL of a file": ("    hosts", "    health: {url: file:///etc/passwd}\n    hosts", "is not a URL"),
    "no health in health": ("    hosts", "    health: {within: 5s}\n    hosts", "say what healthy means"),
    "for without systemd": (
        "    hosts",
        '    health: {url: "http://a/", for: 5s}\n    hosts',
        "`for` goes with `systemd",
    ),
    "health of no unit": (
        "{systemd: shop.service}",
        "{marker: /x}\n    health: {systemd: active}",
        "`restart` names none",
    ),
    "a pattern that is none": ("    hosts", '    pattern: "v("\n    hosts', "8:14: not a regular expression"),
    "a pattern Go does not know": (
        "    hosts",
        '    pattern: "(?=x)"\n    hosts',
        "8:14: not a regular expression",
    ),
    "a whitelist of nothing": ("    hosts", "    whitelist: []\n    hosts", "8:16: this must not be empty"),
    "a file outside the release": ("    hosts", "    executable: ../x\n    hosts", "8:17: `../x` goes up"),
    "an absolute file": (
        "    hosts",
        "    complete: /x\n    hosts",
        "8:15: `/x` must be a path inside the release",
    ),
    "an unknown order": (
        "    hosts",
        "    order: tiem\n    hosts",
        "8:12: `tiem` is not known here; did you mean `time`?",
    ),
    "a version without a place": (
        "    hosts",
        "    version: {}\n    hosts",
        "say where the version is found; add `url:` or `metric:`",
    ),
    "a version in no metric": (
        "    hosts",
        "    version: {metric: 'up{}'}\n    hosts",
        "`up{}` is no name of a metric",
    ),
    "a version from nowhere": (
        "    hosts",
        '    version: {url: "ftp://a/"}\n    hosts',
        "is not a URL; write one like http://",
    ),
    "a rule file": ("inventory/v1", "rules/v1", "1:10: `rules/v1` is not known here; write inventory/v1"),
    "an unknown key": (
        "    hosts",
        "    healht: {}\n    hosts",
        "8:5: `healht` is not known here; did you mean `health`?",
    ),
}


@pytest.mark.parametrize(("old", "new", "wanted"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_where_it_is(old, new, wanted):
    """Each at its place, with what to write instead."""
    assert old in SHORT
    found = mistakes(SHORT.replace(old, new, 1))
    assert any(wanted in message for message in found), found


def test_a_host_is_checked_with_what_it_says_otherwise():
    """A host's own paths must fit the service's."""
    (found,) = mistakes(SHORT.replace("{name: web1}", "{name: web1, current: /opt/shop/releases/now}"))
    assert found.startswith("8:13: `current` lies inside `releases`")


@pytest.mark.parametrize(
    "address", ["10.90.0.2", "::1", "2001:db8::1", "web1", "web-1.example.com", "a_b.internal"]
)
def test_addresses_that_are_fine(address):
    """IPv4, IPv6 and DNS names."""
    assert shop(SHORT.replace("web1}", f'web1, address: "{address}"}}')).hosts[0].address == address


SAFE = ("v1.3.0", "2024-05-20", "a", "1", "v1+build.5", "x" * 255)
UNSAFE = ("", ".", "..", ".hidden", "-rf", "a/b", "/a", "a\n", "a\0", "a b", "é", "x" * 256, "v1\u2028", "$(x)")


def test_what_a_release_may_be_called():
    """Without a pattern: letters, digits, dot, underscore, plus and minus."""
    service = shop(SHORT)
    assert [name for name in SAFE if not service.admits(name)] == []
    assert [name for name in UNSAFE if service.admits(name)] == []


@given(st.text(max_size=20))
def test_no_pattern_admits_a_name_that_is_unsafe_in_a_path(name):
    """Not even a pattern that matches everything."""
    service = shop(SHORT.replace("    hosts", '    pattern: "(?s).*"\n    hosts'))
    if service.admits(name):
        assert name
        assert "/" not in name
        assert name[0] not in "-."
        assert name.isprintable()


def test_a_pattern_matches_the_whole_name():
    """Like every regular expression here."""
    service = shop(FULL)
    assert service.admits("v1.2")
    assert not service.admits("xv1.2")
    assert not service.admits("v1.2x")


def test_a_whitelist_is_of_shell_globs():
    """Without one, each release may be chosen."""
    assert shop(FULL).whitelisted("v1.2")
    assert not shop(FULL).whitelisted("v2.0")
    assert shop(SHORT).whitelisted("anything")
