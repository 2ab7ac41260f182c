# The two commands of a newcomer: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header

# Files of tests are spread over the cores; each process has a Postgres of its own.
SPREAD := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
PYTEST := $(BIN)/python -m pytest $(SPREAD)

# Many tests wait, for retries, signals or Prefect: two processes more than there are cores.
test coverage: export PYTEST_XDIST_AUTO_NUM_WORKERS := $(shell echo $$(($$(nproc) + 2)))

# Else each process compiles what it imports, and rewrites the asserts of all tests: more than a second of its time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test test-unit test-desktop test-full coverage lint docs lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo           set up, then reconcile a made-up merchant from end to end"
	@echo "make test           set up, then run the tests"
	@echo "make test-unit      only those that need neither Postgres nor a server: half a minute"
	@echo "make test-desktop   only those that need LibreOffice or Chromium"
	@echo "make test-full      all of them, with thousands of random cases"
	@echo "make coverage       run the tests, and fail where they reach less than 92 % of lines and branches"
	@echo "make lint           set up, then run ruff, sqlfluff, hadolint, check-jsonschema and mypy"
	@echo "make docs           set up, then build the documentation: open site/index.html"
	@echo "make setup          only set up: .venv with the reconcile command in it"
	@echo "make lock           resolve the dependencies of pyproject.toml again into requirements.lock and"
	@echo "                    requirements-dev.lock, which holds those of developers too"
	@echo "make clean          remove .venv and caches (never .reconcile or reports: those are yours)"

setup: .venv/.complete

.venv/.complete: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kspay-reconcile needs Python 3.11 or later; $(PYTHON) is older. Name another: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	# What a run imports is compiled now: where nothing may be written later, each start would compile it again (4 s), and
	# on a full disk a half of it could be written. What only developers use is compiled when it is first imported.
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q reconcile flows
	@touch $@

demo: setup
	$(BIN)/reconcile demo

test: setup
	$(if $(MEASURED_FOLDER),rm -rf $(MEASURED_FOLDER) && mkdir $(MEASURED_FOLDER))
	$(PYTEST) -m "not desktop"

test-unit: setup
	$(PYTEST) tests/unit

coverage: export MEASURED_FOLDER := $(CURDIR)/.measured
coverage: test
	$(BIN)/python -m tests.support.coverage

test-desktop: setup
	$(PYTEST) -m desktop

test-full: setup
	HYPOTHESIS_PROFILE=full $(PYTEST) --timeout 7200

docs: setup
	$(BIN)/sphinx-build --fail-on-warning --fresh-env --quiet --builder html docs site
	@echo "site/index.html"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/sqlfluff lint --disable-progress-bar sql
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/mypy

lock:
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra dev --constraint requirements.lock -o requirements-dev.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .measured site
