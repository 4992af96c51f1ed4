#!/bin/sh
# Memory per million finished tasks, and per waiting task, of yardmaster and the Python scheduler.
#   perf/memory.sh [--tasks 10000000] [--only uring,stock]
set -eu
cd "$(dirname "$0")"
. ./python.sh
make -s all
exec "$PYTHON" memory.py "$@"
