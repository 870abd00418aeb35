"""Decides and remembers: the web face, the ledger, the settings and the command line."""
