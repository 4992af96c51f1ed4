#!/usr/bin/env bash
# Makes a fresh Debian 12 or Ubuntu 24.04 ready: apt packages, and a private Python in .venv.
#
#   tools/bootstrap.sh         what building and the demo need
#   tools/bootstrap.sh test    the same, and what the tests need
#
# Installs what is missing only. When nothing is, it needs no network and no root and takes less
# than a second. Swift itself is not installed: see https://www.swift.org/install.
# YARDMASTER_PYTHON names another Python 3.10 or newer.
set -euo pipefail
trap 'echo "bootstrap: line $LINENO failed" >&2' ERR
cd "$(dirname "$0")/.."

readonly SWIFT_MIN=6.2 SWIFT_SITE=https://www.swift.org/install
readonly PYTHON_MIN="3.10"
readonly STAMP=.venv/yardmaster-bootstrap

die() {
    echo "bootstrap: $*" >&2
    exit 1
}

mode=${1:-demo}
case $mode in demo | test) ;; *) die "unknown argument '$mode': use none, or test" ;; esac

check_swift() {
    command -v swift > /dev/null ||
        die "there is no Swift; install $SWIFT_MIN or newer from $SWIFT_SITE and put it on PATH"
    local said version
    said=$(swift --version 2>&1 || true)
    version=$(sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' <<< "$said" | head -n 1)
    [ -n "$version" ] || die "'swift --version' names no version: $(head -n 1 <<< "$said")"
    [ "$(printf '%s\n' "$SWIFT_MIN" "$version" | sort -V | head -n 1)" = "$SWIFT_MIN" ] ||
        die "Swift $version is too old; $SWIFT_MIN or newer is needed ($SWIFT_SITE)"
}

find_python() {
    local candidate
    for candidate in "${YARDMASTER_PYTHON:-}" python3 python3.1{3,2,1,0}; do
        [ -n "$candidate" ] && command -v "$candidate" > /dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2> /dev/null; then
            command -v "$candidate"
            return
        fi
    done
    if command -v python3 > /dev/null; then
        die "$(python3 --version 2>&1) is too old; $PYTHON_MIN or newer is needed" \
            "(YARDMASTER_PYTHON names another)"
    fi
    die "there is no Python; install Python $PYTHON_MIN or newer: apt-get install python3"
}

# The C library of MessagePack has one name on Debian 12 and another from Ubuntu 24.04 on.
msgpack_package() {
    if dpkg_has libmsgpack-c-dev || dpkg_has libmsgpack-dev; then
        return
    fi
    local release=""
    [ -r /etc/os-release ] && release=$(. /etc/os-release && echo "${ID:-}-${VERSION_ID:-}")
    case $release in
        debian-12 | ubuntu-22.04) echo libmsgpack-dev ;;
        *) echo libmsgpack-c-dev ;;
    esac
}

dpkg_has() {
    case $installed in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# Root, sudo that asks nothing, sudo at a terminal, or nothing.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        echo env
    elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
        echo "sudo -n"
    elif command -v sudo > /dev/null && [ -t 0 ]; then
        echo sudo
    fi
}

install_packages() {
    command -v dpkg-query > /dev/null ||
        die "this is neither Debian nor Ubuntu; install the development files of libzmq," \
            "liburing, libssl, simdjson and msgpack-c, pkg-config and a C++ compiler, and call" \
            "the steps of the Makefile yourself"
    local wanted missing=() root package
    wanted="libzmq3-dev liburing-dev libssl-dev libsimdjson-dev libsodium-dev pkg-config g++ git"
    # The system's Python comes without the means to make a virtual environment.
    if [ ! -x .venv/bin/python ] && ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
        wanted="$wanted python3-venv"
    fi
    # One question for all: dpkg-query reads its whole database each time. It exits with 1 when
    # a name is unknown.
    installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted pkgconf \
        libmsgpack-dev libmsgpack-c-dev 2> /dev/null |
        awk '$1 == "installed" { printf "%s ", $2 }' || true)"
    for package in $wanted $(msgpack_package); do
        dpkg_has "$package" && continue
        [ "$package" = pkg-config ] && dpkg_has pkgconf && continue
        missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    root=$(as_root)
    [ -n "$root" ] ||
        die "packages are missing and there is neither root nor sudo;" \
            "run: apt-get install -y ${missing[*]}"
    echo "bootstrap: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    $root apt-get update -qq ||
        echo "bootstrap: apt-get update failed; trying with what is known" >&2
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" > /dev/null ||
        die "apt-get could not install: ${missing[*]}"
}

# What .venv must have been made from; `test` serves `demo` too.
wanted_stamp() {
    echo "$1 $(cat "tools/requirements/$1.txt" tools/requirements/demo.txt \
        integrations/ipyparallel/pyproject.toml | cksum) $PWD"
}

venv_is_ready() {
    [ -x .venv/bin/python ] && [ -r "$STAMP" ] || return 1
    # A Python that was upgraded or removed leaves a .venv that does not run.
    .venv/bin/python -c '' 2> /dev/null || return 1
    grep -qxF "$(wanted_stamp "$mode")" "$STAMP" || grep -qxF "$(wanted_stamp test)" "$STAMP"
}

make_venv() {
    venv_is_ready && return
    if ! .venv/bin/python -c '' 2> /dev/null; then
        rm -rf .venv
        "$python" -m venv .venv || die "cannot make .venv with $python (is python3-venv installed?)"
    fi
    echo "bootstrap: installing Python packages into .venv ($mode)"
    rm -f "$STAMP"
    local pip=".venv/bin/python -m pip --disable-pip-version-check -q"
    $pip install -r "tools/requirements/$mode.txt" ||
        die "pip could not install tools/requirements/$mode.txt (is there a network?)"
    $pip install --no-build-isolation --no-deps -e integrations/ipyparallel ||
        die "pip could not install integrations/ipyparallel"
    wanted_stamp "$mode" > "$STAMP"
}

check_swift
python=$(find_python) || exit 1
install_packages
make_venv
