"""One table says what we must be allowed; the page, the Role and the messages are all written from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from workers.kubernetes.rights import PAUSING, RIGHTS, right_for, rules_of_role, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "kubernetes-rights.md"


def test_the_page_holds_the_table() -> None:
    """Copy what this prints into the page when it fails."""
    assert table() in PAGE.read_text()
    assert table(PAUSING) in PAGE.read_text()


def test_the_page_holds_a_role_that_grants_exactly_this() -> None:
    """Ready to be pasted: every object of it can be read, and its rules are ours."""
    (pasted,) = re.findall(r"```yaml\n(apiVersion.*?)```", PAGE.read_text(), re.DOTALL)
    assert rules_of_role() in pasted
    objects = list(YAML(typ="safe").load_all(pasted))
    namespace, account, role, binding = objects
    kinds = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"]
    assert [one["kind"] for one in objects] == kinds
    assert account["metadata"]["namespace"] == namespace["metadata"]["name"]
    assert role["rules"] == [
        {"apiGroups": [right.group], "resources": [*right.resources], "verbs": [*right.verbs]} for right in RIGHTS
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert {"kind": "ServiceAccount", **account["metadata"]} == subject


def test_the_page_binds_the_same_role_in_some_namespaces_only() -> None:
    """The binding differs in its namespace alone."""
    (pasted,) = re.findall(r"```yaml\n(apiVersion.*?)```", PAGE.read_text(), re.DOTALL)
    (here,) = re.findall(
        r"```yaml\n# in `shop`, and the same in each other\n(.*?)```", PAGE.read_text(), re.DOTALL
    )
    *_, everywhere = YAML(typ="safe").load_all(pasted)
    binding = YAML(typ="safe").load(here)
    assert (binding["kind"], binding["metadata"]["namespace"]) == ("RoleBinding", "shop")
    assert (binding["roleRef"], binding["subjects"]) == (everywhere["roleRef"], everywhere["subjects"])


def test_the_page_holds_a_role_for_pausing_apart() -> None:
    """Whoever pauses nobody gives none of it: it is not in the Role that everybody pastes."""
    (pasted,) = re.findall(r"```yaml\n# only for `gitops: pause`\n(.*?)```", PAGE.read_text(), re.DOTALL)
    role, binding = YAML(typ="safe").load_all(pasted)
    assert role["rules"] == [
        {"apiGroups": [right.group], "resources": [*right.resources], "verbs": [*right.verbs]} for right in PAUSING
    ]
    assert rules_of_role(PAUSING) in pasted
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert {right.group for right in PAUSING}.isdisjoint(right.group for right in RIGHTS)


def test_we_ask_for_nothing_that_leads_further() -> None:
    """No wildcard, no secret, nothing that starts a program or grants rights."""
    for right in (*RIGHTS, *PAUSING):
        assert not {"*", "watch", "deletecollection", "bind", "escalate", "impersonate"} & {*right.verbs}
        assert not {"*", "secrets", "pods/exec", "serviceaccounts/token", "roles"} & {*right.resources}


@pytest.mark.parametrize(
    ("verb", "group", "resource", "line"),
    [
        ("delete", "", "pods", '- {apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "delete"]}'),
        ("get", "", "pods/log", '- {apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}'),
        ("get", "new.io", "things", '- {apiGroups: ["new.io"], resources: ["things"], verbs: ["get"]}'),
    ],
)
def test_every_call_has_the_line_that_grants_it(verb: str, group: str, resource: str, line: str) -> None:
    """Also one that the table does not know: it is the line that is missing there."""
    assert right_for(verb, group, resource).line == line
