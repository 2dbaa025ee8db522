# Everything a checkout needs. `make` alone shows the targets; set-up happens where it is needed.
#
# ARGS is handed on:       make test ARGS="tests/unit -k money"
# PYTHON names a Python:   make run PYTHON=python3.12

BIN := .venv/bin
# Two workers suit the smallest machine that Cambist is tested on.
JOBS ?= 2
ARGS ?=
export PYTHON

RUNTIME := .venv/.runtime
DEV := .venv/.dev
NODE := node_modules/.ready
PACKAGES := pyproject.toml clients/python/pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run demo test check crash bench proto format lock clean

help: ## this table
	@printf '\nCambist: every exchange and every DEX behind one gRPC API\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  ARGS="..." is handed on to run, demo, test, check, crash and bench.\n\n'

setup: $(RUNTIME) $(NODE) ## install what the daemon needs into .venv and node_modules

setup-dev: $(DEV) $(NODE) ## the same with the tools of development

run: setup ## start the daemon with the sandbox: paper exchanges, local chains
	$(BIN)/cambistd run --profile sandbox $(ARGS)

demo: setup ## show what a bot does, in a sandbox of its own
	$(BIN)/python -m examples.demo $(ARGS)

test: setup-dev ## run the tests
	$(BIN)/pytest -n $(JOBS) --dist loadgroup $(ARGS)

check: setup-dev ## lint, types, imports, contract, generated code, floats, lock files
	$(BIN)/python -m tools.check $(ARGS)

crash: setup-dev ## kill the daemon at every step and hundreds of times at random
	$(BIN)/python -m tests.crash $(ARGS)

bench: setup-dev ## measure, beside the peers that Cambist is compared with
	$(BIN)/python -m bench $(ARGS)

proto: setup-dev ## generate the Python of the contract from proto/
	$(BIN)/python -m tools.gen_proto

format: setup-dev ## format, and mend what lint can mend by itself
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: setup-dev ## write the lock files anew; ARGS=--upgrade takes the newest versions
	$(BIN)/pip install --quiet uv
	$(BIN)/python -m tools.lock $(ARGS)

clean: ## remove caches and results; keeps the set-up and the daemon's state
	rm -rf .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis bench/out build clients/python/build
	find . \( -name .venv -o -name node_modules -o -name .git \) -prune -o -name __pycache__ -exec rm -rf {} +

# Stamps: each newer than all that it was made from, so that a second run costs nothing.
$(RUNTIME): requirements.lock $(PACKAGES)
	@tools/setup.sh runtime

$(DEV): requirements-dev.lock $(PACKAGES)
	@tools/setup.sh dev

$(NODE): package.json package-lock.json
	@tools/setup.sh node
