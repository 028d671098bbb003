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
        lab ctl "$berth" "$@" -c "$work/berth.conf"
    else
        "$berth" "$@" -c "$work/berth.conf"
    fi
}

clean_up() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    [ -z "$real" ] || lab sweep >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

lab() { "$here/tests/lab/lab" "$@"; }

real_hosts() {
    say "Starting three KVM hosts (libvirtd and QEMU in namespaces) and four guests ..."
    lab sweep
    lab up 3
}

simulated_guest() { # NAME NUMBER STATE MIB
    printf '{"name":"%s","uuid":"00000000-0000-4000-8000-00000000000%s","state":"%s","memory_kib":%s,"vcpus":1}' \
        "$1" "$2" "$3" "$(($4 * 1024))"
}

simulated_host() { # NAME GUEST...
    local name=$1 IFS=,
    shift
    printf '{"name":"%s","memory_kib":1048576,"cpus":8,"guests":[%s]}' "$name" "$*"
}

simulated_hosts() { # MEMORY-OF-KVM2 HOST...: and berth.conf and es.xml for them
    local memory=$1 host
    shift
    say "Three simulated hosts and four guests (as root this demonstration uses real ones) ..."
    {
        printf '{"format":"berth.sim/1","durations":{"migrate_ms":2500},"hosts":[\n'
        printf '%s' "$1" # A host a line, for those who edit the file.
        for host in "${@:2}"; do printf ',\n%s' "$host"; done
        printf ']}\n'
    } >"$work/fleet.json"
    cat >"$work/berth.conf" <<C
[fleet]
uri = sim:$work/fleet.json
es_xml = $work/es.xml
state_dir = $work/state
[capacity]
host_reserve = 64MiB
[host kvm2]
memory = $memory
C
    "$berth" discover "sim:$work/fleet.json" >"$work/es.xml"
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
