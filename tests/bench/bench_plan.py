#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast and how good plans are: fleets drawn from a seed, planned by 'berth plan --json'.

usage: bench_plan.py BERTH PHASES [--case NAME] [--save FILE] [--keep DIR] [--runs N]

BERTH is the release build's program, PHASES the driver that times the parts of a plan in one process.
Without --save the result is compared with plan.json next to this file and nothing is written."""

import argparse
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
GIB = 1024 * 1024
SIZES = (4, 8, 8, 16, 16, 16, 32, 32, 64)  # GiB, as often as they are named


class Fleet:
    """Guests with a size, where each is and where it belongs; hosts of equal memory."""

    def __init__(self, hosts, sizes, full, seed):
        self.random = random.Random(seed)
        self.hosts = hosts
        self.sizes = sizes
        self.memory = [max(max(sizes), int(sum(sizes) / hosts / full + 0.5))] * hosts
        self.at = [None] * len(sizes)
        self.goal = [None] * len(sizes)

    def place(self, guests, room, avoid=None):
        """Puts guests on hosts with room for them at random, the largest first."""
        found = {}
        for guest in sorted(guests, key=lambda g: (-self.sizes[g], self.random.random())):
            host = self.pick(room, self.sizes[guest], None if avoid is None else avoid[guest])
            room[host] -= self.sizes[guest]
            found[guest] = host
        return found

    def pick(self, room, size, avoid):
        for _ in range(40):
            host = self.random.randrange(self.hosts)
            if host != avoid and room[host] >= size:
                return host
        fitting = [h for h in range(self.hosts) if room[h] >= size and h != avoid]
        if not fitting:
            raise SystemExit("bench_plan: this fleet cannot be filled so far")
        return self.random.choice(fitting)

    def fill(self):
        for guest, host in self.place(range(len(self.sizes)), list(self.memory)).items():
            self.at[guest] = self.goal[guest] = host

    def misplace(self, share):
        """Some guests belong elsewhere, where there will be room."""
        movers = self.random.sample(range(len(self.sizes)), int(len(self.sizes) * share))
        room = list(self.memory)
        for guest in set(range(len(self.sizes))) - set(movers):
            room[self.at[guest]] -= self.sizes[guest]
        for guest, host in self.place(movers, room, self.at).items():
            self.goal[guest] = host

    def permute(self):
        """Every guest belongs where another one of its size is."""
        for size in sorted(set(self.sizes)):
            guests = [g for g, s in enumerate(self.sizes) if s == size]
            places = [self.at[g] for g in guests]
            self.random.shuffle(places)
            for guest, place in zip(guests, places):
                self.goal[guest] = place


def draw_sizes(count, seed):
    chance = random.Random(seed)
    return [chance.choice(SIZES) for _ in range(count)]


def filled(hosts, guests, full, seed):
    fleet = Fleet(hosts, draw_sizes(guests, seed), full, seed)
    fleet.fill()
    return fleet


def share(hosts, guests, full, part, seed=1):
    fleet = filled(hosts, guests, full, seed)
    fleet.misplace(part)
    return fleet


def permutation(hosts, guests, full, seed=1):
    fleet = filled(hosts, guests, full, seed)
    fleet.permute()
    return fleet


def ring(hosts):
    """Full hosts, each of which gives a guest to the next; one more has room for one guest."""
    fleet = Fleet(hosts + 1, [16] * hosts * 4, 1.0, 1)
    fleet.memory = [64] * hosts + [16]
    for guest in range(4 * hosts):
        fleet.at[guest] = fleet.goal[guest] = guest // 4
        if guest % 4 == 0:
            fleet.goal[guest] = (guest // 4 + 1) % hosts
    return fleet


# name: fleet, most seconds, most MiB, most moves for each misplaced guest (planner.md, 'Scale and quality')
CASES = {
    "50-500": (lambda: share(50, 500, 0.75, 0.10), 0.010, None, None),
    "5000-30000": (lambda: share(5000, 30000, 0.71, 0.05), 0.25, None, None),
    "10000-100000": (lambda: share(10000, 100000, 0.80, 0.10), 0.8, 250, None),
    "300-3000-all-95": (lambda: share(300, 3000, 0.95, 1.0), 0.3, None, 1.03),
    "300-3000-all-98": (lambda: share(300, 3000, 0.98, 1.0), None, None, 1.15),
    "2000-20000-all-98": (lambda: share(2000, 20000, 0.98, 1.0), None, None, None),
    "300-3000-permuted-95": (lambda: permutation(300, 3000, 0.95), None, None, 1.015),
    "10000-100000-permuted-95": (lambda: permutation(10000, 100000, 0.95), 1.5, None, 1.01),
    "ring-1000": (lambda: ring(1000), None, None, 1.001),
}


def host_name(host):
    return f"kvm{host:05d}.example.com"


def guest_name(guest):
    return f"vm{guest:06d}.example.com"


def write_es(fleet, path):
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n<engineeredSystem xmlns="model">\n  <machines>\n']
    guests = [[] for _ in range(fleet.hosts)]
    for guest, goal in enumerate(fleet.goal):
        guests[goal].append(guest)
    for host in range(fleet.hosts):
        out.append(f'    <machine id="kvm{host}_id">\n      <hostName>{host_name(host)}</hostName>\n'
                   "      <machineType>compute</machineType>\n      <virtual>false</virtual>\n"
                   "      <osType>LinuxKVM</osType>\n")
        out += [f'      <machine id="vm{guest}_id"/>\n' for guest in guests[host]]
        out.append("    </machine>\n")
    for guest, size in enumerate(fleet.sizes):
        out.append(f'    <machine id="vm{guest}_id">\n      <hostName>{guest_name(guest)}</hostName>\n'
                   "      <machineType>compute</machineType>\n      <virtual>true</virtual>\n"
                   "      <osType>LinuxKVMGuest</osType>\n      <guestCores>4</guestCores>\n"
                   f"      <guestMemory>{size}Gb</guestMemory>\n    </machine>\n")
    out.append("  </machines>\n</engineeredSystem>\n")
    path.write_text("".join(out))


def guest_json(guest, size):
    digest = hashlib.md5(guest_name(guest).encode()).hexdigest()
    uuid = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
    return (f'{{"name":"{guest_name(guest)}","uuid":"{uuid}","state":"running","reason":"booted",'
            f'"job":"none","memory_kib":{size * GIB},"config_memory_kib":{size * GIB},"vcpus":4,'
            '"persistent":true,"autostart":false,"managed_save":false,"snapshots":0,'
            '"has_nvram":false,"has_tpm":false,"hostdevs":0,"machine":"pc-q35-7.2",'
            '"cpu_mode":"host-passthrough"}')


def write_observed(fleet, path):
    guests = [[] for _ in range(fleet.hosts)]
    for guest, at in enumerate(fleet.at):
        guests[at].append(guest)
    with path.open("w") as out:
        out.write('{"format":"berth.observed/1","at":"2026-11-23T12:00:00Z","hosts":[\n')
        for host in range(fleet.hosts):
            out.write(f'{{"name":"{host_name(host)}","reachable":true,"as_of":"2026-11-23T12:00:00Z",'
                      f'"memory_kib":{fleet.memory[host] * GIB},"cpus":1024,"arch":"x86_64",'
                      '"machines":["pc-q35-7.2"],"cpu_fingerprint":"a1b2","qemu_version":7002000,'
                      '"libvirt_version":9000000,"guests":[\n')
            out.write(",\n".join(guest_json(g, fleet.sizes[g]) for g in guests[host]))
            out.write("]}" + (",\n" if host + 1 < fleet.hosts else "\n"))
        out.write("]}\n")


def run(command, output):
    """Seconds, peak MiB and exit status of one process."""
    with output.open("wb") as out:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    return seconds, usage.ru_maxrss / 1024, process.returncode


def generate(name, folder):
    """Writes the input of a case and how many guests are misplaced."""
    fleet = CASES[name][0]()
    write_es(fleet, folder / "es.xml")
    write_observed(fleet, folder / "observed.json")
    (folder / "berth.conf").write_text("[capacity]\nhost_reserve = 0MiB\n")
    (folder / "misplaced").write_text(str(sum(a != g for a, g in zip(fleet.at, fleet.goal))))


def summary_of(path):
    """Of a plan, read in a process of its own too."""
    code = ("import json, sys; p = json.load(open(sys.argv[1])); print(json.dumps({"
            "'moves': p['summary']['moves'], 'detours': p['summary']['detours'], "
            "'blocked': len(p['blocked']), 'method': p['method']}))")
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)
    return json.loads(done.stdout)


def measure(arguments, name, folder):
    # In a process of its own: what this one has in memory would count as the peak of those it starts.
    subprocess.run([sys.executable, __file__, "--generate", name, str(folder)], check=True)
    es, observed, conf, out = (folder / n for n in ("es.xml", "observed.json", "berth.conf", "out"))
    wrong = int((folder / "misplaced").read_text())
    files = ["--es", str(es), "--observed", str(observed)]
    runs = [run([arguments.berth, "plan", "-c", str(conf), *files, "--json"], out)
            for _ in range(arguments.runs)]
    if any(status not in (0, 4) for _, _, status in runs):
        raise SystemExit(f"bench_plan: 'berth plan' ended with {runs[0][2]}")
    plan = summary_of(out)
    phases = [json.loads(subprocess.run([arguments.phases, str(es), str(observed)], check=True,
                                        capture_output=True).stdout)
              for _ in range(arguments.runs)]
    best = {name: min(p[name] for p in phases) for name in phases[0]}
    return {"misplaced": wrong, **plan, "ratio": round(plan["moves"] / max(wrong, 1), 4),
            "seconds": round(min(r[0] for r in runs), 4), "mib": round(min(r[1] for r in runs), 1),
            **{name: round(value, 4) for name, value in best.items()}}


def judge(result, case):
    _, seconds, mib, ratio = case
    missed = []
    if result["blocked"] > 0:
        missed.append(f"{result['blocked']} blocked")
    if seconds is not None and result["seconds"] > seconds:
        missed.append(f"over {seconds} s")
    if mib is not None and result["mib"] > mib:
        missed.append(f"over {mib} MiB")
    if ratio is not None and result["ratio"] > ratio:
        missed.append(f"over {ratio} moves a guest")
    return ", ".join(missed)


def print_table(results, before):
    print("| fleet | misplaced | moves | a guest | blocked | total s | reading s | planning s "
          "| verifying s | printing s | MiB | before s | target |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, r in results.items():
        old = before.get(name, {}).get("seconds", "")
        print(f"| {name} | {r['misplaced']} | {r['moves']} | {r['ratio']} | {r['blocked']} "
              f"| {r['seconds']} | {round(r['read_es'] + r['read_observed'], 4)} | {r['plan']} "
              f"| {r['verify']} | {r['print']} | {r['mib']} | {old} "
              f"| {judge(r, CASES[name]) or 'met'} |", flush=True)


def main():
    if sys.argv[1:2] == ["--generate"]:
        generate(sys.argv[2], pathlib.Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("berth")
    parser.add_argument("phases")
    parser.add_argument("--case", action="append", choices=CASES, help="this one only")
    parser.add_argument("--save", type=pathlib.Path, help="write the results here as JSON")
    parser.add_argument("--keep", type=pathlib.Path, help="leave the files in this folder")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many")
    arguments = parser.parse_args()
    before = json.loads((HERE / "plan.json").read_text()) if (HERE / "plan.json").exists() else {}
    results = {}
    for name in arguments.case or CASES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch) if arguments.keep is None else arguments.keep / name
            folder.mkdir(parents=True, exist_ok=True)
            results[name] = measure(arguments, name, folder)
            print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
    print_table(results, before)
    if arguments.save is not None:
        arguments.save.write_text(json.dumps({**before, **results}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
