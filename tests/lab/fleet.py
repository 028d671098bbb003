# SPDX-License-Identifier: Apache-2.0
"""A fleet of real KVM hosts for tests: starts one with tests/lab/lab, runs berth in it, and tells
the truth about it from the process table, from libvirt and from the guests' own consoles.

One Fleet a test module (setUpModule: fleet = Fleet().start()).  Whatever ends the test program, the
fleet goes too: on any exit of Python, and by a guard process that sees the program's end when it
was killed."""

import atexit
import collections
import fcntl
import os
import pathlib
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
LAB = HERE / "lab"
CACHE = pathlib.Path("/var/cache/berth-lab")
GUARD = 'trap "" TERM INT HUP; read -r _ || BERTH_LAB_ID=$1 exec "$0" sweep'
PATIENCE_S = 60  # bounds every wait; nothing is expected to take this long

Result = collections.namedtuple("Result", "returncode stdout stderr")


class LabError(AssertionError):
    """A lab command failed."""


def await_true(what, question, patience_s=PATIENCE_S, pause_s=0.05):
    """Asks until the answer is true, and returns it."""
    end = time.monotonic() + patience_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience_s} s in vain: {what}")
        time.sleep(pause_s)


def _interrupt(number, _frame):
    """unittest lets KeyboardInterrupt alone through, so every wish to end becomes one."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def berth_path():
    """The program under test: $BERTH, or the development build's."""
    path = pathlib.Path(os.environ.get("BERTH") or HERE.parent.parent / "build/dev/berth")
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"no berth at '{path}': build it, or set BERTH")
    return path


class Fleet:
    """Hosts kvm1..kvmN.  Everything takes host and guest names.  'platform': with stand-ins for the
    commands that configs/profiles/exascale.conf runs on hosts."""

    def __init__(self, hosts=3, platform=False):
        self.count = hosts
        self.platform = platform
        self.id = None
        self.work = None
        self.last = None  # of berth, for logs()
        self._lock = None
        self._guard = None
        self._running = set()
        self._disturbed = set()

    # -- life --------------------------------------------------------------------------------------

    def _claim(self):
        """Takes the first fleet id that no living test program has."""
        CACHE.mkdir(parents=True, exist_ok=True)
        for number in range(10):
            lock = os.open(CACHE / f"lock.t{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self.id, self._lock = f"t{number}", lock
            return
        raise LabError("ten fleets are in use")

    def start(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        self._claim()
        # The guard holds the lock too, so that the next fleet of this id waits for its sweep.
        self._guard = subprocess.Popen(
            ["bash", "-c", GUARD, str(LAB), self.id],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(self._lock,),
        )
        atexit.register(self.stop)
        self.lab("sweep")
        self.lab("up", str(self.count), *(["--platform"] if self.platform else []))
        self.work = self.dir / "work"  # where the guard's sweep finds it
        self.work.mkdir()
        return self

    def _end_processes(self):
        while self._running:
            process = self._running.pop()
            process.kill()
            process.wait()
            for stream in filter(None, (process.stdout, process.stderr)):
                stream.close()

    def stop(self):
        """Leaves nothing behind.  May be called at any time and again."""
        if self.id is None:
            return
        handlers = {
            n: signal.signal(n, signal.SIG_IGN)
            for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            self._end_processes()
            self.lab("sweep")
            self._guard.stdin.write(b"done\n")
        finally:
            self._guard.stdin.close()
            self._guard.wait()
            os.close(self._lock)
            self.id = None
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def reset(self):
        """Every host up and reachable, no guest anywhere: the start of a test."""
        self._end_processes()
        for host in sorted(self._disturbed):
            if not (self.dir / host / "init.pid").exists():
                self.lab("boot", host)
            if (self.dir / host / "stopped").exists():
                self.lab("start", host)
            self.lab("thaw", host)
            self.lab("heal", host)
            self.lab("rate", host, "0")
            if self.platform:
                self.lab("fault", host, "clear")
        self._disturbed.clear()
        for guest in sorted((self.dir / "guests").iterdir()):
            self.lab("remove", guest.name)
        for volume in sorted((self.dir / "store").glob("*.img")):
            if volume.exists():
                self.lab("erase", volume.stem)
        for line in (*self.lab("bridges").splitlines(), *self.lab("interfaces").splitlines()):
            host, link = line.split()
            self.run("ip", "-n", f"b{self.id}-{host}", "link", "delete", link)
        self.last = None
        for entry in self.work.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    # -- commands ----------------------------------------------------------------------------------

    @property
    def dir(self):
        return pathlib.Path(f"/run/berth-lab-{self.id}")

    @property
    def hosts(self):
        return [f"kvm{n}" for n in range(1, self.count + 1)]

    def _environment(self, more=None):
        return {**os.environ, "BERTH_LAB_ID": self.id, **(more or {})}

    def run(self, *argv, timeout=PATIENCE_S, env=None):
        """Runs a program to its end, however it ends."""
        done = subprocess.run(
            [str(a) for a in argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self._environment(env),
            errors="replace",
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def lab(self, *args, timeout=PATIENCE_S):
        """A lab command that must succeed; returns what it printed."""
        result = self.run(LAB, *args, timeout=timeout)
        if result.returncode:
            raise LabError(
                f"lab {' '.join(map(str, args))}: {result.stderr.strip() or result.stdout.strip()}"
            )
        return result.stdout

    def uri(self, host):
        return f"qemu+tcp://{host}/system"

    def virsh(self, host, *args, timeout=PATIENCE_S):
        return self.lab("ctl", "virsh", "-q", "-c", self.uri(host), *args, timeout=timeout)

    def ssh(self, host, *argv, timeout=PATIENCE_S):
        """Runs a command on 'host' as a controller would, however it ends."""
        options = ("BatchMode=yes", "LogLevel=ERROR", f"UserKnownHostsFile={self.dir}/known_hosts")
        return self.run(
            LAB,
            *("ctl", "ssh", "-i", self.dir / "id"),
            *(word for option in options for word in ("-o", option)),
            f"root@{host}",
            shlex.join(map(str, argv)),
            timeout=timeout,
        )

    def start_process(self, *argv, env=None, out=subprocess.PIPE, log=subprocess.PIPE):
        """Starts a program where the controller runs; its pid is the program's own.  'out' and 'log' are
        open files that take what it says to stdout and stderr."""
        process = subprocess.Popen(
            [str(LAB), "ctl", *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            text=True,
            errors="replace",
            env=self._environment(env),
        )
        self._running.add(process)
        return process

    def finish(self, process, timeout=180):
        """Waits for what start_process() started; kills it when it hangs."""
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(
                f"{process.args} did not end within {timeout} s\n{out}{err}"
            ) from None
        finally:
            self._running.discard(process)
        self.last = Result(process.returncode, out, err or "")
        return self.last

    def start_berth(self, *args, env=None):
        command, *rest = args
        return self.start_process(
            berth_path(), command, "-c", self.work / "berth.conf", *rest, env=env
        )

    def berth(self, *args, timeout=180, env=None):
        return self.finish(self.start_berth(*args, env=env), timeout)

    def kill(self, process):
        """SIGKILL to what start_process() started."""
        process.kill()
        return self.finish(process)

    # -- the world ---------------------------------------------------------------------------------

    def disturb(self, command, host, *args):
        """crash, cut, freeze, stop, rate, fault and their opposites; reset() undoes what is left."""
        self._disturbed.add(host)
        self.lab(command, host, *args)

    def guest(self, name, host, **options):
        """guest("g1", "kvm1", memory=96, disk="v1", off=True): options of 'lab guest'."""
        args = []
        for option, value in options.items():
            option = "--" + option.replace("_", "-")
            if value is not False:
                args += [option] if value is True else [option, str(value)]
        self.lab("guest", name, host, *args)
        return name

    def want(self, settings=None, **placement):
        """Writes es.xml and berth.conf: want({"guest g1.mode": "offline"}, g1="kvm2")."""
        self.lab("es", self.work / "es.xml", *(f"{g}={h}" for g, h in placement.items()))
        sets = []
        for key, value in (settings or {}).items():
            sets += ["--set", f"{key}={value}"]
        self.lab("conf", self.work / "berth.conf", *sets)

    # -- the truth ---------------------------------------------------------------------------------

    def processes(self, guest):
        """[(host, pid)] of the guest's QEMU, by the process table alone."""
        return [
            (h, int(p)) for h, _, p in (line.split() for line in self.lab("ps", guest).splitlines())
        ]

    def pid(self, guest):
        return self.processes(guest)[0][1]

    def listed(self, host, *options):
        """Names of the guests that libvirt knows on 'host'; options of 'virsh list'."""
        return self.virsh(host, "list", "--name", *options).split()

    def state(self, guest, host):
        return self.virsh(host, "domstate", guest).strip()

    def uuid(self, guest, host):
        return self.virsh(host, "domuuid", guest).strip()

    def console(self, guest):
        path = self.dir / "serial" / f"{guest}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def boots(self, guest):
        """How often it booted: 1 for a guest that only ever moved live."""
        return len(re.findall(r"^READY ", self.console(guest), re.M))

    def beat(self, guest):
        """How often it has beaten, in all its lives: each counts from 1 again."""
        return len(re.findall(r"^beat \d", self.console(guest), re.M))

    def journal(self, sql, *parameters):
        """Rows of the journal, read beside whoever writes it."""
        connection = sqlite3.connect(f"file:{self.work}/state/journal.db?mode=ro", uri=True)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def attached(self, volume):
        """Hosts that have a device of the volume."""
        pairs = (line.split() for line in self.lab("attached").splitlines())
        return [host for host, name in pairs if name == volume]

    def mounted(self, guest):
        """Hosts where the guest's configuration volume is mounted, and those where fstab says so."""
        lines = [line.split() for line in self.lab("mounted").splitlines()]
        lines = [line for line in lines if line[1] == guest]
        return [x[0] for x in lines if len(x) == 2], [x[0] for x in lines if len(x) == 3]

    def bridged(self, bridge):
        """Hosts that have the bridge."""
        pairs = (line.split() for line in self.lab("bridges").splitlines())
        return [host for host, name in pairs if name == bridge]

    def given(self, interface):
        """Hosts that have the interface."""
        pairs = (line.split() for line in self.lab("interfaces").splitlines())
        return [host for host, name in pairs if name == interface]

    def logs(self):
        """What a person wants to see when a test failed."""
        parts = [f"fleet {self.id}:", self.run(LAB, "guests").stdout]
        if self.last:
            parts += [
                f"last program: exit status {self.last.returncode}",
                self.last.stdout,
                self.last.stderr,
            ]
        for log in sorted(
            [
                *self.work.glob("*.log"),
                *self.dir.glob("serial/*.log"),
                *self.dir.glob("kvm*/console.log"),
                *self.dir.glob("kvm*/standin.log"),
                *self.dir.glob("kvm*/log/qemu/*.log"),
            ]
        ):
            tail = log.read_text(errors="replace").splitlines()[-12:]
            parts += [f"--- {log.relative_to(self.dir)}", *tail]
        return "\n".join(parts)


class FleetTest(unittest.TestCase):
    """A test on a fleet: fresh guests, assertions about the truth, logs when it failed."""

    fleet = None  # set by the module

    def setUp(self):
        self.fleet.reset()

    def run(self, result=None):
        result = result or self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and self.fleet.id:
            print(self.fleet.logs(), file=sys.stderr)
        return result

    def assert_runs_once(self, guest, host):
        """One QEMU, on 'host', by the process table and by every libvirt that is up."""
        self.assertEqual(
            [h for h, _ in self.fleet.processes(guest)], [host], f"processes of {guest}"
        )
        for other in self.fleet.hosts:
            if (self.fleet.dir / other / "init.pid").exists():
                self.assertEqual(
                    guest in self.fleet.listed(other), other == host, f"{guest} on {other}"
                )
        self.assert_no_disk_conflict(guest)

    def assert_alive(self, guest):
        """Its console goes on."""
        before = self.fleet.beat(guest)
        await_true(f"'{guest}' beats", lambda: self.fleet.beat(guest) > before)

    def assert_defined_only_on(self, guest, host):
        where = [h for h in self.fleet.hosts if guest in self.fleet.listed(h, "--all")]
        self.assertEqual(where, [host], f"definitions of {guest}")

    def assert_no_disk_conflict(self, guest):
        self.assertNotIn("DISK-CONFLICT", self.fleet.console(guest))

    def assert_exit(self, result, *statuses):
        self.assertIn(
            result.returncode,
            statuses,
            f"exit status {result.returncode}\n{result.stdout}{result.stderr}",
        )
