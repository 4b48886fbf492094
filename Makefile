# Goalpost: `make demo` to see it work, `make test` to check it. Both need only python3 (3.11 or later) and make.

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo sandbox test lint types check audit messages screenshots benchmarks chaos key clean

help:
	@echo "make demo        a running Goalpost with sample agencies and the built-in sandbox (ONCE=1: ends by itself)"
	@echo "make sandbox     only the sandbox, for other integrations (PORT=8090, FRESH=1: empty, ONCE=1: checks itself and ends)"
	@echo "make test        the whole test suite, SQLite always, PostgreSQL where one answers"
	@echo "make lint types  ruff, mypy"
	@echo "make audit       asks whether anything is known against the pinned packages (STRICT=1: fails where nobody answers)"
	@echo "make messages    collect texts for translation and compile them (needs GNU gettext)"
	@echo "make screenshots pictures of the main pages, in both languages, on a desk and a phone (needs Chromium)"
	@echo "make benchmarks  speed and memory, minutes long (needs PostgreSQL)"
	@echo "make chaos       delivery under faults, kills and restarts (ARGS=\"--minutes 10 --seed 123\", --small, --sqlite)"
	@echo "make key         prints a SECRET_KEY and an encryption key"

$(STAMP): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Goalpost needs Python 3.11 or later. Another one is chosen so: PYTHON=python3.13 make ..." >&2; exit 2; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || \
		{ echo "Making a virtual environment failed; on Debian: apt install python3-venv" >&2; exit 2; }
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

install: $(STAMP)

demo: install
	@$(PY) -m project.demo $(if $(filter-out 0,$(ONCE)),--once)

sandbox: install
	@$(PY) -m project.sandbox $(if $(filter-out 0,$(ONCE)),--once) $(if $(PORT),--port $(PORT)) $(if $(filter-out 0,$(FRESH)),--fresh)

test: install
	@$(PY) -m tests.run $(ARGS)

lint: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: install
	DEBUG=on SANDBOX=on $(PY) -m mypy

check: install
	DEBUG=on SANDBOX=on $(PY) manage.py makemigrations --check --dry-run
	DEBUG=off SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(50))') \
		ENCRYPTION_KEYS=$$($(PY) -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())') \
		ALLOWED_HOSTS=goalpost.example $(PY) manage.py check --deploy --fail-level WARNING

audit:
	@PYTHON="$(PYTHON)" .ci/audit

messages: install
	$(PY) -m project.messages

screenshots: install
	$(PY) -m tests.browser.screenshots $(ARGS)

benchmarks: install
	$(PY) -m tests.benchmarks $(ARGS)

chaos: install
	@$(PY) -m tests.chaos $(ARGS)

key: install
	@$(PY) -c 'import secrets; from cryptography.fernet import Fernet; print("SECRET_KEY=" + secrets.token_urlsafe(50)); print("ENCRYPTION_KEYS=" + Fernet.generate_key().decode())'

clean:
	rm -rf var/demo .pytest_cache .mypy_cache .ruff_cache staticfiles
