#!/usr/bin/env bash
# Gets ready what the tests need beside cargo: programs that judge SCIM servers and signatures,
# in an environment of their own under target/, and Node.js.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v node >/dev/null; then
  apt-get install -y -qq --no-install-recommends nodejs
fi
venv=target/scim-venv
wanted='scim2-cli==0.6.0 scim2-tester==0.5.2 scim2-client==0.13.2 scim2-models==0.12.3 scim-sanity==0.7.4 scim2-server==0.8.3 standardwebhooks==1.1.0'
# Made again whenever the versions change.
if [ "$(cat "$venv/wanted" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi
rm -rf "$venv"
# Debian has the module in a package of its own.
python3 -m venv "$venv" 2>/dev/null || {
  apt-get install -y -qq --no-install-recommends python3-venv
  python3 -m venv --clear "$venv"
}
# shellcheck disable=SC2086 # one word each
"$venv/bin/pip" install --quiet --disable-pip-version-check $wanted
echo "$wanted" >"$venv/wanted"
