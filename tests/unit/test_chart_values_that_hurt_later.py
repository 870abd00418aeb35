"""Values that install well and fail on another day are refused at once: a drain, a full Valkey, a leak."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.chart_shapes import MINIMAL
from testbed.helm_engine import refusal

from controller.settings import Numbers

REDIS: dict[str, Any] = {"valkey": {"enabled": False}}
GRACE = Numbers().termination_grace_s
UNREADY = Numbers().unready_s


def _redis(**said: Any) -> dict[str, Any]:
    return {**REDIS, "redis": said}


def _pdb(role: str, least: Any, away: Any, **said: Any) -> dict[str, Any]:
    return {role: {"pdb": {"minAvailable": least, "maxUnavailable": away}, **said}}


def _service(**said: Any) -> dict[str, Any]:
    return {"receiver": {"service": said}}


HPA = {"autoscaling": {"hpa": {"enabled": True, "minReplicas": 3}}}
REFUSED = {
    "nobody may go": (_pdb("receiver", 2, ""), "receiver.pdb lets none of 2 pods go"),
    "the only one may not go": (_pdb("worker", 1, None, replicas=1), "worker.pdb lets none of 1 pods go"),
    "none may be away": (_pdb("worker", "", 0), "worker.pdb lets none of 2 pods go"),
    "all must stay": (_pdb("worker", "100%", None), "set minAvailable to less than that"),
    "none of the fewest may go": (_pdb("worker", 3, "", **HPA), "worker.pdb lets none of 3 pods go"),
    "killed before they give up": (
        {"worker": {"terminationGracePeriodSeconds": int(GRACE)}},
        "set worker.terminationGracePeriodSeconds to more than numbers.termination-grace-s, to 100 or so",
    ),
    "killed before senders went elsewhere": (
        {"receiver": {"terminationGracePeriodSeconds": int(UNREADY)}},
        "set receiver.terminationGracePeriodSeconds to more than numbers.unready-s, to 13 or so",
    ),
    "killed before senders went elsewhere, in other numbers": (
        {"numbers": {"unready_s": 45}},
        "set receiver.terminationGracePeriodSeconds to more than numbers.unready_s, to 55 or so",
    ),
    "killed before it is full": (
        {"valkey": {"enabled": True, "maxmemory": "400mb"}},
        "with a limit of 768Mi for 400mb of data",
    ),
    "killed whatever it holds": ({"valkey": {"enabled": True, "maxmemory": "0"}}, "for any amount of data"),
    "a password in the address's question": (
        _redis(url="redis://r/0?password=hunter2"),
        "redis.url holds a login",
    ),
    "a password in Prometheus' address": (
        {"prometheus": {"url": "http://us:hunter2@prometheus:9090"}},
        "prometheus.url holds a login: take it out, set prometheus.username",
    ),
    "a Secret that nothing is taken of": (
        {"alertmanager": {"url": "http://a", "existingSecret": "login"}},
        "alertmanager.existingSecret is set and no key of it",
    ),
    "a Secret for TLS that nothing is taken of": (
        _redis(url="rediss://r/0", tls={"existingSecret": "tls", "caKey": ""}),
        "redis.tls.existingSecret is set and no key of it",
    ),
    "an autoscaler that nobody answers": (
        {
            "prometheus": {"url": "https://p", "existingSecret": "monitoring", "tokenKey": "token"},
            "worker": {"autoscaling": {"keda": {"enabled": True}}},
        },
        "set worker.autoscaling.keda.authenticationRef",
    ),
    "an autoscaler that keeps its login to itself": (
        {
            "prometheus": {"url": "https://p"},
            "worker": {"autoscaling": {"keda": {"enabled": True, "authenticationRef": "login"}}},
        },
        "set worker.autoscaling.keda.authModes",
    ),
    "an address that is none": (_service(headless=True, type="LoadBalancer"), "cannot be a LoadBalancer"),
    "a port that is nobody's": (_service(headless=True, port=80), "set receiver.service.port to"),
    "a node's port for one cluster": (_service(nodePort=30095), "set receiver.service.type=NodePort"),
    "sources of no load balancer": (
        _service(loadBalancerSourceRanges=["192.0.2.0/24"]),
        "set receiver.service.type=LoadBalancer",
    ),
    "an address that nobody listens on": (
        _service(ipFamilyPolicy="RequireDualStack"),
        "set receiver.listenAddress to [::]",
    ),
}
TAKEN = {
    "one may be away": _pdb("receiver", None, "50%"),
    "one of two must stay": _pdb("receiver", 1, None),
    "half must stay": _pdb("worker", "50%", ""),
    "nobody is there": _pdb("worker", 1, "", replicas=0),
    "no limit": {"valkey": {"enabled": True, "maxmemory": "4gb", "resources": {"limits": {"memory": None}}}},
    "twice": {"valkey": {"enabled": True, "maxmemory": "1gb", "resources": {"limits": {"memory": "2Gi"}}}},
    "not unready at all": {"numbers": {"unready-s": 0}, "receiver": {"terminationGracePeriodSeconds": 1}},
    "both families": {"receiver": {"listenAddress": "[::]", "service": {"ipFamilyPolicy": "RequireDualStack"}}},
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_would_fail_later_is_told_now(said: str) -> None:
    """With what to set, and no other sentence."""
    values, sentence = REFUSED[said]
    told = refusal({**MINIMAL, **values})
    assert sentence in told
    assert told.count("\n  - ") == 1


@pytest.mark.parametrize("said", TAKEN)
def test_what_is_well_is_taken(said: str) -> None:
    """The refusals above go no further than they must."""
    assert refusal({**MINIMAL, **TAKEN[said]}) == ""


def test_no_refusal_repeats_a_password() -> None:
    """It ends in the log of whatever deploys."""
    for values, _ in REFUSED.values():
        assert "hunter2" not in refusal({**MINIMAL, **values})
