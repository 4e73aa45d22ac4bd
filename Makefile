# `make help` tells what there is. Each target makes .venv when it lacks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-unit test-page test-agents test-cluster soak soak-hostile soak-many lint statements docs man bench format clean

help:  ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	$(BIN)/python -m compileall -q perles
	@touch $@

demo: $(READY)  ## run a pipeline over this repository, in a home folder of its own
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: $(READY)  ## run the tests but for the page's, and print which share of the core they reach
	rm -rf .coverage
	$(BIN)/coverage run -m pytest -q -n 4 --dist worksteal --ignore tests/page
	$(BIN)/coverage combine -q
	$(BIN)/python -m tests.coverage_by_package

test-unit: $(READY)  ## run the quick tests, on PYTHON=python3.13 with VENV=.venv-3.13
	$(BIN)/python -m pytest -q -n 2 tests/unit

test-page: $(READY)  ## try the page in a headless Chromium (needs chromium)
	$(BIN)/python -m pip install --quiet --group page
	$(BIN)/python -m pytest -q --durations 3 tests/page

test-postgres: $(READY)  ## run the tests on a PostgreSQL server of their own, TESTS=... some of them
	$(BIN)/python -m tests.postgres.suite -q -n 2 $(or $(TESTS),tests/unit tests/integration tests/crash tests/dashboard)

test-cluster: $(READY)  ## run turns on three machines: network namespaces, a cable that is pulled (needs root)
	$(BIN)/python -m pytest -q -rs tests/machines

soak: $(READY)  ## kill engines, agents and launchers, N=200 times
	$(BIN)/python -m tests.crash.soak $(or $(N),200) $(SEED)

soak-hostile: $(READY)  ## let N=200 workflows of hostile agents do harm beside innocent ones
	$(BIN)/python -m tests.crash.hostile $(or $(N),200) $(SEED)

soak-many: $(READY)  ## run N=3000 workflows by one engine, which must hold no more than at first
	$(BIN)/python -m tests.crash.many $(or $(N),3000)

test-agents: $(READY)  ## run workflows with the real agent CLIs (needs npm; see docs/agents.md)
	$(BIN)/python -m pytest -q -rs tests/e2e

lint: $(READY)  ## check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.check_migrations
	$(BIN)/python -m tests.record_statements --check

statements: $(READY)  ## record the texts of SQL statements, and the schema of a new database
	$(BIN)/python -m tests.record_statements

docs: $(READY)  ## write docs/{commands,configuration,states,tools}.md from the code
	$(BIN)/python -m tests.generate_docs

man: $(READY)  ## write perles.1 from the help of the commands: man ./perles.1
	@$(BIN)/python -m perles.cli.manual >perles.1.part && mv perles.1.part perles.1
	@echo perles.1

bench: $(READY)  ## measure speed and memory (a table: name, value, unit, goal)
	$(BIN)/python -m compileall -q perles
	$(BIN)/python -m tests.benchmarks.run

format: $(READY)  ## bring the style in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove everything that was made
	rm -rf $(VENV) .venv-* .coverage dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .dev.db
	find . -name __pycache__ -prune -exec rm -rf {} +
