# toolchain.sh: sets `make`, which builds in this folder, with a clang that has the sanitizers.
# Sourced by run.sh and short.sh, from the root of the project.

# Swift brings its own clang with libFuzzer and all sanitizers.
find_clang() {
    local swift beside
    swift=$(command -v swift || true)
    beside=$(dirname "$(readlink -f "${swift:-/}")")/clang
    if [ -x "$beside" ]; then echo "$beside"; else command -v clang; fi
}

clang=$(find_clang) || clang=
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
echo 'int main(void) { return 0; }' > "$probe/probe.c"
if [ -z "$clang" ] || ! "$clang" -fsanitize=address,undefined "$probe/probe.c" -o "$probe/probe" \
    2> "$probe/why"; then
    echo "fuzz: there is no clang with sanitizers (${clang:-none found}); use the Swift of" \
        "https://www.swift.org/install, or apt-get install clang lld and the libclang-rt package" >&2
    [ -s "$probe/why" ] && head -n 3 "$probe/why" >&2
    exit 77
fi
make=(nice -n 10 make -s -C Tests/Fuzz "CC=$clang" "CXX=$clang++")
# shellcheck disable=SC2034 # for those who source this
targets=$("${make[@]}" list)
# Without these a sanitizer ends the process before driver.c can say what it ran.
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 TSAN_OPTIONS=abort_on_error=1:halt_on_error=1
export UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1
