# `make demo` and `make test` work on a fresh clone: they need make, a Python from 3.11 on and a
# package index that pip can reach. Everything is installed into .venv, and only once.

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# The first Python that runs (a pyenv shim may not), is new enough and can make environments.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	if $$python -c "$(USABLE)" >/dev/null 2>&1; then echo $$python; break; fi; done)

CODE := asflow tests typecheck docs/examples

.PHONY: help demo test lint format types typecheck unit wheel clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## download, transform, show a table; run it twice
	$(BIN)/python docs/examples/demo/pipeline.py

test: lint types unit  ## everything that must pass before a commit, but for the slow tests

lint: $(VENV)/.dev  ## ruff: lint and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/.dev  ## ruff: repair what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.dev  ## mypy strict and pyright strict
	$(BIN)/mypy $(CODE)
	$(BIN)/pyright --pythonpath $(BIN)/python

typecheck: types

unit: $(VENV)/.dev  ## the tests, without the slow ones
	$(BIN)/pytest -q -m "not slow"

wheel: $(VENV)/.dev  ## the wheel and the source archive, in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

clean:  ## remove what the other targets made, the demo's data included
	rm -rf $(VENV) data dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find asflow tests typecheck docs stubs -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -c "$(USABLE)" || { echo "$(PYTHON) is older than 3.11 or lacks venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	@touch $@

# Stamps: installed once, and anew when pyproject.toml changes. The dev group holds the demo's.
$(VENV)/.demo: $(VENV)/.made pyproject.toml
	$(PIP) install --editable . --group demo
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	$(PIP) install --editable . --group dev
	@touch $@ $(VENV)/.demo
