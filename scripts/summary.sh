#!/usr/bin/env bash
# Prints "N passed, N failed" for a log of `bun test` (its last summary counts) and exits with the status given. A run
# that failed without a failing test (format, lint, types, a crash) counts as one failure.
set -euo pipefail
status=$1 log=$2

last() { sed 's/\x1b\[[0-9;]*m//g' "$log" | awk -v word="$1" '$2 == word && NF == 2 && $1 ~ /^[0-9]+$/ { n = $1 } END { print n + 0 }'; }
passed=$(last pass) failed=$(last fail)
if ((status != 0 && failed == 0)); then failed=1; fi
printf '%d passed, %d failed\n' "$passed" "$failed"
if ((failed > 0 && status == 0)); then status=1; fi
exit "$status"
