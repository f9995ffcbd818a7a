# What a developer types. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Debian keeps mosquitto in /usr/sbin, which is not on everybody's path.
export PATH := $(PATH):/usr/sbin:/sbin
# Tests start the same programs hundreds of times: what Python compiled of them is kept, whatever this machine is set to.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
# What is never imported need not be compiled; the rest is when it first is.
PIP := $(BIN)/python -m pip install --quiet --no-compile --require-hashes
EDITABLE := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
LOCK := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header
ARGS ?=

.PHONY: help setup check format test fast test-long radio demo bench lock programs programs-long clean

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/make \1 \t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: programs $(VENV)/.developer  ## make .venv with everything in it (quick when nothing changed)

programs:
	@.ci/programs

programs-long:
	@.ci/programs long

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Consentry needs Python 3.11, 3.12 or 3.13; none was found." >&2; exit 1; }
	@.ci/programs venv $(PYTHON)
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.developer: $(VENV)/.made requirements-dev.lock pyproject.toml
	$(PIP) --requirement requirements-dev.lock
	$(EDITABLE)
	@touch $@ $(VENV)/.demo

$(VENV)/.demo: $(VENV)/.made requirements-demo.lock pyproject.toml
	$(PIP) --requirement requirements-demo.lock
	$(EDITABLE)
	@touch $@

check: setup  ## lint, format, types, imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports

format: setup  ## put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# What comes before is done two at a time. Files begin in the order of tests/conftest.py, not by how many tests they hold.
test: programs  ## all that ends within 20 minutes on two cores
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target setup $(VENV)/.sslyze
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check $(VENV)/.compiled
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

fast: setup  ## the tests that need no other program, in seconds
	$(BIN)/python -m pytest -q -m "not long and not system and not browser" $(ARGS)

test-long: setup programs-long  ## what takes longer: clusters, soak, and each property anew, 25 times
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -m "long or radio" $(ARGS)
	for pass in {1..25}; do $(BIN)/python -m pytest -q -n 3 --dist loadfile -m "hypothesis and not long" $(ARGS); done

radio: setup  ## the edge against the real BlueZ of Debian 12 and 13 (ARGS="-k bookworm" for one)
	$(BIN)/python -m pytest -m radio $(ARGS)

# sslyze, for tests/tablet_api/test_tls.py: it wants an older cryptography than Consentry, so it has an environment of its own.
$(VENV)/.sslyze: $(VENV)/.made tests/tls/requirements.lock
	$(BIN)/python -m venv --clear $(VENV)/sslyze
	$(VENV)/sslyze/bin/python -m pip install --quiet --no-compile --require-hashes --requirement tests/tls/requirements.lock
	@touch $@

# In a new checkout each of the processes that share the tests would compile all of them, at the same time.
$(VENV)/.compiled: $(VENV)/.developer
	@$(BIN)/python -m pytest --collect-only -qq >$(VENV)/compiled.log || { cat $(VENV)/compiled.log; exit 1; }
	@touch $@

demo: $(VENV)/.demo  ## one store, one visit, on this machine (ARGS=--story plays it once)
	@$(BIN)/consentry-demo $(ARGS)

bench: setup $(VENV)/.bench  ## measure, as docs/benchmarks.md tells
	$(BIN)/python -m benchmarks $(ARGS)

# What is only compared with. It is built from source; where that fails its rows are left out.
$(VENV)/.bench: $(VENV)/.developer requirements-bench.lock
	@if $(PIP) --requirement requirements-bench.lock 2>$(VENV)/bench.log; then touch $@; else \
		echo "TheengsDecoder cannot be built here (it needs a C++ compiler and cmake; see $(VENV)/bench.log)." >&2; fi

lock: .venv-lock/bin/uv  ## resolve the dependencies anew (LOCK_ARGS=--upgrade for newer versions)
	$(LOCK) $(LOCK_ARGS) --extra dev --extra demo --extra hq pyproject.toml --output-file requirements-dev.lock
	$(LOCK) --constraint requirements-dev.lock --extra bench pyproject.toml --output-file requirements-bench.lock
	$(LOCK) --constraint requirements-dev.lock --extra demo --extra hq pyproject.toml --output-file requirements-demo.lock
	$(LOCK) --constraint requirements-dev.lock --extra hq pyproject.toml --output-file requirements-hq.lock
	$(LOCK) --constraint requirements-dev.lock pyproject.toml --output-file requirements.lock
	$(LOCK) $(LOCK_ARGS) --no-deps tests/radio/requirements.in --output-file tests/radio/requirements.lock
	$(LOCK) $(LOCK_ARGS) tests/tls/requirements.in --output-file tests/tls/requirements.lock

.venv-lock/bin/uv:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv

clean:  ## remove what the commands made
	rm -rf $(VENV) .venv-lock build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
