#!/usr/bin/env bash
# Runs ipyparallel's own tests on yardmaster: run.py in the private Python, prepared if need be.
# Usage: Tests/Conformance/run.sh [options of run.py]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
"$root/tools/bootstrap.sh" test
exec "$root/.venv/bin/python" "$root/Tests/Conformance/run.py" "$@"
