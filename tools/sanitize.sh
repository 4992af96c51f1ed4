#!/usr/bin/env bash
# The Swift tests (and with them all the C code) under AddressSanitizer, then ThreadSanitizer.
# Builds of their own, so that the ordinary ones stay warm. Not part of `make test`: two more builds.
set -euo pipefail
cd "$(dirname "$0")/.."

# Tests fork children on purpose, and the Swift test runner itself leaks a little at exit.
export ASAN_OPTIONS=detect_leaks=0
swift test --scratch-path .build-address --sanitize=address "$@"
swift test --scratch-path .build-thread --sanitize=thread "$@"
