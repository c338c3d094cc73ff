#!/usr/bin/env bash
# Gets ready what the tests push into: SCIM service providers that others wrote, on Node.js.
set -euo pipefail
cd "$(dirname "$0")/peers"

wanted=$(sha256sum package.json)
# Installed again whenever the versions change.
if [ "$(cat node_modules/wanted 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi
command -v npm >/dev/null || apt-get install -y -qq --no-install-recommends nodejs npm
rm -rf node_modules
npm install --ignore-scripts --no-audit --no-fund --no-package-lock --omit=dev --loglevel=error
echo "$wanted" >node_modules/wanted
