# Every target works in a clean clone: each sets up what it needs first, and skips what is there.
# Settings: PORT_BASE and DATA_DIR (a second stack beside the first), PYTEST (arguments for pytest).

SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
PORT_BASE ?= 8700
DATA_DIR ?= .data
STACK := --port-base $(PORT_BASE) --data-dir $(DATA_DIR)
PYTEST ?=
CODE := $(wildcard services shared devstack tests bench)

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check format bench soak mutants clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: ## the Python environment in .venv, exactly as locked
	@bash devstack/setup.sh $(VENV)

demo: setup ## start everything, play a scripted day, check the books, stop
	@$(PY) -m devstack demo $(STACK)

up: setup ## start everything and stay up
	@$(PY) -m devstack up $(STACK)

test: setup ## every test, on real Kafka and PostgreSQL
	@$(PY) -m pytest -n 2 --dist loadgroup $(PYTEST)

check: setup ## format, lint, types, import rules, unit tests
	@$(PY) -m ruff format --check $(CODE)
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m pytest -q tests/unit $(PYTEST)

format: setup ## format and mend what can be mended
	@$(PY) -m ruff format $(CODE)
	@$(PY) -m ruff check --fix $(CODE)

bench: setup ## what it does per second, beside a plain peer
	@$(PY) -m bench

soak: setup ## the same tests with larger counts
	@SOAK=1 $(PY) -m pytest --timeout 7200 $(PYTEST)

mutants: setup ## seeded bugs, each of which a test must catch
	@$(PY) -m tests.mutants

clean: ## stop this folder's stack, remove its data and the environment
	@if [ -x $(PY) ] && [ -d $(DATA_DIR) ]; then $(PY) -m devstack down $(STACK); fi
	rm -rf $(DATA_DIR) $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
