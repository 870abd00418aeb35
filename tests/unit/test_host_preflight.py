"""What stands in the way of a plan is said before the first change, with what to do about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.decisions import Reason
from rules.errors import Permanent
from rules.inventory import Health, Host, Restart, RestartKind, Service
from rules.observations import Observation, ReleaseSeen
from workers.hosts import preflight
from workers.hosts.plan import Params, make_plan
from workers.hosts.reports import Unit

HOST = Host("web1", "10.0.0.1")
SHOP = Service(
    name="shop",
    releases="/opt/shop/releases",
    current="/opt/shop/current",
    restart=Restart(RestartKind.SYSTEMD, unit="shop.service"),
    hosts=(HOST,),
    executable="bin/shop",
    complete=".deployed",
    health=Health(url="http://{address}/"),
)
UNIT = Unit(
    {"LoadState": "loaded", "ActiveState": "active", "MainPID": "7"}, arguments=("/opt/shop/current/bin/shop",)
)
DETAILS = {"link": {"target": "releases/v1.3.0", "id": "5:6.7"}, "unit": UNIT.facts(), "disk_free_bytes": 1 << 30}
GOOD = ReleaseSeen("v1.2.0", (1,))


def refusal(
    *, to: str = "v1.2.0", release: ReleaseSeen = GOOD, service: Service = SHOP, **details: object
) -> tuple[Reason, str] | None:
    """Return what preflight says of a host of which something is wrong, None if it has nothing to say."""
    seen = Observation(
        "v1.3.0", "releases/v1.3.0@5:6.7", 0, (release, ReleaseSeen("v1.3.0", (2,))), None, DETAILS | details
    )
    plan = make_plan("hosts/default/shop/web1", service, HOST, Params(), seen, to)
    try:
        preflight.check(plan, service, seen)
    except Permanent as refused:
        return refused.reason, str(refused)
    return None


def unit(**properties: str) -> dict[str, object]:
    return Unit({**UNIT.properties, **properties}, arguments=UNIT.arguments).facts()


def test_a_host_on_which_all_is_well() -> None:
    """Nothing to say."""
    assert refusal() is None


@pytest.mark.parametrize(
    ("wrong", "reason", "says"),
    [
        ({"to": "v1.3.0"}, Reason.RELEASE_CURRENT, "runs already"),
        ({"to": "v9"}, Reason.RELEASE_MISSING, "name one of v1.2.0, v1.3.0"),
        ({"to": "../v1.2.0"}, Reason.RELEASE_NOT_ALLOWED, "correct the name"),
        ({"release": replace(GOOD, allowed=False)}, Reason.RELEASE_NOT_ALLOWED, "not on the whitelist"),
        ({"release": replace(GOOD, complete=False)}, Reason.RELEASE_INCOMPLETE, "lacks .deployed"),
        ({"release": replace(GOOD, executable=False)}, Reason.RELEASE_NOT_EXECUTABLE, "bin/shop of v1.2.0"),
        ({"tools_missing": ["flock"]}, Reason.TARGET_MISCONFIGURED, "lacks flock: install"),
        ({"read_only": ["/opt/shop"]}, Reason.RIGHTS_MISSING, "let the deploying user write"),
        ({"disk_free_bytes": 4096}, Reason.DISK_FULL, "only 4096 bytes"),
        ({"inodes_free": 3}, Reason.DISK_FULL, "only 3 inodes"),
        ({"unit": None}, Reason.TARGET_MISCONFIGURED, "is systemd running"),
        ({"unit": unit(LoadState="not-found")}, Reason.TARGET_MISCONFIGURED, "shop.service is not-found"),
        ({"unit": Unit(UNIT.properties).facts()}, Reason.TARGET_MISCONFIGURED, "ExecStart= or WorkingDirectory="),
        (
            {"service": replace(SHOP, health=None, restart=Restart(RestartKind.MARKER, path="/x")), "unit": None},
            Reason.TARGET_MISCONFIGURED,
            "give it `health: {url: …}`",
        ),
    ],
)
def test_what_is_wrong_is_said(wrong: dict[str, object], reason: Reason, says: str) -> None:
    """One reason each, and the next action."""
    refused = refusal(**wrong)
    assert refused is not None
    assert refused[0] is reason
    assert says in refused[1]


@pytest.mark.parametrize(
    "details",
    [
        {"unit": unit(ActiveState="failed", MainPID="0")},
        {"unit": Unit({**UNIT.properties, "WorkingDirectory": "/opt/shop/current"}).facts()},
        {"unit": Unit(UNIT.properties, cwd="/opt/shop/releases/v1.1.0").facts()},
    ],
)
def test_what_is_no_obstacle(details: dict[str, object]) -> None:
    """A unit that lies dead, a process that says little, one that still runs an older release."""
    assert refusal(**details) is None


def test_sudo_names_what_it_must_allow() -> None:
    """The very lines for the sudoers file."""
    with pytest.raises(Permanent, match=r"systemctl restart shop\.service") as refused:
        preflight.check_sudo({"systemctl restart shop.service"})
    assert refused.value.reason is Reason.RIGHTS_MISSING
    preflight.check_sudo(set())
