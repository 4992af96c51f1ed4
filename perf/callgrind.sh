#!/bin/sh
# Instructions and cache misses a task of a scheduler's own code, by stage, from callgrind's model of
# a processor: no PMU needed, and the same on a busy machine. The kernel's work is not in it.
#   perf/callgrind.sh [CANDIDATE] [yard-load options]     perf/callgrind.sh epoll --in-flight 1024 --unsigned
# CANDIDATE: epoll (default) or floor; valgrind cannot run io_uring, and starves libzmq's threads.
# Valgrind has no AVX-512 and no SHA instructions: signatures cost fifty times what they do, and
# comparing headers more than it does. A scheduler this slow has larger turns. Needs valgrind.
set -eu
cd "$(dirname "$0")"
. ./python.sh
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 69; }
make -s all
candidate=${1:-epoll}
[ $# -gt 0 ] && shift
case $candidate in
    epoll) binary=${YARDMASTER:-$PWD/../.build/release/yardmaster} loop='*9SchedulerC4loop*' ;;
    floor) binary=$PWD/build/yard-floor loop=floor_run ;;
    *) echo "callgrind.sh: epoll or floor, not $candidate" >&2; exit 64 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Without its debug information, which this valgrind may not be able to read.
strip -g -o "$work/binary" "$binary"
# The machine's own caches, or common ones.
size() { getconf "$1" 2>/dev/null | grep -x '[1-9][0-9]*' || echo "$2"; }
l1=$(size LEVEL1_DCACHE_SIZE 32768),$(size LEVEL1_DCACHE_ASSOC 8),64
l2=$(size LEVEL2_CACHE_SIZE 1048576),$(size LEVEL2_CACHE_ASSOC 16),64
cat >"$work/wrapped" <<SCRIPT
#!/bin/sh
exec valgrind -q --tool=callgrind --cache-sim=yes --D1=$l1 --LL=$l2 --toggle-collect='$loop' \
    --callgrind-out-file=$work/profile.%p "$work/binary" "\$@"
SCRIPT
chmod +x "$work/wrapped"
YARDMASTER=$work/wrapped FLOOR=$work/wrapped "$PYTHON" one.py "$candidate" \
    --warmup 1 --seconds 10 "$@" >"$work/result.json" 2>"$work/errors" || {
    cat "$work/errors" "$work/result.json" >&2
    exit 1
}
set -- "$work"/profile.*
if command -v swift >/dev/null; then
    swift demangle --simplified <"$1" >"$work/readable" && mv "$work/readable" "$1"
fi
exec "$PYTHON" callgrind.py "$1" "$work/result.json"
