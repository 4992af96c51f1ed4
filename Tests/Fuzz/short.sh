#!/usr/bin/env bash
# The short test of the fuzz targets: each over its corpus and a fixed number of seeded mutations,
# under AddressSanitizer with UndefinedBehaviorSanitizer and under ThreadSanitizer, two threads at a
# time. Then the header scan against Python's json. No fuzzer, no clock.
#
#   Tests/Fuzz/short.sh                              everything (make test)
#   Tests/Fuzz/short.sh TARGET [OPTION...] [FILE]    one target, as driver.c takes it, to replay
#
# YARDMASTER_TEST_SEED gives the seed. Exit status: 0 all passed, 1 not, 77 skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
. Tests/Fuzz/toolchain.sh

# How long an input may take at most: one that hangs is a finding, too.
readonly patience_s=120
seed=${YARDMASTER_TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}

# Mutations of a target: what takes a second or two.
count_of() {
    case $1 in
        curve | curve_stream | peer) echo 500 ;;
        scan_json | names | intake) echo 2000 ;;
        *) echo 10000 ;;
    esac
}

# run KIND TARGET ARGUMENT...
run() {
    local kind=$1 name=$2 words=Tests/Fuzz/words/$2.dict
    shift 2
    [ -f "$words" ] && set -- --words "$words" "$@"
    timeout "$patience_s" .build/fuzz/"$kind"/"$name" "$@"
}

if [ $# -gt 0 ]; then
    name=$1
    shift
    "${make[@]}" KIND=address "$name"
    # A replay of a mutation needs the corpus; one of a file does not.
    case " $* " in *" --"*) set -- "$@" "Tests/Fuzz/corpus/$name" ;; esac
    run address "$name" "$@"
    echo "$name: nothing found"
    exit 0
fi

passed=0 failed=0
check() {
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $*"
    fi
}

.venv/bin/python Tests/Fuzz/make_corpus.py --check || failed=1
for kind in address thread; do
    "${make[@]}" -j2 KIND=$kind all
    for name in $targets; do
        count=$(count_of "$name")
        echo "$kind $name: corpus and $count mutations of seed $seed" \
            "(YARDMASTER_TEST_SEED=$seed Tests/Fuzz/short.sh)"
        check run $kind "$name" --seed "$seed" --count "$count" --threads 2 \
            "Tests/Fuzz/corpus/$name"
    done
done
"${make[@]}" KIND=plain lines
check .venv/bin/python Tests/Fuzz/scan_against_json.py --seed "$seed"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
