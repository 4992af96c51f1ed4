#!/usr/bin/env bash
# `make demo`: prepares the machine, builds yardmaster in release mode, runs examples/demo.py.
# Usage: tools/demo.sh [options of examples/demo.py]
set -euo pipefail
cd "$(dirname "$0")/.."

tools/bootstrap.sh
swift build -c release --product yardmaster
# The checkout's own build, whatever else is on PATH; somebody's explicit choice stays.
export YARDMASTER_BINARY=${YARDMASTER_BINARY:-$PWD/.build/release/yardmaster}
exec .venv/bin/python examples/demo.py "$@"
