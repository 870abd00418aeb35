"""The protocol as an executable model: the real scripts of the ledger, in a world that is out for trouble."""
