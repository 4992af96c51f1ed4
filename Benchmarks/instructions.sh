#!/usr/bin/env bash
# Counts the instructions that an operation of each case takes, and compares with Thresholds/.
#
#     ./instructions.sh                    every case; exit 1 when one takes more than it may
#     ./instructions.sh Core. Names.atom   cases whose id starts with one of these
#     ./instructions.sh --update [ID...]   writes the thresholds anew
#     ./instructions.sh --thresholds DIR   other thresholds, such as another commit's
#     ./instructions.sh --perf [ID...]     counts with the CPU (perf stat) and compares nothing:
#                                          a newer CPU runs other code in OpenSSL and the like
#
# A case runs twice under callgrind, with a low and a high number of rounds: the difference is what
# the additional rounds take, without start-up and preparation. Callgrind shows every x86-64 CPU
# with AVX2 as the same one, so the same binary and system libraries give the same counts.
# Exit: 0 all well, 1 a regression or a case that failed, 2 usage, 77 this machine cannot count.
set -u
cd "$(dirname "$0")" || exit 1

# Percent a count may be above its threshold: above what a neighbouring change shifts by chance
# (inlining, the layout of a struct), below what anyone would want to lose unseen.
readonly TOLERANCE_PERCENT=5

thresholds=Thresholds
update=no
counter=callgrind
prefixes=()
while [ $# -gt 0 ]; do
    case "$1" in
    --update) update=yes ;;
    --perf) counter=perf ;;
    --thresholds)
        [ $# -ge 2 ] || { echo "--thresholds needs a folder" >&2; exit 2; }
        thresholds=$2
        shift ;;
    -h | --help)
        sed -n '2,/^set -u/{/^#/s/^# \{0,1\}//p}' "$0"
        exit 0 ;;
    -*)
        echo "unknown option $1; --help lists them" >&2
        exit 2 ;;
    *) prefixes+=("$1") ;;
    esac
    shift
done
if [ "$counter" = perf ] && [ "$update" = yes ]; then
    echo "--update writes callgrind's counts: leave --perf out" >&2
    exit 2
fi

cannot_count() {
    echo "$1" >&2
    exit 77
}

if [ "$counter" = perf ]; then
    command -v perf >/dev/null || cannot_count "perf is missing: apt-get install linux-perf"
    perf stat -x, -e instructions:u true 2>&1 | grep -q '^[0-9]' ||
        cannot_count "this machine does not let perf count instructions: leave --perf out"
else
    command -v valgrind >/dev/null || cannot_count "valgrind is missing: apt-get install valgrind"
    [ "$(uname -m)" = x86_64 ] && grep -qw avx2 /proc/cpuinfo ||
        cannot_count "the thresholds are for x86-64 with AVX2, which this machine is not"
fi

command -v strip >/dev/null || cannot_count "strip is missing: apt-get install binutils"
swift build -c release --product instruction-driver >&2 || exit 1
folder=$(swift build -c release --product instruction-driver --show-bin-path 2>/dev/null) || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
# Without debug information, which valgrind before 3.20 cannot read in what this compiler writes.
driver=$scratch/instruction-driver
strip --strip-debug -o "$driver" "$folder/instruction-driver" || exit 1

# The core's kernel is named, hashes of dictionaries are not random, addresses neither, and the
# environment, which lies on the stack, is the same for everyone.
run_driver() {
    env -i PATH="$PATH" HOME=/ LC_ALL=C YARDMASTER_KERNEL=avx2 SWIFT_DETERMINISTIC_HASHING=1 \
        ${LD_LIBRARY_PATH:+LD_LIBRARY_PATH="$LD_LIBRARY_PATH"} \
        ${VALGRIND_LIB:+VALGRIND_LIB="$VALGRIND_LIB"} \
        setarch -R "$@"
}

# count ID ROUNDS: instructions of a whole run; nothing, and what it said, when it failed.
count() {
    local log="$scratch/log"
    if [ "$counter" = perf ]; then
        run_driver perf stat -x, -e instructions:u -o "$scratch/perf" "$driver" "$1" "$2" \
            >"$log" 2>&1 || { cat "$log" >&2; return 1; }
        sed -n 's/^\([0-9][0-9]*\),.*/\1/p' "$scratch/perf"
    else
        run_driver valgrind --tool=callgrind --callgrind-out-file=/dev/null "$driver" "$1" "$2" \
            >"$log" 2>&1 || { cat "$log" >&2; return 1; }
        sed -n 's/^==[0-9]*== Collected : \([0-9][0-9]*\)$/\1/p' "$log"
    fi
}

is_wanted() {
    local prefix
    [ ${#prefixes[@]} -eq 0 ] && return 0
    for prefix in "${prefixes[@]}"; do
        case "$1" in "$prefix"*) return 0 ;; esac
    done
    return 1
}

# compare ID COUNT: one line, and 1 when it is a regression.
compare() {
    local file="$thresholds/$1.json" threshold
    threshold=$(sed -n 's/.*"instructions"[^0-9]*\([0-9.][0-9.]*\).*/\1/p' "$file" 2>/dev/null)
    if [ -z "$threshold" ]; then
        echo "$1: $2 instructions an operation, no threshold in $file; --update writes it"
        return 1
    fi
    awk -v id="$1" -v n="$2" -v m="$threshold" -v tolerance="$TOLERANCE_PERCENT" 'BEGIN {
        change = (n - m) * 100 / m
        worse = change > tolerance
        note = worse ? ": REGRESSION" : change < -tolerance ? ": better; --update keeps it so" : ""
        printf "%s: %s instructions an operation, threshold %s (%+.1f %%)%s\n", id, n, m, change, note
        exit worse
    }'
}

list=$(run_driver "$driver") || exit 1
[ "$update" = yes ] && mkdir -p "$thresholds"
failed=0
counted=0
while read -r id low high operations; do
    is_wanted "$id" || continue
    # Callgrind does not know AVX-512, nor do the thresholds.
    case "$id" in *-avx512) [ "$counter" = perf ] || continue ;; esac
    counted=$((counted + 1))
    first=$(count "$id" "$low") && second=$(count "$id" "$high") || first=
    if [ -z "$first" ] || [ -z "$second" ]; then
        echo "$id: could not be counted (see above)"
        failed=1
        continue
    fi
    instructions=$(awk -v n=$((second - first)) -v by=$(((high - low) * operations)) \
        'BEGIN { printf "%.1f", n / by }')
    if [ "$update" = yes ]; then
        printf '{ "instructions": %s }\n' "$instructions" >"$thresholds/$id.json" || exit 1
    fi
    if [ "$update" = yes ] || [ "$counter" = perf ]; then
        echo "$id: $instructions instructions an operation"
    else
        compare "$id" "$instructions" || failed=1
    fi
done <<<"$list"
if [ $counted -eq 0 ]; then
    echo "no case starts with: ${prefixes[*]}" >&2
    exit 2
fi
exit $failed
