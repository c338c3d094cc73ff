#!/usr/bin/env bash
# Gets ready what the tests need beside cargo: a browser and its driver for tests/browser, and two
# programs that judge SCIM servers, in an environment of their own under target/. Run by `make
# test`. Where it cannot install the browser it says so, and the tests that need it fail.
set -euo pipefail
cd "$(dirname "$0")/.."

there() { command -v "$1" >/dev/null 2>&1; }

# install WHAT FOR...: Debian packages, as root or with a sudo that asks nothing.
install() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
  there apt-get && "${as_root[@]}" true 2>/dev/null || return 1
  echo "installing $* for the tests"
  # The list may be stale or missing; an update that fails shows in the install.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@"
}

if ! there chromedriver || ! { there chromium || there chromium-browser || there google-chrome; }; then
  install chromium chromium-driver fonts-dejavu-core || echo "tests/browser needs Chromium and \
chromedriver: on Debian, 'apt-get install chromium chromium-driver'" >&2
fi

venv=target/scim-venv
wanted='scim2-cli==0.6.0 scim2-tester==0.5.2 scim2-client==0.13.2 scim2-models==0.12.3 scim-sanity==0.7.4'
# Made again whenever the versions change.
if [ "$(cat "$venv/wanted" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv" || { install python3-venv && python3 -m venv "$venv"; }
  # shellcheck disable=SC2086 # one word each
  "$venv/bin/pip" install --quiet --disable-pip-version-check $wanted
  echo "$wanted" >"$venv/wanted"
fi
