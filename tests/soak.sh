#!/usr/bin/env bash
# Ten minutes of changes, faults and kills, and a look at the state in between; then ten minutes
# of the daemon with schedules of seconds, signals, and a look at its memory as well.
#
# The same store lives through everything. After every few rounds what it holds must equal a
# store that was filled from nothing at that moment, and what its target holds.
#
#   tests/soak.sh                     ten minutes each
#   tests/soak.sh --seconds 60 --seed 7

set -euo pipefail
cd "$(dirname "$0")/.."

profile=${SOAK_PROFILE:-dev}
directory=${profile/dev/debug}
cargo build --quiet --profile "$profile" --locked --workspace
bench="${CARGO_TARGET_DIR:-target}/$directory/rosterd-bench"
"$bench" soak "$@"
"$bench" soak-daemon "$@"
