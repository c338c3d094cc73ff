# What can be done here. `make` alone lists it.

SHELL := /bin/bash

# How many cases each property test tries under `make fuzz`.
FUZZ_CASES ?= 20000

.DEFAULT_GOAL := help
.PHONY: help demo test bench soak fuzz fmt lint ci setup

help: ## This list.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

demo: ## A pretend company, a dry run, a sync, and a second sync that does nothing.
	@bash tests/demo.sh

# tests/setup.sh gets ready whatever the tests need beside cargo. Without it they need nothing.
setup:
	@if [ -f tests/setup.sh ]; then bash tests/setup.sh; fi

test: setup ## Every test, and the examples in the documentation of the code.
	@if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run --workspace --locked && cargo test --workspace --locked --doc; \
	else \
	  cargo test --workspace --locked; \
	fi

bench: ## How long runs take, and how much memory, against pretend tenants.
	@bash tests/bench.sh

soak: ## Many runs with faults and kills in between, and a look at the state after each.
	@bash tests/soak.sh

fuzz: ## The property tests with many more cases (FUZZ_CASES, 20000 unless set).
	PROPTEST_CASES=$(FUZZ_CASES) cargo test --workspace --locked --lib

fmt: ## Formats the code.
	cargo fmt --all

lint: ## Formatting and lints, as the checks of a change see them.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

ci: ## Everything that a change has to pass.
	@bash .ci/run
