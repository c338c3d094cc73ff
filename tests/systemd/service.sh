#!/bin/bash
# Boots a systemd of its own in a container that has this machine's /usr and nothing else, and
# has it run the service as `make install` leaves it: start, ready, reload, crash, stop.
# In there, drive.sh asks the questions.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tests/systemd
bin=${1:-target/debug}

[ "$(id -u)" = 0 ] || { echo "$here/service.sh boots a container: run it as root" >&2; exit 1; }
command -v systemd-nspawn >/dev/null || {
  apt-get update -qq || true
  apt-get install -y -qq --no-install-recommends systemd-container >/dev/null
} || {
  echo "$here/service.sh needs systemd-nspawn: apt-get install systemd-container" >&2
  exit 1
}
[ -x "$bin/rosterd-sim" ] || cargo build --workspace --bins --locked

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
make --no-print-directory install BIN="$bin/rosterd" PREFIX=/opt DESTDIR="$folder/root" >/dev/null
install "$bin/rosterd-sim" "$here/drive.sh" "$folder/root/opt/bin/"
mkdir -p "$folder/root/etc/systemd/system/rosterd.service.d" "$folder/said"
cp "$here/rosterd.toml" "$folder/root/etc/rosterd/"
cp "$here/credentials.conf" "$folder/root/etc/systemd/system/rosterd.service.d/"
cp "$here"/{pretend-tenant,drive}.service "$folder/root/etc/systemd/system/"
# A secret that only root reads: the service has it from systemd.
install -m 0600 /dev/stdin "$folder/root/etc/rosterd/entra.secret" <<<sim-secret

binds=(--bind-ro="$folder/root/opt:/opt")
binds+=(--bind="$folder/root/etc/rosterd:/etc/rosterd" --bind="$folder/said:/said")
# There is no network to wait for.
binds+=(--bind-ro=/dev/null:/etc/systemd/system/systemd-networkd-wait-online.service)
for unit in "$folder"/root/etc/systemd/system/*; do
  binds+=(--bind-ro="$unit:/etc/systemd/system/${unit##*/}")
done
# No login, no journal on this machine, no network but the loopback.
timeout --kill-after 10 100 systemd-nspawn --quiet --directory=/ --volatile=yes --register=no \
  --keep-unit --private-network --console=pipe --machine="rosterd-$$" "${binds[@]}" \
  --boot systemd.unit=drive.service </dev/null >"$folder/said/console" 2>&1 || true

cat "$folder/said/progress" 2>/dev/null || true
[ -f "$folder/said/done" ] || {
  echo "the service did not pass; what was on the console, and in the journal:" >&2
  tail -n 20 "$folder/said/console" >&2
  tail -n 40 "$folder/said/journal" >&2 || true
  exit 1
}
