#!/usr/bin/env bash
# How long runs take and what they use, against pretend tenants on this machine.
#
# Builds with optimisation and prints tables in Markdown. Arguments go to the bench program:
#
#   tests/bench.sh --small              a minute
#   tests/bench.sh                      1,000 to 100,000 users
#   tests/bench.sh --big                a million users as well
#   tests/bench.sh --tenant okta-10k --runs 5
#   tests/bench.sh latency          from a change to the account in the portal
#   tests/bench.sh idle             what the daemon costs while nothing happens
#
# docs/BENCHMARKS.md says what the rows mean.

set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --release --locked --workspace
what=run
case "${1:-}" in
    latency | idle)
        what=$1
        shift
        ;;
esac
exec "${CARGO_TARGET_DIR:-target}/release/rosterd-bench" "$what" "$@"
