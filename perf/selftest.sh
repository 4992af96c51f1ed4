#!/bin/sh
# Checks the referee: an honest relay passes, each kind of misbehaviour is noticed.
# Usage: perf/selftest.sh   (ten seconds; builds what it needs; status 0: all as it must be)
set -eu
cd "$(dirname "$0")"
make -s all
failed=0

# expect VIOLATION-KIND|none "yard-load options" "yard-floor options"
expect() {
    output=$(build/yard-load --register none --monitor-check relay --warmup 0 --tasks 2000 \
        --drain 1 --settle 0.05 $2 --spawn build/yard-floor --client-url '{client}' \
        --engine-url '{engine}' --monitor-url '{monitor}' $3 2>/dev/null) && status=0 || status=$?
    kinds=${output##*\"violation_kinds\": }
    case "$1" in
    none) [ "$status" = 0 ] && [ "$kinds" = "{}}" ] && good=yes || good=no ;;
    *) [ "$status" = 1 ] && case "$kinds" in *"\"$1\""*) true ;; *) false ;; esac \
        && good=yes || good=no ;;
    esac
    [ $good = yes ] || failed=1
    printf '%-4s wanted %-16s load: %-38s floor: %-22s status %s %s\n' \
        "$([ $good = yes ] && echo ok || echo FAIL)" "$1" "$2" "$3" "$status" \
        "$(printf %s "$kinds" | tr -d '\n')"
}

expect none "" ""
expect none "--unsigned --payload 0" ""
expect none "--transport ipc --clients 5" "--unbatched"
expect none "--payload 1000000 --tasks 50 --in-flight 4" ""
expect none "--rate 5000" ""
expect none "--remember 1024 --tasks 20000" ""
expect none "--workload failures --fail-every 3" ""
expect lost "" "--drop-every 500"
expect lost "--remember 1024" "--drop-every 500"
expect duplicate_reply "--remember 1024" "--duplicate-every 500"
expect duplicate_reply "" "--duplicate-every 500"
expect ran_again "" "--twice-every 500"
expect dependency "--workload chains --chains 8" "--hold-every 40"
expect dependency "--workload fans" "--hold-every 32"
expect follow "--workload follow" ""
expect targets "--workload targets" ""
expect status "--workload retries" ""
expect payload "" "--corrupt-every 500"
expect payload "--payload 1000000 --tasks 200 --in-flight 4" "--corrupt-every 50"
expect signature "--payload 0 --verify-every 1" "--corrupt-every 500"
expect monitor "" "--mute-every 500"
expect monitor "--monitor-check full" ""
expect hwm "--hwm 1 --in-flight 256" ""
[ $failed = 0 ] && echo "the referee notices everything it should" || echo "the referee is WRONG"
exit $failed
