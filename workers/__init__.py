"""Acts: the runner, the drivers, the reconciler. Sees of the controller only the ledger, settings and logs."""
