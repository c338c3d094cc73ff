#!/usr/bin/env bash
# Gets ready what the tests of the postgres target need: PostgreSQL's own programs. The tests start
# clusters of their own with them, in temporary directories, and end them again.
# Run by `make test`. Where it cannot install them it says so, and the tests that need them fail.
set -euo pipefail

there() { command -v "$1" >/dev/null 2>&1; }

if there initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi

if there apt-get && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
  echo 'installing postgresql for the tests of the postgres target'
  # The list may be stale or missing; an update that fails shows in the install.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends postgresql && exit 0
fi

echo "the tests of the postgres target need PostgreSQL: on Debian, 'apt-get install postgresql'" >&2
