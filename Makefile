# The commands of this repository. They need Python 3.11 to 3.13, make and git; the rest they get.
# Works with GNU make 3.81 (macOS) and newer. `setup` starts no Python when nothing has changed.

STACK ?= local
ARGS ?=
# Four at a time, a module to a worker: most of the time is spent waiting for agents. In the order of the folders, so
# that the quick unit tests come last and all end together.
WORKERS ?= -n 4 --dist loadscope --no-loadscope-reorder
# One more: modules on the double of ECS take turns, and a worker that waits for its turn does nothing.
SLOW_WORKERS ?= $(subst -n 4,-n 5,$(WORKERS))

.DEFAULT_GOAL := help
.PHONY: help setup azure tools up down status preview test test-locations test-slow check docs bench lock clean

# Without compiled bytecode every process of Dagster takes about three times as long to start.
unexport PYTHONDONTWRITEBYTECODE

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo "  STACK=name chooses another stack than local; ARGS='…' is handed on to hybrid or pytest."

setup: ## Make or refresh the environment .venv from requirements.lock
	@./bootstrap.sh

azure: ## Install what stacks in Azure need beside the rest, and keep it installed
	@./bootstrap.sh azure

tools: setup ## Get the Pulumi CLI when it is missing
	@.venv/bin/hybrid tools install

up: tools ## Stand the stack up; ends when the agent is RUNNING and every location is loaded
	@.venv/bin/hybrid up $(STACK) $(ARGS)

down: tools ## Take the stack away
	@.venv/bin/hybrid down $(STACK) $(ARGS)

status: setup ## Show the agent and the code locations as Dagster+ sees them
	@.venv/bin/hybrid status $(STACK) $(ARGS)

preview: tools ## Show what `make up` would change
	@.venv/bin/hybrid preview $(STACK) $(ARGS)

test: tools ## Run the tests
	@tests/locations.sh hello
	.venv/bin/pytest $(WORKERS) $(ARGS)

test-locations: setup ## Run each code location's own tests in its own environment
	@tests/locations.sh

test-slow: azure tools test-locations ## Run the tests that take minutes
	.venv/bin/pytest $(SLOW_WORKERS) -m "slow and not live" $(ARGS)

check: setup ## Check style, types and the import rule
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest -q tests/unit/test_architecture.py

docs: setup ## Write docs/{settings,conformance,costs,iam,kubernetes,policies,review-json}.md anew from what they describe
	@.venv/bin/python -m stacks.reference > docs/settings.md
	@.venv/bin/python -m hybrid.emulator.conformance > docs/conformance.md
	@.venv/bin/python -m hybrid.costs.reference > docs/costs.md
	@.venv/bin/python -m agent.iam_reference > docs/iam.md
	@.venv/bin/python -m agent.kubernetes_reference docs/kubernetes.md
	@.venv/bin/python -m policies.reference > docs/policies.md
	@.venv/bin/python -m hybrid.review.reference > docs/review-json.md

bench: azure tools ## Measure speed and memory, each beside its peer
	@.venv/bin/python -m benchmarks $(ARGS)

lock: setup ## Write every requirements.lock anew (ARGS=--upgrade takes newer releases)
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.11 --all-extras pyproject.toml -o requirements.lock $(ARGS)
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --constraint requirements.lock requirements-azure.in -o requirements-azure.lock $(ARGS)
	for folder in locations/*/; do .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header \
		--no-emit-index-url --python-version 3.11 $$folder/pyproject.toml -o $$folder/requirements.lock $(ARGS); done
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--python-version 3.11 --constraint requirements.lock agent/image/requirements.in \
		-o agent/image/requirements.lock $(ARGS)

clean: ## Remove the environment and caches; stacks and their state stay
	rm -rf .venv .hybrid/bootstrap .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
