"""`rollbackctl`: one file per command, imported when it is asked for."""
