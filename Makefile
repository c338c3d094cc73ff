# What can be done here. `make` alone lists it.

SHELL := /bin/bash

# How many cases each property test tries under `make fuzz`.
FUZZ_CASES ?= 20000

.DEFAULT_GOAL := help
.PHONY: help demo test bench soak fuzz fmt lint unit install uninstall deb ci setup

# Where `make install` puts things; DESTDIR goes before all of it, for packages.
PREFIX ?= /usr/local
UNITS ?= /etc/systemd/system
# The program to install.
BIN ?= target/release/rosterd

help: ## This list.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

demo: ## A pretend company, a dry run, a sync, and a second sync that does nothing.
	@bash tests/demo.sh

# What the tests need beside cargo: a browser, PostgreSQL, and programs that judge SCIM servers.
setup:
	@bash tests/setup-browser.sh
	@bash tests/setup-scim.sh
	@bash tests/setup-peers.sh
	@bash tests/setup-postgres.sh

# The tests wait for processes and the disk more than for a core.
TEST_THREADS ?= $(shell echo $$(( 2 * $$(nproc) )))

test: setup ## Every test, and the examples in the documentation of the code.
	@if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run --workspace --locked --test-threads $(TEST_THREADS) && cargo test --workspace --locked --doc; \
	else \
	  cargo test --workspace --locked -- --test-threads $(TEST_THREADS); \
	fi

bench: ## How long runs take, and how much memory, against pretend tenants.
	@bash tests/bench.sh

soak: ## Many runs with faults and kills in between, and a look at the state after each.
	@bash tests/soak.sh

fuzz: ## The SCIM parsers, five minutes each (FUZZ_SECONDS), then the property tests with many cases.
	@bash tests/fuzz.sh
	PROPTEST_CASES=$(FUZZ_CASES) cargo test --workspace --locked --lib

fmt: ## Formats the code.
	cargo fmt --all

lint: ## Formatting and lints, as the checks of a change see them.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

unit: ## The systemd unit: the grade of its sandbox, and its life under a real systemd (root).
	@bash tests/systemd/unit.sh
	@bash tests/systemd/service.sh

install: ## The program, its manual and completions, and the systemd unit (PREFIX, DESTDIR).
	@test -x $(BIN) || { echo "$(BIN) is not there: 'cargo build --release --locked' makes it" >&2; exit 1; }
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/rosterd
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/doc/rosterd
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -d $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -d $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(BIN) man >$(DESTDIR)$(PREFIX)/share/man/man1/rosterd.1
	$(BIN) completions bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/rosterd
	$(BIN) completions zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_rosterd
	$(BIN) completions fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/rosterd.fish
	install -m 0644 config/rosterd.toml $(DESTDIR)$(PREFIX)/share/doc/rosterd/sample.toml
	install -d $(DESTDIR)/etc/rosterd $(DESTDIR)$(UNITS)
	sed 's|/usr/local/bin|$(PREFIX)/bin|' systemd/rosterd.service >$(DESTDIR)$(UNITS)/rosterd.service
	chmod 0644 $(DESTDIR)$(UNITS)/rosterd.service
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

deb: ## A Debian package, in target/debian.
	@cargo deb --version >/dev/null 2>&1 || cargo install --locked cargo-deb
	@test -x $(BIN) || cargo build --release --locked
	rm -rf target/package
	$(MAKE) --no-print-directory install DESTDIR=target/package PREFIX=/usr UNITS=/usr/lib/systemd/system
	cargo deb --locked --no-build

uninstall: ## Takes away what install put there. Settings and the store stay.
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl disable --now rosterd || true; fi
	rm -f $(DESTDIR)$(UNITS)/rosterd.service $(DESTDIR)$(PREFIX)/bin/rosterd
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/rosterd.1
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/rosterd
	rm -f $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_rosterd
	rm -f $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/rosterd.fish
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/rosterd
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

ci: ## Everything that a change has to pass.
	@bash .ci/run
