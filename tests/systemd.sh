#!/bin/bash
# Holds the unit to what it promises: systemd understands every line of it, and grades its
# sandbox at 1.5 or better (of 10, less is better).
set -euo pipefail
cd "$(dirname "$0")/.."

command -v systemd-analyze >/dev/null || {
  echo "tests/systemd.sh needs systemd-analyze, which is not here" >&2
  exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The program and the manual need not be installed for this.
sed -e 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' -e '/^Documentation=/d' \
  systemd/rosterd.service >"$folder/rosterd.service"

said=$(systemd-analyze verify "$folder/rosterd.service" 2>&1) || { echo "$said" >&2; exit 1; }
if grep -F rosterd <<<"$said" >&2; then
  exit 1
fi
systemd-analyze security --offline=true --no-pager --threshold=15 "$folder/rosterd.service" |
  tail -n 1
