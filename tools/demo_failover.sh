#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What becomes of guests whose host dies: the power of one of three hosts is pulled, its guests come back
# on the others, once each, and when the host returns its leftovers are swept.
# As root: real libvirt and real QEMU guests in namespaces (tests/lab).  Otherwise, or with --simulated:
# the simulated fleet.  Everything it starts it ends again.
set -euo pipefail

# shellcheck source=tools/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

real_fleet() {
    real_hosts
    lab guest db1 kvm1 --memory 128
    lab guest web1 kvm1 --memory 96
    lab guest batch1 kvm1 --memory 96 --off
    lab guest web2 kvm2 --memory 96
    # Both do not fit on kvm2: room counts.
    lab conf "$work/berth.conf" --set 'host kvm2.memory=300MiB' \
        --set 'guest db1.priority=1'
    lab es "$work/es.xml" db1=kvm1 web1=kvm1 batch1=kvm1 web2=kvm2
}

simulated_fleet() {
    simulated_hosts 300MiB \
        "$(simulated_host kvm1 "$(simulated_guest db1 1 running 128)" "$(simulated_guest web1 2 running 96)" \
            "$(simulated_guest batch1 4 shutoff 96)")" \
        "$(simulated_host kvm2 "$(simulated_guest web2 3 running 96)")" \
        "$(simulated_host kvm3)"
    printf '[guest db1]\npriority = 1\n' >>"$work/berth.conf"
}

# A simulated host's power is a member of the file, which its users lock.
switch() { # HOST on|off
    (
        flock 9
        perl -pe '
            BEGIN { ($host, $state) = splice(@ARGV, 0, 2); }
            next unless /\{"name":"\Q$host\E","/;
            s/,"power":"\w+"//;
            s/("name":"\Q$host\E")/$1,"power":"$state"/;
        ' "$1" "$2" "$work/fleet.json" >"$work/fleet.json.new"
        mv "$work/fleet.json.new" "$work/fleet.json"
    ) 9>>"$work/fleet.json.lock"
}

pull_the_power() { # HOST
    if [ -n "$real" ]; then lab crash "$1"; else switch "$1" off; fi
}

give_power_back() { # HOST
    if [ -n "$real" ]; then lab boot "$1"; else switch "$1" on; fi
}

prove() { # by libvirt, by the process table, and by what the guests found on their disks
    [ -n "$real" ] || return 0
    say "Each guest runs exactly once, and no disk had two writers:"
    lab check db1 web1 web2
    lab guests
}

if [ -n "$real" ]; then real_fleet; else simulated_fleet; fi
say "berthd keeps the fleet as the file says, and keeps every guest's definition in its journal."
start_berthd
show berth status

if [ -t 0 ]; then
    say "The power of kvm1 is yours to pull, with db1 and web1 on it."
    read -r -p "Press Enter. "
fi
say "The power of kvm1 is pulled. Its guests are dead with it; that is not known to anybody else yet."
pull_the_power kvm1

say "A host that does not answer may well be alive. Nobody vouches for its death, so nothing is started twice:"
show berth evacuate kvm1 --yes

say "Whoever has pulled the plug knows better, and says so (a fence agent could: see docs/failover.md)."
show berth evacuate kvm1 --source-is-dead=kvm1 --yes
prove
show berth status

say "kvm1 gets its power back, with its old definitions of db1 and web1. berthd removes them before they harm."
give_power_back kvm1
show berth check
wait_for "event=swept host=kvm1 guest=db1"
wait_for "event=swept host=kvm1 guest=web1"
grep "event=swept" "$work/log"
prove
say "What happened, and why db1 is where it is now:"
show berth history
show berth explain db1
show berth status
say "That was all. docs/failover.md tells how to be ready for it."
