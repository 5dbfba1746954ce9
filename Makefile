# Everything one does with palio on one machine. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
BOOTSTRAP := $(PYTHON) tools/bootstrap.py
BIN := .venv/bin
SOURCES := $(wildcard libs/*/src services/*/src operator/src)
SCRIPTS := .ci/run $(wildcard charts/*/files/*.sh) hack/node/rootfs/usr/local/bin/entrypoint

.PHONY: help demo stop clean up down kubeconfig test test-unit test-int test-contract test-ui test-chaos test-chart \
	test-crds test-operator test-e2e bench check fmt ui crds lock setup dev

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1 \2/p' Makefile | awk '{ printf "  %-6s%-15s", $$1, $$2; $$1 = $$2 = ""; print }'

demo: setup ## Run the whole platform here: UI on port 3000, API on 23455 (DETACH=1 returns when it is ready)
	@exec $(BIN)/palio demo $(if $(DETACH),--detach) $(ARGS)

stop: setup ## End what `make demo` started
	@$(BIN)/palio stop

clean: setup ## End it and remove all its data
	@$(BIN)/palio stop && $(BIN)/palio clean

up: ## Run it in a kind cluster: UI on port 3000, API on 23455; again to bring it up to date
	@$(PYTHON) tools/cluster.py up

down: ## Remove that cluster, and the Docker engine if `make up` started it
	@$(PYTHON) tools/cluster.py down

kubeconfig: ## Print the kubeconfig of that cluster
	@$(PYTHON) tools/cluster.py kubeconfig

test: dev ## Run every test tier and say how many tests of each ran (TIERS="unit chart" for some)
	@$(BIN)/python tools/tiers.py $(TIERS)

test-unit: dev ## Run the unit tier: pure rules, no sockets
	@$(BIN)/python tools/tiers.py unit

test-int: dev ## Run the integration tier: real PostgreSQL and Valkey
	@$(BIN)/python tools/tiers.py integration

test-contract: dev ## Run the contract tier: the API against its OpenAPI document
	@$(BIN)/python tools/tiers.py contract

test-ui: dev ## Run the UI tier: the page's own tests, and walks in Chromium
	@$(BIN)/python tools/tiers.py ui

test-chaos: dev ## Run the chaos tier: kill parts under load and count
	@$(BIN)/python tools/tiers.py chaos

test-chart: dev ## Run the chart tier: what Helm renders
	@$(BIN)/python tools/tiers.py chart

test-crds: dev ## Run the CRD tier: manifests before a real API server, in a cluster of its own
	@$(BIN)/python tools/tiers.py crds

test-operator: dev ## Run the operator tier: the operator on a real API server
	@$(BIN)/python tools/tiers.py operator

test-e2e: dev ## Run the e2e tier: everything installed in a cluster of its own, played and killed
	@$(BIN)/python tools/tiers.py e2e

bench: dev ## Measure this machine beside its own baselines
	@$(BIN)/python tests/bench/run.py $(ARGS)

check: dev ## Check formatting, lints, types and the direction of imports
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy $(SOURCES) tests
	cd tools && ../$(BIN)/mypy *.py
	cd hack && ../$(BIN)/mypy *.py
	$(BIN)/lint-imports
	$(BIN)/shellcheck $(SCRIPTS)
	$(BOOTSTRAP) npm run --silent check

fmt: dev ## Format everything
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .
	$(BOOTSTRAP) npm run --silent fmt

ui: ## Build the demo UI into the gateway
	@$(BOOTSTRAP) ui

crds: ## Copy the resources' definitions into the operator's chart
	@$(PYTHON) tools/crds.py

lock: ## Write locks/*.txt anew from the members' manifests
	@$(BOOTSTRAP) lock

setup: ## Install what running needs (skipped when nothing changed)
	@$(BOOTSTRAP) environment
	@$(BOOTSTRAP) ui

dev: ## Install what testing needs as well
	@$(BOOTSTRAP) environment --dev
	@$(BOOTSTRAP) ui
