"""Feeds everything that strangers or typing mistakes can reach with odd input; `make fuzz` runs it."""
