#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What Berth does, in a minute: three hosts, a few guests, an edit of es.xml, and the guests move.
# As root: real libvirt and real QEMU guests in namespaces (tests/lab).  Otherwise, or with --simulated:
# the simulated fleet.  Everything it starts it ends again.
set -euo pipefail

# shellcheck source=tools/stage.sh
. "$(dirname "${BASH_SOURCE[0]}")/stage.sh"

real_fleet() {
    real_hosts
    lab guest db1 kvm1 --memory 128 --autostart
    lab guest web1 kvm1 --memory 96
    lab guest web2 kvm2 --memory 96
    lab guest batch1 kvm2 --memory 96 --off
    # Memory is tight on purpose: kvm2 has no room for db1 before web2 has left.
    lab conf "$work/berth.conf" --set 'host kvm2.memory=352MiB'
    lab es "$work/es.xml" db1=kvm1 web1=kvm1 web2=kvm2 batch1=kvm2
}

simulated_fleet() {
    simulated_hosts 352MiB \
        "$(simulated_host kvm1 "$(simulated_guest db1 1 running 128)" "$(simulated_guest web1 2 running 96)")" \
        "$(simulated_host kvm2 "$(simulated_guest web2 3 running 96)" "$(simulated_guest batch1 4 shutoff 96)")" \
        "$(simulated_host kvm3)"
}

# The edit a person would make: the reference to GUEST goes into another host.  (perl is part of every
# Debian; the file is replaced whole, as editors do.)
move_in_file() { # GUEST HOST
    perl -0777 -pe '
        BEGIN { ($guest, $host) = splice(@ARGV, 0, 2); }
        /<machine id="([^"]+)">\s*<hostName>\Q$guest\E</ or die "no guest $guest";
        my $id = $1;
        s/\s*<machine id="\Q$id\E"\/>//;
        s/(<hostName>\Q$host\E<.*?)(\s*)<\/machine>/$1\n      <machine id="$id"\/>$2<\/machine>/s;
    ' "$1" "$2" "$work/es.xml" >"$work/es.xml.new"
    mv "$work/es.xml.new" "$work/es.xml"
}

if [ -n "$real" ]; then real_fleet; else simulated_fleet; fi
say "berthd keeps the fleet as the file says. It is started; there is nothing to do yet."
start_berthd
show berth status

say "es.xml is edited: db1 to kvm2, web2 and batch1 to kvm3. kvm2 has no room for db1 before web2 has left."
move_in_file db1 kvm2
move_in_file web2 kvm3
move_in_file batch1 kvm3
say "berthd has seen it and is at work; 'berth apply' shows how far it is."
show berth apply

if [ -n "$real" ]; then
    say "A colleague moves web1 with virsh, to a host where the file does not want it."
    lab ctl virsh -q -c "$(lab uri kvm1)" migrate web1 \
        "$(lab uri kvm3)" --live --p2p --persistent --undefinesource
    wait_for "event=drift-over guest=web1"
    grep "guest=web1" "$work/log" | grep -e drift -e move-end
fi

say "kvm3 is to be serviced: 'berth drain' finds places for its guests, edits the file, and they leave."
show berth drain kvm3 --yes
show berth undrain kvm3 --yes

say "What happened, and why db1 is where it is:"
show berth history
show berth explain db1
show berth status
say "That was all. README.md tells how to point it at hosts of your own; 'berth watch' shows it all live."
