#!/usr/bin/env bash
# Feeds the SCIM parsers whatever an evolving generator of bytes comes up with.
#
#   tests/fuzz.sh                 every target, five minutes each
#   tests/fuzz.sh filter patch    these
#
# FUZZ_SECONDS changes the time. Needs the nightly compiler and cargo-fuzz, and gets both. What
# crashes a target is left in fuzz/artifacts/, and belongs into a test.

set -euo pipefail
cd "$(dirname "$0")/.."

cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(filter path patch json)
for target in "${targets[@]}"; do
  echo "== $target"
  mkdir -p "fuzz/corpus/$target"
  # No sanitizer: there is no unsafe code to watch, and without one it is several times as fast. A
  # heavy input is a finding too: a second is an age for any of these.
  cargo +nightly fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="${FUZZ_SECONDS:-300}" -timeout=5 -rss_limit_mb=2048 -max_len=16384 \
    -print_final_stats=1
done
