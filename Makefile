# Everything here needs Python 3.11 or later and make; the environment is made in .venv.

.DEFAULT_GOAL := help
.PHONY: help run test check lint bench schema migration lock

BIN := .venv/bin
PYTHON ?=
FIND_PYTHON = for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	python=; done; \
	if [ -z "$$python" ]; then \
	echo "DevSignal needs Python 3.11 or later with its venv module; name one with: make PYTHON=/path/to/python" >&2; \
	exit 1; fi

# An environment knows its place by absolute paths: a checkout that was copied or moved makes its own.
ifneq ($(shell cat .venv/.made 2>/dev/null),$(CURDIR))
.PHONY: .venv/.made
endif

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run ## Start everything, with a demo organization; ARGS="--port 9000"
	@exec $(BIN)/devsignal up $(ARGS)

test: .venv/.dev ## Run the tests on engines of their own; ARGS="-k tenancy"
	$(BIN)/pytest -n 2 $(ARGS)

check: lint test ## Run what CI runs: lint and tests

lint: .venv/.dev ## Check format, lint, types, imports, the schema's snapshot and the migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/devsignal schema export --check
	$(BIN)/python -m migrations.check

bench: .venv/.dev ## Run the benchmark beside its limits
	$(BIN)/python -m bench $(ARGS)

schema: .venv/.dev ## Write schema.graphql from the code
	$(BIN)/devsignal schema export

migration: .venv/.dev ## Draft a migration from the models; NAME="add teams"
	$(BIN)/python -m migrations.draft "$(NAME)"

lock: ## Write the lock files from pyproject.toml; ARGS=--upgrade for newer versions
	@$(FIND_PYTHON); set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$$python -m venv "$$fresh"; "$$fresh/bin/pip" install --quiet --disable-pip-version-check uv; \
	compile() { "$$fresh/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml "$$@"; }; \
	compile --extra embedded --group dev --output-file requirements-dev.lock $(ARGS); \
	compile --extra embedded --group build --constraint requirements-dev.lock \
		--output-file requirements.lock $(ARGS)

.venv/.made:
	@$(FIND_PYTHON); echo "Making the environment in .venv with $$($$python --version)"; \
	$$python -m venv --clear .venv && echo "$(CURDIR)" > $@

.venv/.run: .venv/.made requirements.lock pyproject.toml
	@echo "Installing DevSignal (the first time takes a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.run requirements-dev.lock
	@echo "Installing the tools for tests and checks"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
