"""`python -m controller.cli`: the command line without its script, for processes that start one another."""

from controller.cli.main import main

main()
