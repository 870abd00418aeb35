"""From an alert to the instances a rule means: hosts by the inventory, workloads by what their cluster says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rules.alerts import Alert
from rules.decisions import Decision, Outcome, Reason
from rules.inventory import Inventory
from rules.rule import Rule
from rules.targets import Found, find_instances

NO_CLUSTER = "the settings name no cluster: add it under `clusters:`, with its kubeconfig"


class Finder(Protocol):
    """Finds instances for one job, and remembers for as long what it has seen."""

    def find(self, rule: Rule, alert: Alert, siblings: Sequence[Alert]) -> Found:
        """Return the instances that the alert is about and the rule selects, or the decision that says why none.

        `siblings` are the other alerts of the notification. Raises `Transient` where it cannot be seen now.
        """

    def close(self) -> None:
        """Let go of connections."""


class Finding:
    """Asks whichever finder the rule's target needs; `kubernetes` is built when it is first asked."""

    def __init__(self, inventory: Inventory, kubernetes: Finder) -> None:
        self._inventory = inventory
        self._kubernetes = kubernetes

    def find(self, rule: Rule, alert: Alert, siblings: Sequence[Alert]) -> Found:
        """Find by the rule's kind of target."""
        if rule.target.kubernetes is not None:
            return self._kubernetes.find(rule, alert, siblings)
        return find_instances(rule, alert, self._inventory)

    def close(self) -> None:
        """Let go of connections."""
        self._kubernetes.close()


class NoClusters:
    """Where no cluster is configured, no workload can be found."""

    def find(self, rule: Rule, alert: Alert, siblings: Sequence[Alert]) -> Found:
        """Say what is missing."""
        del rule, alert, siblings
        return (), Decision(Outcome.HOLD, Reason.CLUSTER_UNKNOWN, NO_CLUSTER)

    def close(self) -> None:
        """Nothing is open."""
