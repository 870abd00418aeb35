"""`rollbackctl demo`: the whole path with real parts, on this machine, for half a minute at most."""
