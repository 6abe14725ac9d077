#!/usr/bin/env bash
# Runs every check and test of the source tree, from nothing but npm. Ends with one line, "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."

if ! scripts/bootstrap.sh --tests; then
  echo '0 passed, 1 failed'
  exit 1
fi
mkdir -p dist
log=dist/test.log
PATH="$PWD/node_modules/.bin:$PATH" bun run check 2>&1 </dev/null | tee "$log"
status=${PIPESTATUS[0]}

exec scripts/summary.sh "$status" "$log"
