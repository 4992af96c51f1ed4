#!/bin/sh
# Counters a task of a scheduler under load: instructions, cycles, cache misses (where the machine
# has a PMU; says so where not), context switches, and system calls by name.
#   perf/stat.sh [CANDIDATE] [yard-load options]       perf/stat.sh uring --in-flight 1024
# Two runs: one under perf stat, one under strace -c -f, which slows the scheduler down: its calls a
# task are then those of a slower scheduler (larger batches, fewer calls). Needs linux-perf, strace.
set -eu
cd "$(dirname "$0")"
. ./python.sh
make -s all
candidate=${1:-uring}
[ $# -gt 0 ] && shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
events=task-clock,context-switches,cpu-migrations,page-faults
events=$events,instructions:u,instructions:k,cycles,cache-references,cache-misses,branch-misses
if command -v perf >/dev/null; then
    "$PYTHON" one.py "$candidate" --attach "exec perf stat -x, -o $work/perf -e $events -p {pid}" \
        "$@" >"$work/perf.json" || true
else
    echo "perf is missing: apt-get install linux-perf" >&2
fi
if command -v strace >/dev/null; then
    "$PYTHON" one.py "$candidate" --attach "exec strace -c -f -o $work/strace -p {pid}" \
        "$@" >"$work/strace.json" 2>"$work/errors" || true
else
    echo "strace is missing: apt-get install strace" >&2
fi
exec "$PYTHON" stat_table.py "$work"
