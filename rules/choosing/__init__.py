"""How the release to go back to is found: the facts about each release, and every reason to drop one."""
