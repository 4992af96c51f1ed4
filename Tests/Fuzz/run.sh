#!/usr/bin/env bash
# Fuzzes one target, or all one after the other, with libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer.
#
#   Tests/Fuzz/run.sh TARGET [SECONDS] [OPTION OF LIBFUZZER...]     SECONDS: 60 by default
#   Tests/Fuzz/run.sh all [SECONDS]
#
# What it learns stays in .build/fuzz/corpus/TARGET and serves the next run. An input that breaks
# something is written to .build/fuzz/found: once it is understood, it goes to
# Tests/Fuzz/corpus/TARGET/found-WHAT, and stays there as a test.
# Exit status: 0 nothing found, 1 something found, 77 there is no fuzzer here.
set -euo pipefail
cd "$(dirname "$0")/../.."
. Tests/Fuzz/toolchain.sh

target=${1:-} seconds=${2:-60}
shift $(($# < 2 ? $# : 2))
case " all $targets " in
    *" ${target:- } "*) ;;
    *)
        echo "run.sh: which target? all, or one of: $targets" >&2
        exit 2
        ;;
esac
[[ $seconds =~ ^[1-9][0-9]*$ ]] || {
    echo "run.sh: \"$seconds\" is no number of seconds" >&2
    exit 2
}
[ "$target" = all ] || targets=$target

mkdir -p .build/fuzz/found
status=0
for name in $targets; do
    learned=.build/fuzz/corpus/$name words=Tests/Fuzz/words/$name.dict log=.build/fuzz/$name.log
    mkdir -p "$learned"
    "${make[@]}" KIND=fuzzer "$name"
    options=(-max_total_time="$seconds" -max_len=4096 -timeout=25 -rss_limit_mb=2048
        -print_final_stats=1 -entropic_scale_per_exec_time=1
        -artifact_prefix=".build/fuzz/found/$name-")
    [ -f "$words" ] && options+=(-dict="$words")
    printf '== %s: %s s\n' "$name" "$seconds"
    if ! nice -n 10 .build/fuzz/fuzzer/"$name" "${options[@]}" "$@" "$learned" \
        "Tests/Fuzz/corpus/$name" 2> "$log"; then
        status=1
        grep -v '^#' "$log" | tail -n 40 || true
    fi
    { grep -E '^#[0-9].*(DONE|pulse|NEW|REDUCE)' "$log" || true; } | tail -n 1
    { grep -E '^stat::(number_of_executed_units|peak_rss_mb|slowest)' "$log" || true; }
done
exit $status
