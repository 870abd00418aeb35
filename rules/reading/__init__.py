"""How the files of rules and hosts are read: YAML with positions, models, and every mistake at its place."""
