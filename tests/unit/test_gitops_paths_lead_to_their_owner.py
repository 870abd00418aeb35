"""Where an owner is to be found is noted in Redis; what leads anywhere else is not asked for."""

from __future__ import annotations

import pytest

from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes.gitops.finding import path_of

FLUX = "/apis/kustomize.toolkit.fluxcd.io"
OWNER = {"kind": "Kustomization", "namespace": "flux", "name": "shop"}


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_each_version_that_we_know_leads_there(version: str) -> None:
    """It was noted by a worker of ours, maybe before the cluster was upgraded."""
    path = f"{FLUX}/{version}/namespaces/flux/kustomizations/shop"
    assert path_of({**OWNER, "path": path}) == path


@pytest.mark.parametrize(
    ("noted", "path"),
    [
        ({}, "/api/v1/namespaces/flux/secrets/shop"),
        ({}, f"{FLUX}/v1/namespaces/flux/kustomizations/shop/status"),
        ({}, f"{FLUX}/v1/namespaces/flux/kustomizations/shop?dryRun=All"),
        ({}, f"{FLUX}/v1/namespaces/flux/kustomizations/other"),
        ({}, f"{FLUX}/v9/namespaces/flux/kustomizations/shop"),
        ({"kind": "Secret"}, "/api/v1/namespaces/flux/secrets/shop"),
        ({"name": "../x"}, f"{FLUX}/v1/namespaces/flux/kustomizations/../x"),
    ],
)
def test_what_leads_elsewhere_is_refused(noted: dict[str, str], path: str) -> None:
    """Another object, another kind, a subresource, a query: nothing is asked of the cluster."""
    with pytest.raises(Permanent) as refusal:
        path_of({**OWNER, **noted, "path": path})
    assert refusal.value.reason in (Reason.RECORD_UNREADABLE, Reason.LABEL_ILLEGAL)
