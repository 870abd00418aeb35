"""The guards: pure functions over facts, each of which may keep a rule from acting, and says why."""
