# The two commands a newcomer needs are `make demo` and `make test`. Everything lives in .venv; nothing is
# installed elsewhere, except that `make test` as root on Debian installs the real parts the tests meet.

SHELL       := /bin/sh
.SUFFIXES:
.DEFAULT_GOAL := help

PYTHON      ?= python3
VENV        := .venv
BIN         := $(VENV)/bin
RUNTIME     := $(VENV)/.installed-runtime
DEV         := $(VENV)/.installed-dev
PYTEST_ARGS ?=

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(RUNTIME) ## Install into .venv and show the main job, start to end, on this machine
	@$(BIN)/rollbackctl demo

# Tests mostly wait for real parts, so more of them run side by side than there are cores; TEST_JOBS=0: one at a time.
TEST_JOBS ?= 3
.PHONY: test
test: $(DEV) ## Run all tests; as root on Debian, install and start the real parts they need
	@PYTHONPATH=tests $(BIN)/python -m testbed.prepare
	@$(BIN)/python -m pytest --numprocesses $(TEST_JOBS) --dist loadgroup $(PYTEST_ARGS)

.PHONY: lint
lint: $(DEV) ## Check style, types and the arrows between the rooms of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(DEV) ## Put every file into the house's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(DEV) ## Measure, side by side with Debian's webhook; writes bench/README.md
	@PYTHONPATH=tests $(BIN)/python -m bench

# SEEDS=1000 for more, SEED=n to replay one and keep what it wrote, JOBS=n side by side, JSON=FILE for the figures.
SEEDS ?= 20
.PHONY: chaos
chaos: $(DEV) ## Kill, stop and disturb real processes by seeds, and check what must hold; SEEDS, SEED, JOBS, JSON
	@PYTHONPATH=tests $(BIN)/python -m chaos --seeds $(SEEDS) $(if $(SEED),--seed $(SEED)) \
	    $(if $(JOBS),--jobs $(JOBS)) $(if $(JSON),--json $(JSON))

# TARGET=name for one of them, SEED=n for the same cases again, REPLAY=… for the one that a crash was told with.
CASES ?= 100000
.PHONY: fuzz
fuzz: $(DEV) ## Feed odd input to the receiver, the API and every file loader; CASES, TARGET, SEED, REPLAY, JOBS
	@PYTHONPATH=tests $(BIN)/python -m fuzz --cases $(CASES) $(if $(TARGET),--target $(TARGET)) \
	    $(if $(SEED),--seed $(SEED)) $(if $(REPLAY),--replay $(REPLAY)) $(if $(JOBS),--jobs $(JOBS))

ROUNDS ?= 10
.PHONY: durability
durability: $(DEV) ## Kill Redis under load in each way to set it up, and count what is lost; ROUNDS
	@PYTHONPATH=tests $(BIN)/python -m chaos.durability --rounds $(ROUNDS)

.PHONY: chart
chart: $(DEV) ## Write the chart's rights, the table of its README, and the schema of its policy and numbers
	@PYTHONPATH=tests $(BIN)/python -m testbed.chart_files

.PHONY: schema
schema: $(DEV) ## Write the JSON Schema of the rule file from its models
	$(BIN)/python -m rules.schema

# The lock is resolved for every platform and every supported Python at once, and names no index: pip takes
# the packages from wherever its own configuration says, and the hashes say whether they are the right ones.
LOCK_VENV := build/lock-venv
LOCK      := $(LOCK_VENV)/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --group build \
             --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
             --quiet $(LOCK_ARGS)
.PHONY: lock
lock: ## Resolve the requirements again; LOCK_ARGS=--upgrade takes newer versions
	@test -x $(LOCK_VENV)/bin/uv || { $(PYTHON) -m venv $(LOCK_VENV) && $(LOCK_VENV)/bin/pip install -q uv; }
	$(LOCK) --output-file requirements.txt
	$(LOCK) --group dev --constraint requirements.txt --output-file requirements-dev.txt
	@if grep -nE '://|^-' requirements.txt requirements-dev.txt; then \
	    echo 'make lock: an address or an option landed in the lock; remove it from the configuration of uv' >&2; exit 1; fi

.PHONY: clean
clean: ## Remove .venv and everything built or cached in this folder
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(RUNTIME): requirements.txt pyproject.toml | $(BIN)/python
	@echo 'Installing into $(VENV) …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@echo 'Installing the tools for development into $(VENV) …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'This needs Python 3.11 or newer; $(PYTHON) is' "$$($(PYTHON) --version 2>&1)." \
	         'Say which one to use: make PYTHON=/path/to/python3.11 …' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo 'No virtual environment can be made with $(PYTHON); on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
