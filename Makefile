# Every target works in a clean clone: each sets up what it needs first, and skips what is there.
# Settings: PORT_BASE and DATA_DIR (a second stack beside the first), PYTEST (arguments for pytest).

SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
PORT_BASE ?= 8700
DATA_DIR ?=
STACK := --port-base $(PORT_BASE) $(if $(DATA_DIR),--data-dir $(DATA_DIR))
PYTEST ?=
LOCK := --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11
CODE := $(wildcard paystream services shared devstack tests bench docs)

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test check inspect format lock bench soak mutants clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## the Python environment in .venv, exactly as locked
	@bash devstack/setup.sh $(VENV)

demo: setup ## start everything, play a scripted day, check the books, stop
	@$(PY) -m devstack demo $(STACK)

up: setup ## start everything and stay up
	@$(PY) -m devstack up $(STACK)

test: setup ## every test, on real Kafka and PostgreSQL
	@PAYSTREAM_SEQUENCES=2500 $(PY) -m pytest -n 2 $(PYTEST)

check: inspect ## format, lint, types, import rules, unit tests
	@$(PY) -m pytest -q tests/unit $(PYTEST)

inspect: setup ## what `make check` does without a test
	@$(PY) -m ruff format --check $(CODE)
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

format: setup ## format and mend what can be mended
	@$(PY) -m ruff format $(CODE)
	@$(PY) -m ruff check --fix $(CODE)

lock: ## resolve pyproject.toml anew (for whoever changes a dependency; needs uv)
	uv pip compile $(LOCK) --extra devstack --extra dev -o requirements.lock pyproject.toml
	uv pip compile $(LOCK) -c requirements.lock -o requirements-services.lock pyproject.toml

bench: setup ## what it does per second, beside a plain peer
	@$(PY) -m bench
	@$(PY) -m bench.reconcile

soak: setup ## the same tests with larger counts
	@SOAK=1 PAYSTREAM_SEQUENCES=50000 $(PY) -m pytest --timeout 7200 $(PYTEST)

mutants: setup ## seeded bugs, each of which a test must catch
	@$(PY) -m tests.mutants

down: setup ## stop what `make up` started in another terminal
	@$(PY) -m devstack down $(if $(DATA_DIR),--data-dir $(DATA_DIR))

clean: ## stop this folder's stacks, remove their data and the environment
	@for data in .data/*/stack.json; do \
	  if [ -e "$$data" ] && [ -x $(PY) ]; then $(PY) -m devstack down --data-dir "$$(dirname "$$data")"; fi; done
	rm -rf .data $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
