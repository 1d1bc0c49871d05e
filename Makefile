# Every target makes what it needs. `make` alone says what there is.

.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Options for the command behind a target: make demo ARGS="--headless --seconds 30"
ARGS ?=
# The interpreter that makes the environment: make venv PYTHON=python3.12
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$name && break; done)

BIN := .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet
LOCKED := .venv/.locked
STAMP := .venv/.made
TOOLS := .venv-tools
UV_VERSION := 0.13.9

# An interpreter that was named, and is not the one the environment was made with, makes it anew.
ifneq ($(filter command environment,$(firstword $(origin PYTHON))),)
ifneq ($(shell $(PYTHON) -c 'import sys; print(sys.version.split()[0])' 2>&1),$(file < $(LOCKED)))
$(LOCKED): FORCE
endif
endif

.PHONY: help venv demo test lint bench lock docs clean FORCE

help: ## say what there is
	@echo 'make <target> [ARGS="..."] [PYTHON=python3.12]'
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-6s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: $(STAMP) ## the environment in .venv, exactly as locked

$(LOCKED): requirements.lock
	@python='$(PYTHON)'; test -n "$$python" \
	  || { echo 'make: no Python 3.11 or newer found; install one, or name it: make venv PYTHON=python3.12' >&2; exit 3; }; \
	$$python -c '$(NEW_ENOUGH)' \
	  || { echo "make: $$python is not Python 3.11 or newer; name one: make venv PYTHON=python3.12" >&2; exit 3; }; \
	echo "Making .venv with $$python, about a minute ..."; \
	$$python -m venv --clear .venv \
	  || { echo 'make: the venv module does not work here; on Debian and Ubuntu: apt install python3-venv' >&2; exit 3; }
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(BIN)/python -c 'import sys; print(sys.version.split()[0])' > $@

$(STAMP): $(LOCKED) pyproject.toml
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## a simulated shop and CRM, the daemon between them, and the console on it
	@$(BIN)/syncd demo $(ARGS)

# Files, not single tests, are spread over the workers: what a module sets up is set up once. One worker more than
# there are cores, since many tests wait for other processes.
test: $(STAMP) ## the test suite; ARGS narrow it: make test ARGS="tests/model -x"
	@$(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)

lint: $(STAMP) ## style, format, types, import arrows, and what no file may name
	@failed=0; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/ruff format --check . || failed=1; \
	$(BIN)/mypy || failed=1; \
	$(BIN)/lint-imports --no-cache --no-logo || failed=1; \
	$(BIN)/python .ci/hygiene.py || failed=1; \
	exit $$failed

bench: $(STAMP) ## measure the goals beside their peers; ARGS choose: make bench ARGS="intake"
	@bash bench/setup.sh
	@$(BIN)/python -m bench $(ARGS)

docs: $(STAMP) ## docs/modules.md from the modules' own first lines, and the tables of docs/systems.md
	@$(BIN)/python docs/make_modules.py
	@$(BIN)/python docs/make_disturbances.py
	@$(BIN)/python -m tests.conformance.table

UV_LOCK = $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate

lock: $(TOOLS)/bin/uv ## both locks anew from what they are made of; ARGS="--upgrade" takes newer versions
	@$(UV_LOCK) --extra dev $(ARGS) --output-file requirements.lock pyproject.toml
	@$(UV_LOCK) $(ARGS) --output-file bench/requirements-peers.lock bench/requirements-peers.in
	@git --no-pager diff --stat -- requirements.lock bench/requirements-peers.lock

$(TOOLS)/bin/uv:
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python -m pip --disable-pip-version-check install --quiet uv==$(UV_VERSION)

clean: ## remove what was made, the environments too
	@rm -rf .venv $(TOOLS) bench/.venv* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  .import_linter_cache snapshot_report.html demo.json
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

FORCE:
