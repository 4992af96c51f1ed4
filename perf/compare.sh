#!/bin/sh
# Runs yardmaster (io_uring, epoll, libzmq), ipyparallel's schedulers and the floor side by side.
#   perf/compare.sh            two minutes
#   perf/compare.sh --full     everything, about half an hour
# Writes perf/results/DATE-KIND.json and .html. PYTHON: one that has ipyparallel.
set -eu
cd "$(dirname "$0")"
. ./python.sh
make -s all
exec "$PYTHON" compare.py "$@"
