# The two commands of a newcomer: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin

# Files of tests are spread over the cores; each process has a Postgres of its own.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: setup demo test test-full test-desktop docs lint lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    set up, then reconcile a made-up merchant from end to end"
	@echo "make test    set up, then run the tests"
	@echo "make test-full  all of them: thousands of random cases, and the spreadsheet and browser tests"
	@echo "make test-desktop  only those that need LibreOffice or Chromium"
	@echo "make docs    set up, then build the documentation: open site/index.html"
	@echo "make lint    set up, then run ruff, sqlfluff and mypy"
	@echo "make setup   only set up: .venv with the reconcile command in it"
	@echo "make lock    resolve the dependencies of pyproject.toml anew into requirements.lock"
	@echo "make clean   remove .venv and caches (never .reconcile or reports: those are yours)"

setup: .venv/.complete

.venv/.complete: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "kspay-reconcile needs Python 3.11 or later; $(PYTHON) is older. Name another: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	# Compiled now, since where nothing may be written later every start would compile it all anew: 4 s.
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: setup
	$(BIN)/reconcile demo

test: setup
	$(PYTEST) -m "not desktop"

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
	$(BIN)/mypy

lock:
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -o requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
