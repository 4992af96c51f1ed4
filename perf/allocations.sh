#!/bin/sh
# Heap allocations a task in steady state, as a test: at most 1 in 100 tasks (arrays that double).
#   perf/allocations.sh [CANDIDATE [yard-load options]]     default: uring and epoll, 64 and 1,024
# in flight, plain tasks, retries and payloads of 20 kB. Status 1: a run allocates more.
set -eu
cd "$(dirname "$0")"
. ./python.sh
make -s all build/allocations.so
binary=${YARDMASTER:-$PWD/../.build/release/yardmaster}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/counted" <<SCRIPT
#!/bin/sh
export LD_PRELOAD=$PWD/build/allocations.so ALLOCATIONS_FILE=$work/counters
exec "$binary" "\$@"
SCRIPT
chmod +x "$work/counted"
failed=0

# measure CANDIDATE OPTIONS...
measure() {
    rm -f "$work/counters"
    YARDMASTER=$work/counted "$PYTHON" one.py "$@" --warmup-tasks 200000 --seconds 1 \
        --attach "exec '$PYTHON' allocations.py '$work/counters' '$work/counted.json'" \
        >"$work/result.json"
    "$PYTHON" allocations.py --judge "$work/result.json" "$work/counted.json" "$*" || failed=1
}

if [ $# -gt 0 ]; then
    measure "$@"
else
    for candidate in uring epoll; do
        measure $candidate --in-flight 64
        measure $candidate --in-flight 1024
        measure $candidate --in-flight 64 --workload retries
        measure $candidate --in-flight 64 --payload 20000
    done
fi
exit $failed
