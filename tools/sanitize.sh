#!/usr/bin/env bash
# The Swift tests (and with them all the C code) under AddressSanitizer, then ThreadSanitizer, in
# pieces of a few minutes each, every one in a process of its own; the tests of the C parts once more
# with checks of undefined behaviour. Builds of their own, so that the ordinary ones stay warm. Not
# part of `make test`: three more builds. Ends with the pieces that failed, or with nothing to say.
#
#   tools/sanitize.sh                        everything
#   tools/sanitize.sh thread                 one of: address thread undefined
#   tools/sanitize.sh thread CJournalTests   and only the tests with such names
set -uo pipefail
cd "$(dirname "$0")/.."

readonly kinds=${1:-address thread undefined}
readonly only=${2:-}
# Suites of CTransportTests stand alone: they take longest.
readonly pieces=(
    'CBaseTests|CQueueTests|CLoadsTests'
    'CScanTests|CSignTests|CIntakeTests'
    CJournalTests
    'TransportTests/(Lanes|Rejoins|Peers|HangUp)/'
    'TransportTests/LaneFloods/'
    'TransportTests/Messages/'
    'TransportTests/(Roles|Turns|NativeCurve|NativeProtocol)/'
    'TransportTests/(PeerLimits|NativeLimits)/'
    'TransportTests/(NativePeers|NativeHostile|NativeCurveLinks)/'
    'TransportTests/(Opening|Refusals)/'
    'SchedulerCoreTests|SchedulerWireTests'
    'SchedulerDaemonTests|YardmasterTests'
)
# Tests fork children on purpose, and the Swift test runner itself leaks a little at exit.
export ASAN_OPTIONS=detect_leaks=0
run=("${pieces[@]}")
if [ -n "$only" ]; then run=("$only"); fi
failed=()

# check KIND FLAG...: builds with the flags, then runs the pieces.
check() {
    local kind=$1 piece
    shift
    case " $kinds " in *" $kind "*) ;; *) return ;; esac
    swift build --build-tests --scratch-path ".build-$kind" "$@" || exit 1
    for piece in "${run[@]}"; do
        printf '\n== %s: %s\n' "$kind" "$piece"
        swift test --skip-build --scratch-path ".build-$kind" "$@" --filter "$piece" ||
            failed+=("$kind: $piece")
    done
}

check address --sanitize=address
check thread --sanitize=thread
# Swift on Linux has no --sanitize=undefined. The C compiler has, and traps where it has no runtime.
check undefined -Xcc -fsanitize=undefined -Xcc -fno-sanitize=vptr -Xcc -fsanitize-trap=undefined

if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed under %s\n' "${failed[@]}"
    exit 1
fi
