#!/usr/bin/env bash
# The Swift tests (and with them all the C code) under AddressSanitizer, then ThreadSanitizer; the
# tests of the rings with checks of undefined behaviour in C too. Builds of their own, so that the
# ordinary ones stay warm. Not part of `make test`: three more builds.
set -euo pipefail
cd "$(dirname "$0")/.."

# Tests fork children on purpose, and the Swift test runner itself leaks a little at exit.
export ASAN_OPTIONS=detect_leaks=0
swift test --scratch-path .build-address --sanitize=address "$@"
swift test --scratch-path .build-thread --sanitize=thread "$@"
# Swift on Linux has no --sanitize=undefined. The C compiler has, and traps where it has no runtime.
swift test --scratch-path .build-undefined -Xcc -fsanitize=undefined -Xcc -fno-sanitize=vptr \
    -Xcc -fsanitize-trap=undefined --filter CQueueTests
