"""Faults by a seed around the product's real processes, and what must hold all the same, checked from outside."""
