#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Commands on real hosts over SSH, and what happens to them and to the logins that are kept.

$SSH_PROBE runs commands as the controller does; sshd's own log says how often somebody logged in.
"""

import contextlib
import os
import subprocess
import unittest

from fleet import LAB, Fleet, FleetTest, await_true

fleet = Fleet(hosts=2)
HOST = "root@kvm1"
MARK = "/run/ssh-test"  # a file on the host


def setUpModule():
    fleet.start()
    unittest.addModuleCleanup(fleet.stop)
    FleetTest.fleet = fleet


def unhex(text):
    return b"" if text == "-" else bytes.fromhex(text)


class Answer:
    """What ssh_probe says of one command."""

    def __init__(self, line):
        kind, rest = line.rstrip("\n").split(" ", 1)
        self.failed = kind == "failed"
        if self.failed:
            self.code, self.text = rest.split(" ", 1)
            return
        status, self.signal, out, err, *text = rest.split(" ", 4)
        self.status, self.out, self.err = int(status), unhex(out), unhex(err)
        self.text = text[0] if text else ""


class Probe:
    """A process that keeps logins like a controller."""

    def __init__(self, key=None, known_hosts=None, env=None):
        self.process = subprocess.Popen(
            [
                LAB,
                "ctl",
                os.environ["SSH_PROBE"],
                key or fleet.dir / "id",
                known_hosts or fleet.dir / "known_hosts",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BERTH_LAB_ID": fleet.id, **(env or {})},
        )

    def finish(self):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait():  # A sanitizer's verdict, say.
            raise AssertionError("ssh_probe failed")

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def begin(self, *argv, host=HOST, timeout_ms=30000, limit=100000, stdin=b""):
        words = [os.fsencode(a).hex() or "-" for a in argv]
        line = ["run", host, timeout_ms, limit, stdin.hex() or "-", *words]
        self.process.stdin.write(" ".join(map(str, line)) + "\n")
        self.process.stdin.flush()

    def end(self):
        return Answer(self.process.stdout.readline())

    def run(self, *argv, **options):
        self.begin(*argv, **options)
        return self.end()

    def sh(self, script, **options):
        return self.run("sh", "-c", script, **options)


class SshTest(FleetTest):
    def setUp(self):
        super().setUp()
        self.on("rm", "-f", MARK)
        self.before = self.logins()
        self.probe = Probe()
        self.addCleanup(self.probe.finish)

    def on(self, *argv):
        return fleet.lab("on", "kvm1", *argv)

    def log(self):
        return (fleet.dir / "kvm1" / "sshd.log").read_text()

    def logins(self):
        return self.log().count("Accepted publickey")

    def assert_logins(self, count):
        self.assertEqual(self.logins() - self.before, count, "logins")

    def assert_done(self, answer, out=None):
        self.assertFalse(answer.failed, answer.text)
        self.assertEqual(answer.status, 0, answer.text)
        if out is not None:
            self.assertEqual(answer.out, out)

    def assert_failed(self, answer, *codes):
        self.assertTrue(answer.failed, "it succeeded")
        self.assertIn(answer.code, codes, answer.text)
        self.assertIn(HOST, answer.text)

    def await_mark(self):
        await_true(
            "the command runs",
            lambda: fleet.run(LAB, "on", "kvm1", "test", "-s", MARK).returncode == 0,
        )

    def sessions(self):
        """Pids of sshd's processes that serve somebody who has logged in."""
        return sorted(fleet.run(LAB, "on", "kvm1", "pgrep", "-f", "^sshd: root").stdout.split())

    def daemon(self):
        return self.on("pgrep", "-f", "sshd.*listener").split()[0]

    @contextlib.contextmanager
    def frozen(self, pids):
        self.on("kill", "-STOP", *pids)
        try:
            yield
        finally:
            self.on("kill", "-CONT", *pids)

    @contextlib.contextmanager
    def cut(self):
        fleet.disturb("cut", "kvm1")
        try:
            yield
        finally:
            fleet.lab("heal", "kvm1")


class Commands(SshTest):
    def test_every_exit_status_comes_back(self):
        for status in range(256):
            answer = self.probe.sh(f"exit {status}")
            self.assertFalse(answer.failed, answer.text)
            self.assertEqual(answer.status, status)
            said = "" if status == 0 else f"cannot try it on '{HOST}': exit status {status}"
            self.assertEqual(answer.text, said)
        self.assert_logins(1)

    def test_a_signal_comes_back_by_its_name(self):
        for name in ("KILL", "TERM", "SEGV", "USR1"):
            answer = self.probe.sh(f"kill -{name} $$; sleep 60")
            self.assertFalse(answer.failed, answer.text)
            self.assertEqual((answer.status, answer.signal), (-1, name))
            self.assertIn(f"ended by signal {name}", answer.text)

    def test_what_a_command_complains_of_is_in_the_error(self):
        answer = self.probe.sh("echo it hurts >&2; exit 7")
        self.assertEqual(answer.text, f"cannot try it on '{HOST}': exit status 7: it hurts")
        answer = self.probe.sh("printf 'red \\033[31m\\nnext' >&2; exit 1")
        self.assertIn("exit status 1: red ?[31m?next", answer.text)
        answer = self.probe.sh("(yes complaint | head -c 1000000; echo; echo why it ended) >&2; exit 1")
        self.assertEqual(len(answer.err), 1024)
        self.assertLess(len(answer.text), 256)
        self.assertRegex(answer.text, r"exit status 1: \.\.\..*why it ended$")

    def test_a_program_that_is_not_there_is_named(self):
        answer = self.probe.run("no-such-program", "x")
        self.assertEqual(answer.status, 127)
        self.assertIn("no-such-program", answer.text)

    def test_no_argument_becomes_code(self):
        hostile = [
            "", "'", "''", "it's", '"', "\\", "a b", "two\nlines\n", "$(touch " + MARK + ")",
            "`touch " + MARK + "`", "'; touch " + MARK + "; '", "a;b&c|d>e<f", "$HOME", "~", "*",
            "!", "#", "-n", "--", "--help", "X=1", b"\xff\xe9\x01\x1b\x7f", "grüß", "\u202e",
        ]
        answer = self.probe.run("printf", "%s\\0", *hostile)
        self.assert_done(answer, b"".join(os.fsencode(h) + b"\0" for h in hostile))
        for word in ("X=1", "-c", "touch " + MARK, "$(touch " + MARK + ")", "true;"):
            self.assertEqual(self.probe.run(word).status, 127, word)
        self.assert_done(self.probe.sh(f"[ ! -e {MARK} ]"))

    def test_input_and_output_of_a_megabyte_pass_each_other(self):
        data = os.urandom(1 << 20)
        self.assert_done(self.probe.run("cat", stdin=data.hex().encode(), limit=1 << 22),
                         data.hex().encode())

    def test_a_command_that_does_not_read_its_input_is_none_the_worse(self):
        for _ in range(5):
            answer = self.probe.sh("exec <&-; echo fine", stdin=b"x" * (1 << 20))
            self.assert_done(answer, b"fine\n")
        self.assert_logins(1)

    def test_output_without_end_is_refused_and_the_next_command_runs(self):
        answer = self.probe.sh("head -c 10000000 /dev/zero", limit=1000000)
        self.assert_failed(answer, "failed")
        self.assertIn("1000000 bytes", answer.text)
        self.assert_done(self.probe.sh("head -c 1000000 /dev/zero", limit=1000000), bytes(1000000))

    def test_output_of_ten_megabytes_is_read_where_it_is_allowed(self):
        self.assert_done(
            self.probe.sh("head -c 10000000 /dev/zero", limit=10000000), bytes(10000000)
        )

    def test_a_flood_of_complaints_does_not_outlast_the_deadline(self):
        self.assert_failed(self.probe.sh("yes >&2", timeout_ms=2000), "timeout")

    def test_a_command_that_hangs_is_given_up_and_the_next_one_runs(self):
        self.assert_failed(self.probe.sh("sleep 3600", timeout_ms=1000), "timeout")
        self.assert_done(self.probe.run("true"))
        self.assert_logins(2)


class Logins(SshTest):
    def test_one_login_serves_every_command(self):
        for _ in range(20):
            self.assert_done(self.probe.run("true"))
        self.assert_logins(1)

    def test_a_login_that_the_host_has_ended_is_replaced(self):
        self.assert_done(self.probe.run("true"))
        self.on("kill", "-KILL", *self.sessions())
        self.assert_done(self.probe.sh(f"echo once >>{MARK}"))
        self.assert_logins(2)
        self.assertEqual(self.on("cat", MARK), "once\n")

    def test_commands_go_on_when_sshd_was_started_again(self):
        self.assert_done(self.probe.run("true"))
        sessions, daemon = self.sessions(), self.daemon()
        argv = self.on("cat", f"/proc/{daemon}/cmdline").split("\0")[0]
        self.on("kill", "-KILL", daemon, *sessions)
        # sshd says in its title how it was started; blanks are in values of options alone.
        program, *options = argv.removeprefix("sshd: ").split(" [listener]")[0].split(" -o ")
        command = program.split() + [word for option in options for word in ("-o", option)]
        self.on("sh", "-c", 'exec "$@" </dev/null >/dev/null 2>&1', "sh", *command)
        await_true("sshd listens", lambda: not self.probe.run("true").failed)

    def test_without_an_sshd_the_host_is_unreachable(self):
        self.assert_failed(self.probe.run("true", host=f"{HOST}:1"), "unreachable")

    def test_a_login_that_has_fallen_silent_is_replaced(self):
        self.assert_done(self.probe.run("true"))
        with self.frozen(self.sessions()):
            self.assert_done(self.probe.run("true", timeout_ms=60000))
        self.assert_logins(2)

    def test_a_frozen_sshd_is_given_up_at_the_deadline(self):
        with self.frozen([self.daemon()]):
            self.assert_failed(self.probe.run("true", timeout_ms=1000), "timeout")
        self.assert_done(self.probe.run("true"))

    def test_a_cable_that_is_out_is_noticed_at_the_deadline(self):
        with self.cut():
            self.assert_failed(self.probe.run("true", timeout_ms=1000), "timeout", "unreachable")
        self.assert_done(self.probe.run("true"))

    def test_a_cable_taken_out_between_two_commands_is_noticed_at_the_deadline(self):
        self.assert_done(self.probe.run("true"))
        with self.cut():
            self.assert_failed(self.probe.run("true", timeout_ms=1000), "timeout", "unreachable")
        self.assert_done(self.probe.run("true"))

    def test_a_command_cut_off_is_never_sent_again(self):
        script = f"echo once >>{MARK}; sleep 3600"
        self.assert_done(self.probe.run("true"))
        self.probe.begin("sh", "-c", script, timeout_ms=60000)
        self.await_mark()
        self.on("kill", "-KILL", *self.sessions())
        self.assert_failed(self.probe.end(), "unreachable")
        self.assert_done(self.probe.run("true"))
        self.assertEqual(self.on("cat", MARK), "once\n")

    def test_a_command_that_the_cable_cuts_off_is_given_up_at_the_deadline(self):
        self.probe.begin("sh", "-c", f"echo once >>{MARK}; sleep 3600", timeout_ms=4000)
        self.await_mark()
        with self.cut():
            self.assert_failed(self.probe.end(), "timeout")
        self.assert_done(self.probe.run("true"))
        self.assertEqual(self.on("cat", MARK), "once\n")

    def test_idle_logins_are_ended(self):
        before = self.sessions()
        self.assert_done(self.probe.run("true"))
        self.assertNotEqual(self.sessions(), before)
        self.assertEqual(self.probe.ask("tidy", 3600000), "kept\n")
        self.assertEqual(self.probe.ask("tidy", 0), "none\n")
        await_true("the host sees the end", lambda: self.sessions() == before)
        self.assert_done(self.probe.run("true"))
        self.assert_logins(2)

    def test_many_threads_share_and_two_logins_to_a_host_are_kept(self):
        before = self.sessions()
        answer = self.probe.ask("crowd", 8, 20, HOST, "root@kvm2", "nobody@kvm1", "root@10.99.0.1")
        # Nobody's shell is none, so its commands end with status 1.
        self.assertEqual(answer, f"{8 * 20 * 3}\n")
        await_true("two logins are kept", lambda: len(self.sessions()) <= len(before) + 4)
        self.assert_done(self.probe.run("true"))

    def test_closing_waits_for_nobody_and_the_last_to_leave_ends_the_logins(self):
        before = self.sessions()
        self.assert_done(self.probe.run("true"))
        self.assertEqual(self.probe.ask("close", HOST), "2\n")
        await_true("the host sees the end", lambda: self.sessions() == before)
        self.assert_done(self.probe.run("true"))

    def test_another_user_has_a_login_of_its_own(self):
        for host in (HOST, "nobody@kvm1", HOST, "nobody@kvm1"):
            self.assertFalse(self.probe.run("true", host=host).failed)
        log = self.log().splitlines()[-40:]
        for user in ("root", "nobody"):
            self.assertTrue(any(f"Accepted publickey for {user} " in line for line in log), user)
        self.assert_logins(2)

    def test_nothing_is_left_open_by_failures(self):
        def descriptors():
            return len(os.listdir(f"/proc/{self.probe.process.pid}/fd"))

        self.assert_done(self.probe.run("true"))
        before = descriptors()
        for _ in range(3):
            self.probe.sh("head -c 100 /dev/zero", limit=1)
            self.probe.sh("sleep 60", timeout_ms=200)
            self.probe.run("true", host="root@kvm1:1")
            self.probe.run("true", host="no-such-user@kvm1")
            self.probe.run("true", host="root@localhost")
        self.assert_done(self.probe.run("true"))
        self.assertEqual(descriptors(), before)


class Trust(SshTest):
    def known_hosts(self, text):
        path = fleet.work / "known_hosts"
        path.write_text(text)
        probe = Probe(known_hosts=path)
        self.addCleanup(probe.finish)
        return probe, path

    def test_a_host_whose_key_is_not_known_is_refused_with_the_fix(self):
        probe, path = self.known_hosts("")
        answer = probe.sh(f"touch {MARK}")
        self.assert_failed(answer, "denied")
        self.assertIn(str(path), answer.text)
        self.assertIn("ssh-keyscan", answer.text)
        self.assertEqual(path.read_text(), "")
        self.assert_logins(0)

    def test_a_host_whose_key_has_changed_is_refused_with_the_fix(self):
        text = (fleet.dir / "known_hosts").read_text()
        one, two = (line.rsplit(" ", 1)[1] for line in text.splitlines()[:2])
        probe, path = self.known_hosts(text.replace(one, two))
        answer = probe.sh(f"touch {MARK}")
        self.assert_failed(answer, "denied")
        self.assertIn(str(path), answer.text)
        self.assertIn("replace it there", answer.text)
        self.assert_logins(0)

    def test_a_key_that_the_host_does_not_accept_is_refused(self):
        key = fleet.work / "other"
        fleet.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        probe = Probe(key=key)
        self.addCleanup(probe.finish)
        answer = probe.run("true")
        self.assert_failed(answer, "denied")
        self.assertIn("accepts none of our keys", answer.text)

    def test_an_agents_key_logs_in(self):
        socket = fleet.work / "agent"
        agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.addCleanup(agent.wait)
        self.addCleanup(agent.terminate)
        env = {"SSH_AUTH_SOCK": str(socket)}
        await_true(
            "the agent has the key",
            lambda: fleet.run("ssh-add", "-q", fleet.dir / "id", env=env).returncode == 0,
        )
        probe = Probe(key="-", env=env)
        self.addCleanup(probe.finish)
        self.assert_done(probe.run("true"))
        self.assert_done(probe.run("true"))
        self.assert_logins(1)

    def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(self):
        key = fleet.work / "locked"
        fleet.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", key)
        probe = Probe(key=key)
        self.addCleanup(probe.finish)
        answer = probe.run("true")
        self.assert_failed(answer, "denied")
        self.assertIn(str(key), answer.text)


class Moves(SshTest):
    """The proof that a guest's disk is the same storage on both hosts."""

    def test_one_login_to_a_host_serves_every_move(self):
        guests = ["g1", "g2", "g3"]
        for number, guest in enumerate(guests):
            fleet.lab("volume", f"v{number}")
            fleet.guest(guest, "kvm1", disk=f"v{number}")
            fleet.lab("attach", "kvm2", f"v{number}")
        fleet.want({"capacity.host_reserve": "0MiB"}, **{guest: "kvm2" for guest in guests})
        self.before = self.logins()
        self.assert_exit(fleet.berth("apply", "--yes"), 0)
        for guest in guests:
            self.assert_runs_once(guest, "kvm2")
        self.assert_logins(1)

    def test_a_host_whose_key_has_changed_keeps_its_guests_and_the_fix_is_told(self):
        text = (fleet.dir / "known_hosts").read_text()
        one, two = (line.rsplit(" ", 1)[1] for line in text.splitlines()[:2])
        path = fleet.work / "known_hosts"
        path.write_text(text.replace(two, one))
        fleet.lab("volume", "v1")
        fleet.guest("g1", "kvm1", disk="v1")
        fleet.lab("attach", "kvm2", "v1")
        fleet.want({"fleet.ssh_known_hosts": path}, g1="kvm2")
        result = fleet.berth("apply", "--yes")
        self.assert_exit(result, 1, 4)
        self.assertIn(str(path), result.stdout + result.stderr)
        self.assert_runs_once("g1", "kvm1")
        self.assertEqual(fleet.boots("g1"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
