#!/bin/sh
# A flame graph of a scheduler under load, Swift, C and kernel symbols, from one command; and a table
# of where a task's CPU time goes, by stage.
#   perf/flame.sh [CANDIDATE] [yard-load options]      perf/flame.sh uring --in-flight 1024
# CANDIDATE: uring (default), epoll, zmq, floor, pure, stock. Writes perf/results/flame-CANDIDATE.svg
# (or $OUTPUT). Stacks come from frame pointers; CALL_GRAPH=dwarf unwinds code built without them.
# Needs perf (linux-perf); RATE samples a second (default 2999).
set -eu
cd "$(dirname "$0")"
. ./python.sh
command -v perf >/dev/null || { echo "perf is missing: apt-get install linux-perf" >&2; exit 69; }
make -s all
candidate=${1:-uring}
[ $# -gt 0 ] && shift
output=${OUTPUT:-results/flame-$candidate.svg}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$output")"
attach="exec perf record -q -F ${RATE:-2999} --call-graph ${CALL_GRAPH:-fp} -o $work/data -p {pid}"
"$PYTHON" one.py "$candidate" --attach "$attach" "$@" >"$work/result.json" || {
    echo "the load generator failed or saw a violation; its result:" >&2
    cat "$work/result.json" >&2
    [ -s "$work/data" ] || exit 1
}
perf script -i "$work/data" -F comm,tid,ip,sym,dso 2>/dev/null >"$work/script"
if command -v swift >/dev/null; then
    swift demangle --simplified <"$work/script" >"$work/readable" 2>/dev/null &&
        mv "$work/readable" "$work/script"
fi
"$PYTHON" where.py "$work/script" "$work/result.json"
"$PYTHON" flame.py "$work/script" "$work/result.json" >"$output"
echo "wrote $output"
