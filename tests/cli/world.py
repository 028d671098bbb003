# SPDX-License-Identifier: Apache-2.0
"""A simulated fleet in a folder of its own, with the es.xml and berth.conf that describe it, and the
commands run on them as a shell would run them.  $BERTH and $BERTHD are the programs under test."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

BERTH = os.environ["BERTH"]
BERTHD = os.environ["BERTHD"]
GIB = 1024 * 1024
OK, FAILED, INVALID, PENDING, BLOCKED, CANCELLED = range(6)

# Longer than any test waits: a move that takes this long is running until something ends it.
FOR_EVER_MS = 3600_000
PATIENCE_S = 60


def uuid_of(guest):
    """The same one for the same name, so that fleets written twice agree."""
    return "00000000-0000-4000-8000-" + guest.encode().hex()[-12:].rjust(12, "0")


def sim_guest(name, **members):
    return {"name": name, "uuid": uuid_of(name), "memory_kib": GIB, "vcpus": 1} | members


def sim_fleet(places, memory_gib=16, **members):
    """places: host -> guests, each a name or a sim_guest()."""
    hosts = [
        {
            "name": host,
            "memory_kib": memory_gib * GIB,
            "cpus": 8,
            "guests": [sim_guest(g) if isinstance(g, str) else g for g in guests],
        }
        for host, guests in places.items()
    ]
    return {"format": "berth.sim/1", "hosts": hosts} | members


def es_xml(places, volumes=None):
    """places: host -> names of the guests that belong there; volumes: guest -> names of its volumes, which are
    /dev/exc/NAME."""
    volumes = volumes or {}
    lines = ['<engineeredSystem xmlns="model">', "<machines>"]
    for host, guests in places.items():
        lines += [
            f'<machine id="{host}_id"><hostName>{host}</hostName>',
            "<machineType>compute</machineType><virtual>false</virtual><osType>LinuxKVM</osType>",
            *(f'<machine id="{guest}_id"/>' for guest in guests),
            "</machine>",
        ]
    for guest in (guest for guests in places.values() for guest in guests):
        lines += [
            f'<machine id="{guest}_id"><hostName>{guest}</hostName>',
            "<machineType>compute</machineType><virtual>true</virtual>"
            "<osType>LinuxKVMGuest</osType>",
            "<guestCores>1</guestCores><guestMemory>1GiB</guestMemory>",
            "<edvVolumes>", *(f'<edvVolume id="{v}_id"/>' for v in volumes.get(guest, [])), "</edvVolumes>",
            "</machine>",
        ]
    lines += ["</machines>", "<storage><edvVolumes>"]
    for name in (name for names in volumes.values() for name in names):
        lines.append(f'<edvVolume id="{name}_id"><edvVolumeName>{name}</edvVolumeName>'
                     f"<edvDevicePath>/dev/exc/{name}</edvDevicePath></edvVolume>")
    return "\n".join(lines + ["</edvVolumes></storage>", "</engineeredSystem>", ""])


def await_true(what, condition):
    """Waits until condition() is true, and returns what it is."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited in vain until {what}")


class World:
    """es.xml, berth.conf, the fleet and the state directory, in one folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-cli-"))
        self.es = self.folder / "es.xml"
        self.conf = self.folder / "berth.conf"
        self.sim = self.folder / "fleet.json"
        self.state = self.folder / "state"
        self.log = self.folder / "log"
        self.processes = []
        self.configure()

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
                stream.close()
        shutil.rmtree(self.folder)

    def configure(self, text="", fleet=""):
        """'fleet' is of [fleet]."""
        self.conf.write_text(
            f"[fleet]\nes_xml = {self.es}\nstate_dir = {self.state}\nuri = sim:{self.sim}\n{fleet}"
            f"[capacity]\nhost_reserve = 0MiB\n{text}"
        )

    def replace(self, path, text):
        """As an editor does that keeps readers from seeing half a file."""
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").rename(path)

    def have(self, places, **members):
        """The fleet is this from now on; moves are quick unless 'durations' says otherwise."""
        durations = {"migrate_ms": 30, "migrate_ms_per_gib": 0, "observe_ms": 0, "define_ms": 0}
        durations |= members.pop("durations", {})
        self.replace(self.sim, json.dumps(sim_fleet(places, durations=durations, **members)))

    def want(self, places, volumes=None):
        self.replace(self.es, es_xml(places, volumes))

    def edit_fleet(self, change):
        """change(fleet) on what the simulation last wrote, with the lock that its users take."""
        with open(f"{self.sim}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fleet = json.loads(self.sim.read_text())
            change(fleet)
            self.replace(self.sim, json.dumps(fleet))

    def places(self):
        """host -> names of the guests that run there, in the fleet's own words."""
        fleet = json.loads(self.sim.read_text())
        return {
            host["name"]: [
                guest["name"]
                for guest in host.get("guests", [])
                if guest.get("state", "running") == "running"
            ]
            for host in fleet["hosts"]
        }

    def command(self, *args):
        """The command line for 'berth ARGS' on this world."""
        return [BERTH, args[0], "-c", str(self.conf), *map(str, args[1:])]

    def berth(self, *args, **options):
        return run(self.command(*args), **options)

    def start(self, *command, **options):
        """Runs it beside the test; its stderr goes to self.log."""
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                **options,
            )
        self.processes.append(process)
        return process

    def start_apply(self):
        return self.start(*self.command("apply", "--yes"))

    def await_move(self):
        """Until the fleet itself says that a guest is on its way."""
        return await_true(
            "a migration is under way",
            lambda: json.loads(self.sim.read_text()).get("migrations"),
        )

    def status(self):
        return json.loads(self.berth("status", "--json").stdout)


def run(command, stdin="", env=None, **options):
    """'stdin' is what it reads, or the descriptor that it reads from."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    streams["stdin" if isinstance(stdin, int) else "input"] = stdin
    return subprocess.run(
        list(map(str, command)),
        text=True,
        errors="surrogateescape",
        timeout=PATIENCE_S,
        env=os.environ | (env or {}),
        check=False,
        **streams,
    )


class CliTest(unittest.TestCase):
    """Each test has a world: two hosts, 'vm1' on the first."""

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.world.have({"kvm1": ["vm1"], "kvm2": []})
        self.world.want({"kvm1": ["vm1"], "kvm2": []})

    def want_a_move(self):
        self.world.want({"kvm1": [], "kvm2": ["vm1"]})

    def make_moves_slow(self):
        self.world.have(
            {"kvm1": ["vm1"], "kvm2": []}, durations={"migrate_ms": FOR_EVER_MS}
        )
        self.want_a_move()

    def assert_exit(self, result, status):
        streams = [s or "" for s in (result.stdout, result.stderr)]
        self.assertEqual(result.returncode, status, "\n".join([f"{result.args}", *streams]))

    def assert_complains(self, result, status, pattern):
        """It failed with one line 'berth: WHAT: WHY' that matches, and printed no result."""
        self.assert_exit(result, status)
        self.assertIn(result.stdout, ("", None))
        self.assertRegex(result.stderr.splitlines()[0], f"^berth: .*{pattern}")
        self.assertLessEqual(len(result.stderr.splitlines()), 2, result.stderr)
