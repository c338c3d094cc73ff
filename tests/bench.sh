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
#   tests/bench.sh scim                 the SCIM endpoint, 10,000 users
#   tests/bench.sh scim --users 1000000 --fill --cache 1GiB
#   tests/bench.sh postgres            the first load of a database
#
# docs/BENCHMARKS.md says what the rows mean.

set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --release --locked --workspace
bench="${CARGO_TARGET_DIR:-target}/release/rosterd-bench"
case "${1:-}" in
  latency | idle | scim | postgres) exec "$bench" "$@" ;;
esac
"$bench" run "$@"
# Without a choice of tenants, the SCIM endpoint and the daemon as well.
if [ $# -eq 0 ]; then
  for what in scim latency idle; do
    echo
    "$bench" "$what"
  done
fi
