# Everything runs from here; a fresh machine needs nothing but Python 3.11 with venv, and make.
.DEFAULT_GOAL := help
.PHONY: help run test lint bench soak sandbox demo requirements

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-trusted-host \
	--no-emit-options --strip-extras --allow-unsafe
WORKERS ?= auto

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp  ## Start Flashback on http://127.0.0.1:8000
	@exec $(BIN)/python manage.py up

test: .venv/dev.stamp  ## Run every test that this machine can run (DATABASE_URL=postgres://… for PostgreSQL)
	@$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST)

lint: .venv/dev.stamp  ## Check style, types, templates, migrations and settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/djlint --check --quiet templates
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && export FLASHBACK_DATA_DIR="$$folder" && \
		$(BIN)/python manage.py makemigrations --check && $(BIN)/python manage.py check

bench: .venv/dev.stamp  ## Measure start, pages and sealing against their budgets
	@$(BIN)/python -m tests.bench

soak: .venv/dev.stamp  ## Kill a writing process again and again; nothing acknowledged may be lost
	@$(BIN)/python -m tests.soak
	@$(BIN)/python -m tests.soak_keys
	@$(BIN)/python -m tests.soak_api

sandbox: .venv/run.stamp  ## Start the sandbox provider on 127.0.0.1:9099 (SANDBOX_PORT=9210: elsewhere)
	@exec $(BIN)/python manage.py sandbox_provider $(if $(SANDBOX_PORT),--port $(SANDBOX_PORT))

demo: .venv/run.stamp  ## Fill a sample organization to look around in, offline (DEMO=--beside: next to what is there)
	@$(BIN)/python manage.py demo $(DEMO)

requirements: .venv/dev.stamp  ## Compile the pinned requirements again from pyproject.toml
	$(COMPILE) --output-file requirements.txt pyproject.toml
	$(COMPILE) --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

# Installing is for one at a time: a second terminal waits for the first, and then finds everything there.
define ONE_AT_A_TIME
import fcntl, os, sys
lock = os.open("Makefile", os.O_RDONLY)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Another terminal is installing; this one goes on when that is done.", flush=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
os.set_inheritable(lock, True)
os.execvp(sys.argv[1], sys.argv[1:])
endef
NO_PYTHON := Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3.11

ifndef INSTALLING
.venv/run.stamp: requirements.txt
.venv/dev.stamp: requirements-dev.txt requirements.txt
.venv/run.stamp .venv/dev.stamp: export ALONE = $(ONE_AT_A_TIME)
.venv/run.stamp .venv/dev.stamp:
	@command -v "$(PYTHON)" >/dev/null || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@$(PYTHON) -c "$$ALONE" $(MAKE) --silent --no-print-directory INSTALLING=1 $@
else
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "This Python lacks venv; on Debian run: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making .venv; this happens once."
	@$(PYTHON) -m venv .venv

# A development environment holds what a run needs, so installing it counts for both.
.venv/run.stamp: requirements.txt | .venv/bin/python
	@echo "Installing what Flashback needs; this takes a minute or two, once."
	@$(INSTALL) -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements.txt | .venv/bin/python
	@echo "Installing what the tests need…"
	@$(INSTALL) -r requirements-dev.txt
	@touch .venv/run.stamp $@
endif
