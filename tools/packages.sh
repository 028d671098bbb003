#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian 12 packages that Berth needs, by purpose, and how to get them.
#
#   tools/packages.sh [build|test|demo]...     install what is missing (default: build and test)
#   tools/packages.sh --list [build|test|demo]...   print them, one a line
#
# Silent when nothing is missing.  No service of a package it installs is started.
set -euo pipefail

readonly fleet=(
    busybox-static # the guests
    cpio
    iproute2
    libvirt-clients
    libvirt-daemon-system
    mount # losetup
    openssh-client
    openssh-server
    procps
    python3
    qemu-system-x86
    util-linux
)
readonly build=(
    check
    cmake
    gcc
    libc6-dev
    libcurl4-gnutls-dev # commands that speak with berthd; libvirt brings the library along
    libglib2.0-dev # time zones
    libinih-dev
    libjansson-dev
    libmicrohttpd-dev # the control API
    libncurses-dev # berth watch
    libsqlite3-dev
    libssh-dev
    libsystemd-dev # berthd as a service: readiness, watchdog, journal
    libuv1-dev
    libvirt-dev
    libxml2-dev
    make
    nettle-dev
    ninja-build
    pkg-config
)
readonly test=(
    "${fleet[@]}"
    binutils # objdump for tests/arch
    clang
    clang-format
    libclang-rt-14-dev
    libxml2-utils # xmllint
    ovmf # UEFI guests, whose variables go along (tests/lab/test_steps.py)
    python3
    python3-jsonschema # answers of the control API against docs/openapi.yaml
    python3-yaml
    shellcheck
    sqlite3
    systemd # systemd-analyze: the unit, and how far it is shut in
    tzdata # Europe/Berlin and others in tests
)
readonly demo=("${build[@]}" "${fleet[@]}")

die() {
    echo "packages.sh: $*" >&2
    exit 1
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Debian starts a service as soon as it is installed unless this program says no (exit status 101).
forbid_services() {
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
}

quietly() {
    local log
    log=$(mktemp)
    if ! DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "'$*' failed"
    fi
    rm -f "$log"
}

list=""
[ "${1:-}" != --list ] || { list=1; shift; }
[ $# -gt 0 ] || set -- build test
wanted=()
for purpose in "$@"; do
    case $purpose in
        build) wanted+=("${build[@]}") ;;
        test) wanted+=("${test[@]}") ;;
        demo) wanted+=("${demo[@]}") ;;
        *) die "no purpose '$purpose': want build, test or demo" ;;
    esac
done
mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sort -u)
[ -z "$list" ] || { printf '%s\n' "${wanted[@]}"; exit 0; }

missing=()
for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
done
((${#missing[@]} > 0)) || exit 0
type -P apt-get >/dev/null || die "this is not Debian; install what corresponds to: ${missing[*]}"
[ "$(id -u)" = 0 ] || die "as root, run: apt-get install --no-install-recommends ${missing[*]}"
echo "installing ${missing[*]}"
forbid_services
quietly apt-get update
quietly apt-get install --yes --no-install-recommends "${missing[@]}"
