#!/usr/bin/env bash
# All of ipyparallel's own test files that meet the task scheduler, on yardmaster: hwm 1 and 0, then
# lbview and dependency with CURVE. Takes about ten minutes; needs `make build` first.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=0
for options in "--hwm 1" "--hwm 0" "--curve lbview dependency"; do
    echo "== conformance $options"
    # shellcheck disable=SC2086 # options are words
    Tests/Conformance/run.sh $options || failed=$((failed + 1))
done
echo "$((3 - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
