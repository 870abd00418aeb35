"""How matchers are read and applied: two grammars, Go's regular expressions, and the index over rules."""
