#!/usr/bin/env bash
# Gets ready what the tests need beside cargo: a browser and its driver, for tests/browser.
# Run by `make test`. Where it cannot install them it says so, and the tests that need them fail.
set -euo pipefail

there() { command -v "$1" >/dev/null 2>&1; }

if there chromedriver && { there chromium || there chromium-browser || there google-chrome; }; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi

if there apt-get && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
  echo 'installing chromium and chromium-driver for the tests of the console'
  # The list may be stale or missing; an update that fails shows in the install.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core && exit 0
fi

echo "tests/browser needs Chromium and chromedriver: on Debian, 'apt-get install chromium chromium-driver'" >&2
