"""Pausing whoever keeps a workload as Git wants it, and letting them go on: Argo CD and Flux."""
