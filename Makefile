# Everything a developer runs; `make` alone lists it. CI runs `.ci/run`, which runs the same targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test unit integration agentos crash fuzz fuzz-bytes soak soak-short conformance conformance-peers test-versions lint types check lock docs bench bench-store bench-store-peers backends jaeger test-distributed clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-18s %s\n", $$1, $$2}'

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

test: unit conformance integration agentos soak-short ## install what is needed and run all tests

unit: $(VENV)/.dev ## tests without processes, servers or git
	$(BIN)/python -m pytest tests/unit -q

integration: $(VENV)/.dev ## tests with real processes, git, databases, a real agent, Jaeger and a Collector
	@if command -v go >/dev/null && collector/build.sh >/dev/null; then $(BIN)/python -m pytest tests/integration -q; \
	else echo "left out, since Jaeger and the Collector are built by Go: the tests marked jaeger"; \
	$(BIN)/python -m pytest tests/integration -q -m "not jaeger"; fi

agentos: $(VENV)/.dev ## AgentOS's chain on a stand-in; on real checkouts too where AGENTOS_SRC names them (AGENTOS_PYTHON)
	$(BIN)/python -m pytest tests/agentos -q

conformance: $(VENV)/.dev ## facts about decorated functions, held against this library
	$(BIN)/python -m pytest tests/conformance -q

PEERS ?= otel logfire traceloop langfuse openinference mlflow laminar
conformance-peers: $(VENV)/.dev ## the same facts on other products, each in a .venv-peers of its own (needs uv); makes docs/conformance.md
	@$(BIN)/python -m tests.conformance.run_peer agentos_otel $(BIN)/python
	@for peer in $(PEERS); do \
	  test -x .venv-peers/$$peer/bin/python || uv venv -q -p $(PYTHON) .venv-peers/$$peer || exit 1; \
	  uv pip install -q -p .venv-peers/$$peer -r tests/conformance/peers/common.txt -r tests/conformance/peers/$$peer.txt || exit 1; \
	  $(BIN)/python -m tests.conformance.run_peer $$peer .venv-peers/$$peer/bin/python || exit 1; \
	done
	$(BIN)/python -m tests.conformance.table > docs/conformance.md

PYTHONS ?= $(wildcard $(foreach minor,11 12 13 14,$(shell command -v python3.$(minor))))
test-versions: ## unit and conformance tests on every python3.x of PATH, or of PYTHONS, each in a .venv-versions of its own
	@for python in $(PYTHONS); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') || { echo "$$python does not run"; continue; }; \
	  echo "python $$version"; \
	  $(MAKE) -s VENV=.venv-versions/$$version PYTHON=$$python unit conformance || exit 1; \
	done

crash: $(VENV)/.dev ## kill a traced program in every way and print what is kept
	$(BIN)/python -m pytest tests/integration/test_crash_matrix.py -q -p no:randomly

fuzz: $(VENV)/.dev ## the property tests with 5,000 examples each
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest tests/unit -q --timeout 1800 -m hypothesis

FUZZ ?= reader decode scanning fold trailers ids map store
FUZZ_SECONDS ?= 180
fuzz-bytes: ## atheris on every parser, FUZZ_SECONDS each, in a .venv-fuzz of its own; FUZZ names some of them
	@$(MAKE) -s VENV=.venv-fuzz .venv-fuzz/.base
	@.venv-fuzz/bin/pip install -q atheris==3.0.0
	@for target in $(FUZZ); do echo "$$target"; .venv-fuzz/bin/python -m tests.fuzz $$target $(FUZZ_SECONDS) || exit 1; done

soak: $(VENV)/.dev ## five minutes of load, kills, a collector that comes and goes, a full disk (SOAK_SECONDS)
	SOAK_SECONDS=$${SOAK_SECONDS:-300} $(BIN)/python -m pytest tests/soak -q -s --timeout 1200
	OUTAGE_SECONDS=60 $(BIN)/python -m pytest tests/integration/test_outages.py -q

soak-short: $(VENV)/.dev
	SOAK_SECONDS=30 $(BIN)/python -m pytest tests/soak -q -s --timeout 600

test-distributed: $(VENV)/.dev backends ## Jaeger on three Cassandra nodes that are killed (needs Java, Maven, 4 GB)
	$(BIN)/python -m pytest tests/distributed -q -s

lint: $(VENV)/.dev ## ruff, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.dev ## mypy strict and pyright
	$(BIN)/mypy
	cd agentos_otel/demo && $(CURDIR)/$(BIN)/mypy --config-file= --strict --python-version 3.11 -p rename_pipeline
	$(BIN)/pyright

check: lint types test ## what CI runs

docs: $(VENV)/.dev ## make the reference from the docstrings, and what the patterns of secrets make
	$(BIN)/python docs/make_reference.py > docs/reference.md
	$(BIN)/python docs/make_redaction.py > docs/redaction.md
	$(BIN)/python collector/make_redaction.py > collector/redaction.yaml
	$(BIN)/python collector/make_redaction.py transform > collector/transform.yaml

bench: $(VENV)/.dev ## figures as ratios to the OpenTelemetry SDK in the same run, three peers beside; BENCH=--save keeps them
	$(BIN)/python bench/run.py --peers $(BENCH)

bench-store: $(VENV)/.dev ## the index and its queries at 10^5, 10^6 and 10^7 spans (needs 10 GB of disk)
	$(BIN)/python bench/bench_store.py

bench-store-peers: $(VENV)/.dev ## the index beside Phoenix and MLflow on 2,000 of the same spans (needs uv, installs both in the cache: 2 GB)
	$(BIN)/python bench/bench_store_peers.py

backends: ## build the pinned Jaeger and Collector into the cache (needs Go)
	@collector/build.sh

jaeger: ## start Jaeger and a Collector without docker; Ctrl-C stops both
	@collector/start.sh

lock: ## compile the lock files (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q --all-extras --group dev -o requirements/dev.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q --group build -c requirements/dev.txt -o requirements/base.txt

clean: ## remove the local environment
	rm -rf $(VENV)
