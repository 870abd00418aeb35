"""What the monitoring knows: Prometheus and Alertmanager, asked over their HTTP APIs."""

from workers.monitoring.alertmanager import Alertmanager, Firing
from workers.monitoring.prometheus import Prometheus

__all__ = ["Alertmanager", "Firing", "Prometheus"]
