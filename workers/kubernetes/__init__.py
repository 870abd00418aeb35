"""Workloads on Kubernetes: Deployments, StatefulSets and DaemonSets, each taken back by its own history."""
