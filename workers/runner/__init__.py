"""The runner: takes one rollback one stretch further, under its lease, from whatever its journal says."""
