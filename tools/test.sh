#!/usr/bin/env bash
# Every test that continuous integration runs (make test). Installs what it lacks, prints what each
# suite counted, ends with one line of totals: `N passed, N failed`.
#
#   tools/test.sh            all suites
#   tools/test.sh NAME...    only these: tidy swift neon fuzz simulator package wire wire-epoll
#                            wire-lanes wire-zmq differential differential-zmq conformance
#                            conformance-zmq perf allocations
set -uo pipefail
cd "$(dirname "$0")/.."

tools/bootstrap.sh test || exit 1
readonly logs=.build/test-logs
mkdir -p "$logs"
suites=${*:-tidy swift neon fuzz simulator package wire wire-epoll wire-lanes wire-zmq \
    differential differential-zmq conformance conformance-zmq perf allocations}
passed=0 failed=0
summary=() failures=()

# run NAME COMMAND...: one suite, its output shown and kept; counts one pass or one failure unless
# the suite prints counts of its own that `count` understands.
run() {
    local name=$1 log=$logs/$1.log started=$SECONDS status
    shift
    case " $suites " in *" $name "*) ;; *) return ;; esac
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    count "$name" "$log" "$status" $((SECONDS - started))
}

# what_failed LOG: the lines that name a failure (pytest, swift test, ours), or else the last ones.
what_failed() {
    { grep -aE '^(FAILED|ERROR) |✘|^(FAIL|fail) |error: ' "$1" || tail -n 5 "$1"; } |
        tail -n 10 | cut -c 1-200
}

count() {
    local name=$1 log=$2 status=$3 seconds=$4 good=0 bad=0
    # pytest: "12 passed, 1 failed"; swift test: "Test run with 80 tests ... passed"; ours alike.
    good=$(sed -n 's/.*[^0-9]\([0-9][0-9]*\) passed.*/\1/p; s/^\([0-9][0-9]*\) passed.*/\1/p' "$log" | tail -n 1)
    bad=$(sed -n 's/.*[^0-9]\([0-9][0-9]*\) failed.*/\1/p; s/^\([0-9][0-9]*\) failed.*/\1/p' "$log" | tail -n 1)
    if [ -z "$good" ]; then
        good=$(sed -n 's/.*Test run with \([0-9]*\) tests.* passed after.*/\1/p' "$log" | tail -n 1)
    fi
    good=${good:-0} bad=${bad:-0}
    if [ "$status" -eq 77 ]; then
        summary+=("$name: skipped (${seconds} s)")
        return
    fi
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    # Said once more at the end: whoever has the last lines alone must see what failed.
    if [ "$bad" -ne 0 ]; then failures+=("-- $name:" "$(what_failed "$log")"); fi
    if [ "$status" -eq 0 ] && [ "$good" -eq 0 ]; then good=1; fi
    passed=$((passed + good)) failed=$((failed + bad))
    summary+=("$name: $good passed, $bad failed (${seconds} s)")
}

readonly python=.venv/bin/python

swift build -c release --product yardmaster || exit 1
export YARDMASTER_BINARY=$PWD/.build/release/yardmaster

run tidy tools/tidy.py
run swift swift test
run neon Tests/Neon/neon.sh
run fuzz Tests/Fuzz/short.sh
# Always the same seeds: an unrelated change must not turn red by luck. `make simulate-soak` draws.
simulate() {
    swift build -c release --product simulate && .build/release/simulate 1 --seeds 1000
}
run simulator simulate
run package $python -m pytest -q -p no:cacheprovider integrations/ipyparallel/tests \
    --binary "$YARDMASTER_BINARY"
# A few kills and handovers; CONTRIBUTING.md has the long runs.
run wire env YARDMASTER_KILLS=4 YARDMASTER_HANDOVERS=3 $python -m pytest -q -p no:cacheprovider Tests/Wire
# The same over the other transports: the binary under names that ask for them.
over() {
    local name=$PWD/.build/yardmaster-$1
    shift
    cat > "$name" <<SCRIPT
#!/bin/sh
[ "\$1" = scheduler ] || exec "$YARDMASTER_BINARY" "\$@"
shift
exec "$YARDMASTER_BINARY" scheduler $* "\$@"
SCRIPT
    chmod +x "$name"
    echo "$name"
}
epoll=$(over epoll --transport native --io epoll)
lanes=$(over lanes --transport native --io-threads 2)
zmq=$(over zmq --transport zmq)
# The journal's tests name their transports themselves.
others=$(printf -- '--ignore %s ' Tests/Wire/test_7_journal*.py)
run wire-epoll env YARDMASTER_BINARY="$epoll" $python -m pytest -q -p no:cacheprovider $others Tests/Wire
run wire-lanes env YARDMASTER_BINARY="$lanes" $python -m pytest -q -p no:cacheprovider $others Tests/Wire
run wire-zmq env YARDMASTER_BINARY="$zmq" $python -m pytest -q -p no:cacheprovider $others Tests/Wire
run differential $python Tests/Differential/run.py --scripts 60
run differential-zmq env YARDMASTER_BINARY="$zmq" $python Tests/Differential/run.py --scripts 20
run conformance Tests/Conformance/run.sh lbview dependency
run conformance-zmq env YARDMASTER_BINARY="$zmq" Tests/Conformance/run.sh lbview
run perf perf/selftest.sh
run allocations perf/allocations.sh

printf '\n'
printf '%s\n' "${summary[@]}"
[ "$failed" -eq 0 ] || printf '%s\n' "${failures[@]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
