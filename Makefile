# Everything a developer runs; `make` alone lists it. CI runs `.ci/run`, which runs the same targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test unit integration lint types check lock docs bench clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-14s %s\n", $$1, $$2}'

$(VENV)/.base: requirements/base.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) …"
	@$(BIN)/pip install -q --require-hashes -r requirements/base.txt
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	@echo "installing what tests and lint need …"
	@$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.base ## run the demo pipeline on a small git repository and show the run
	@$(BIN)/agentos-otel demo

test: unit integration ## install what is needed and run all tests

unit: $(VENV)/.dev ## tests without processes, servers or git
	$(BIN)/python -m pytest tests/unit -q

integration: $(VENV)/.dev ## tests with real processes, git, SQLite, PostgreSQL and a real agent
	$(BIN)/python -m pytest tests/integration -q

lint: $(VENV)/.dev ## ruff, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.dev ## mypy strict and pyright
	$(BIN)/mypy
	cd agentos_otel/demo && $(CURDIR)/$(BIN)/mypy --config-file= --strict --python-version 3.11 -p rename_pipeline
	$(BIN)/pyright

check: lint types test ## what CI runs

docs: $(VENV)/.dev ## make the reference from the docstrings
	$(BIN)/python docs/make_reference.py > docs/reference.md

bench: $(VENV)/.dev ## figures as ratios to the OpenTelemetry SDK in the same run, three peers beside; BENCH=--save keeps them
	$(BIN)/python bench/run.py --peers $(BENCH)

lock: ## compile the lock files (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q --group build -o requirements/base.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q --all-extras --group dev -o requirements/dev.txt

clean: ## remove the local environment
	rm -rf $(VENV)
