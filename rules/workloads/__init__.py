"""From an alert about Kubernetes to the workloads a rule means: claims, owners, selection. Pure, over facts."""
