# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the demonstrations share; they source it with their own arguments.  As root: real libvirt and real
# QEMU guests in namespaces (tests/lab).  Otherwise, or with --simulated: the simulated fleet.  Everything
# that is started is ended again.


here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly here
readonly berth=${BERTH:-$here/build/berth}
readonly berthd=${BERTHD:-$here/build/berthd}
export BERTH_LAB_ID=demo
work=$(mktemp -d)
daemon=""
real=""
[ "$(id -u)" != 0 ] || real=1
[ "${1:-}" != --simulated ] || real=""

bold="" dim="" plain=""
if [ -t 1 ]; then bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'; fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

show() { # prints the command as a person would type it, and runs it where the controller lives
    printf '%s$ %s%s\n' "$dim" "$*" "$plain"
    run "$@" || [ $? = 4 ]
}

run() { # 'berth' COMMAND...
    shift
    if [ -n "$real" ]; then
        "$here/tests/lab/lab" ctl "$berth" "$@" -c "$work/berth.conf"
    else
        "$berth" "$@" -c "$work/berth.conf"
    fi
}

clean_up() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    [ -z "$real" ] || "$here/tests/lab/lab" sweep >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

simulated_guest() { # NAME NUMBER STATE MIB
    printf '{"name":"%s","uuid":"00000000-0000-4000-8000-00000000000%s","state":"%s","memory_kib":%s,"vcpus":1}' \
        "$1" "$2" "$3" "$(($4 * 1024))"
}

start_berthd() {
    if [ -n "$real" ]; then
        "$here/tests/lab/lab" ctl "$berthd" -c "$work/berth.conf" 2>"$work/log" &
    else
        "$berthd" -c "$work/berth.conf" 2>"$work/log" &
    fi
    daemon=$!
    wait_for "event=plan"
}

wait_for() { # a line of berthd's log
    for _ in $(seq 600); do
        if grep -q "$1" "$work/log"; then return; fi
        sleep 0.1
    done
    echo "demo: berthd did not say '$1' within a minute:" >&2
    cat "$work/log" >&2
    exit 1
}
