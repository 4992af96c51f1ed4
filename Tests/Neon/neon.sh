#!/bin/sh
# Compares the NEON kernel of the load vector with the scalar one, under qemu-aarch64 on any machine
# (on arm64 itself natively). Arguments: seeds (default: two). Exit status: 0 equal, 1 a mismatch or
# a build that failed, 77 skipped because a tool is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sources=$here/../../CSources/CLoads

if [ "$(uname -m)" = aarch64 ]; then
    compiler=${CC:-cc} emulator=
else
    compiler=aarch64-linux-gnu-gcc emulator=qemu-aarch64
    command -v qemu-aarch64 > /dev/null || emulator=qemu-aarch64-static
fi
for tool in "$compiler" $emulator; do
    if ! command -v "$tool" > /dev/null; then
        echo "neon.sh: skipped: $tool is missing;" \
            "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
        exit 77
    fi
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$compiler" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -static \
    -I "$sources/include" -I "$sources" "$here/differential.c" "$sources"/*.c -pthread \
    -o "$folder/differential" || exit 1
[ $# -gt 0 ] || set -- 20260101 "$(date +%s)"
for seed in "$@"; do
    # Exit 77 here would mean an arm64 without ASIMD, which does not exist: a failure.
    $emulator "$folder/differential" neon "$seed" || exit 1
done
