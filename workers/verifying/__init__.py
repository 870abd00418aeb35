"""After a change: everything its outcome is judged by, from the ledger, Alertmanager and Prometheus."""

from workers.verifying.verifying import Verifying

__all__ = ["Verifying"]
