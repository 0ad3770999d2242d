# `make demo` and `make test` work on a fresh clone: they need make, a Python from 3.11 on and a
# package index that pip can reach. Everything is installed into .venv, and only once.

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# The first Python that runs (a pyenv shim may not), is new enough and can make environments.
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	if $$python -c "$(USABLE)" >/dev/null 2>&1; then echo $$python; break; fi; done)

# Hundreds of processes that tests start import asflow, and would compile it each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint format types typecheck api unit coverage soak mutants wheel docs pictures clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## download, crash, go on, show a table; a second time it asks for nothing
	$(BIN)/python docs/examples/demo/crash.py

test: lint  ## everything that must pass before a commit, but for the slow tests
	@# Side by side: a type checker uses one core, and tests often wait.
	@$(MAKE) --no-print-directory -j 2 types unit

lint: $(VENV)/.dev  ## ruff: lint and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/.dev  ## ruff: repair what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.dev  ## mypy strict: all code; pyright strict: all but the tests; both: typecheck/ on Python 3.11
	@# One run of each for both: the code and the cases import the same libraries. They take what processors
	@# the tests, which often wait, leave to them.
	nice -n 19 $(BIN)/python -m typecheck --quick --code

typecheck: $(VENV)/.dev  ## the cases of typecheck/ in five checkers, for each Python: a matrix; all code in two
	$(BIN)/python -m typecheck --code

api: $(VENV)/.dev  ## record the public interface in tests/types/api.txt, after a change that is meant
	PYTHONPATH=tests $(BIN)/python -m support.api

# A file system in memory, if it may hold programs and has 2 GB free. CI names a folder on a disk.
IN_MEMORY := ! grep -q ' /dev/shm [^ ]* [^ ]*noexec' /proc/mounts && \
	df -Pk /dev/shm | awk '$$6 == "/dev/shm" && $$4 > 2e6 {print $$6}'

unit: export PYTEST_DEBUG_TEMPROOT ?= $(shell { $(IN_MEMORY); } 2>/dev/null)
unit: $(VENV)/.dev  ## the tests, without the slow ones; their folders are in memory, if there is room
	$(BIN)/pytest -q -n auto --dist worksteal -m "not slow"

COVERED := engine runtime flows dag dataflow writers stores sinks objects executors cli kits \
	notebook/test_run.py dashboard/test_pages.py

coverage: $(VENV)/.dev  ## the lines and branches that the quick tests run, in some three minutes; a report, not a gate
	-$(BIN)/coverage run -m pytest -q -m "not slow" $(addprefix tests/,$(COVERED))
	$(BIN)/coverage report

# make bench PYTHON=python3.13 BENCH="--rounds 5 --no-growth": another column of the page. BENCH=--short: a try.
BENCH_VENV := $(VENV)-bench$(if $(filter file,$(origin PYTHON)),,-$(patsubst python%,%,$(notdir $(PYTHON))))

bench: $(BENCH_VENV)/.bench  ## the performance envelope, side by side; writes docs/benchmarks.md (BENCH="call --rounds 3": a part)
	cd tests && $(abspath $(BENCH_VENV))/bin/python -m benchmarks --page ../docs $(BENCH)

soak: $(VENV)/.dev  ## kill, cut, cancel and model for some 20 minutes; stops by itself
	ASFLOW_KILLS=48 ASFLOW_MODEL_RUNS=600 timeout 3600 $(BIN)/pytest -q --timeout 1800 tests/reliability tests/stores

mutants: $(VENV)/.dev  ## mutation testing of the engine and the stores, for an hour at most; MUTANTS="asflow.stores.*"
	copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && cp -R asflow docs tests pyproject.toml "$$copy" && cd "$$copy" && \
	PYTEST_DEBUG_TEMPROOT="$$copy" timeout --foreground --signal=INT --kill-after=60 3600 \
		$(abspath $(BIN))/python tests/reliability/mutants.py $(MUTANTS)

wheel: $(VENV)/.dev  ## the wheel and the source archive, in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

docs: $(VENV)/.dev  ## the site, in site/; a broken link, anchor or reference fails
	@# not --quiet: mkdocs counts the warnings that it prints, and no others, as failures
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean --config-file docs/site/mkdocs.yml
	! grep -rEl '<(script|link|img)[^>]*(src|href)="https?://[^"]*\.(js|css|woff2?|png|svg|webp)' site

pictures: $(VENV)/.dev  ## the pictures of the documentation, in docs/assets/; needs Chromium
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/moving_picture.py

clean:  ## remove what the other targets made, the demo's data included
	rm -rf $(VENV) $(VENV)-bench* data dist build site .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
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

# An environment of its own for each PYTHON that is named: peers bring a great deal. They are installed one
# by one, and the page shows as absent what can't be had.
GROUP := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["bench"], sep="\n")

$(BENCH_VENV)/.bench: pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BENCH_VENV)/bin/python -m pip install --quiet --editable .
	-$(BENCH_VENV)/bin/python -c '$(GROUP)' | xargs -n 1 $(BENCH_VENV)/bin/python -m pip install --quiet
	@touch $@
