#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guests of a dead host: where they are to run, who stays down, and what becomes of es.xml."""

import contextlib
import json
import select
import socket
import threading
import unittest

from test_edit import EditTest
from test_terminal import PROMPT
from world import BLOCKED, CANCELLED, FAILED, FOR_EVER_MS, INVALID, OK, await_true, sim_guest


FENCE = "[fence device]\nagent = fence_none\n[host kvm1]\nfence = device\n"


class FailoverTest(EditTest):
    """Three hosts; what runs on kvm1 is known to the journal."""

    PLACES = {"kvm1": ["db", "web"], "kvm2": ["mail"], "kvm3": []}

    def setUp(self):
        super().setUp()
        self.be(self.PLACES)

    def be(self, places, **members):
        """The fleet is as the file says, and a controller has seen it."""
        self.world.have(places, **members)
        self.world.want({host: [g if isinstance(g, str) else g["name"] for g in guests]
                         for host, guests in places.items()})
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        self.text = self.world.es.read_text()

    def power(self, host, state):
        self.set_host(host, power=state)

    def set_host(self, name, **members):
        self.world.edit_fleet(lambda fleet: next(
            h for h in fleet["hosts"] if h["name"] == name).update(members))

    def wanted(self):
        """guest -> the host that the file puts it on."""
        diff = self.world.berth("diff", "--json", "--observed", "-", stdin=json.dumps(
            {"format": "berth.observed/1", "at": "2026-01-01T00:00:00Z", "hosts": []}))
        return {g["guest"]: g["wanted"] for g in json.loads(diff.stdout)["guests"]}

    def defined(self, host):
        fleet = json.loads(self.world.sim.read_text())
        return [g["name"] for h in fleet["hosts"] if h["name"] == host for g in h.get("guests", [])]

    def plan(self, *args, status=OK):
        document = self.edit(*args, "--source-is-dead=kvm1", "--dry-run", status=status)
        moves = [(m["guest"], m["from"], m["to"], m["mode"]) for m in document["plan"]["moves"]]
        return moves, {b["guest"]: b["code"] for b in document["blocked"]}


    def be_never_home(self):
        """web was on kvm1 whenever it was seen, and the file wants it on kvm3."""
        self.world.have({"kvm1": ["db", "web"], "kvm2": ["mail"], "kvm3": []})
        self.world.want({"kvm1": ["db"], "kvm2": ["mail"], "kvm3": ["web"]})
        self.assert_exit(self.world.berth("hold", "web"), OK)
        self.assert_exit(self.world.berth("apply", "--yes"), BLOCKED)
        self.assert_exit(self.world.berth("release", "web"), OK)


class Plan(FailoverTest):
    def test_a_dry_run_shows_where_the_guests_would_run_and_changes_nothing(self):
        self.power("kvm1", "off")
        result = self.world.berth("evacuate", "kvm1", "--source-is-dead=kvm1", "--dry-run")
        self.assert_exit(result, OK)
        self.assertRegex(result.stdout, r"(?s)es.xml:\n  db +kvm1 -> kvm2\n  web +kvm1 -> kvm2\n")
        self.assertRegex(result.stdout, r"1 +db +kvm1 +→ kvm2 +forced .*'kvm1', where it ran, is dead")
        self.assertIn("2 moves, 2 GiB, by force", result.stdout)
        self.assertEqual(result.stderr, "")
        self.assert_unchanged(self.text)

    def test_the_important_guest_comes_first(self):
        self.world.configure("[guest web]\npriority = 1\n")
        self.power("kvm1", "off")
        moves, blocked = self.plan("evacuate", "kvm1")
        self.assertEqual(moves, [("web", "kvm1", "kvm2", "forced"), ("db", "kvm1", "kvm2", "forced")])
        self.assertEqual(blocked, {})

    def test_who_finds_no_room_stays_down_and_is_told(self):
        self.world.configure("[host kvm2]\nmemory = 1GiB\n[host kvm3]\nmemory = 1GiB\n")
        self.power("kvm1", "off")
        moves, blocked = self.plan("evacuate", "kvm1", status=BLOCKED)
        self.assertEqual(moves, [("db", "kvm1", "kvm3", "forced")])
        self.assertEqual(blocked, {"web": "no-capacity"})
        result = self.world.berth("evacuate", "kvm1", "--source-is-dead=kvm1", "--dry-run")
        self.assert_exit(result, BLOCKED)
        self.assertEqual(result.stdout.count("no-capacity"), 1, result.stdout)

    def test_what_was_off_stays_off(self):
        self.be({"kvm1": ["db", sim_guest("web", state="shutoff")], "kvm2": ["mail"], "kvm3": []})
        self.power("kvm1", "off")
        moves, blocked = self.plan("evacuate", "kvm1", status=BLOCKED)
        self.assertEqual([m[0] for m in moves], ["db"])
        self.assertEqual(blocked, {"web": "policy"})

    def test_a_guest_that_nobody_has_seen_is_not_invented(self):
        self.be({"kvm1": ["db"], "kvm2": ["mail"], "kvm3": []})
        self.world.want(self.PLACES)
        self.power("kvm1", "off")
        moves, blocked = self.plan("evacuate", "kvm1", status=BLOCKED)
        self.assertEqual([m[0] for m in moves], ["db"])
        self.assertEqual(blocked, {"web": "missing"})

    def test_a_guest_that_was_never_seen_at_home_is_told_wherever_it_belongs(self):
        self.world.have({"kvm1": ["db", "web"], "kvm2": ["mail"], "kvm3": []})
        self.world.want({"kvm1": ["db", "web"], "kvm2": ["mail"], "kvm3": ["new"]})
        self.power("kvm1", "off")
        moves, blocked = self.plan("evacuate", "kvm1", status=BLOCKED)
        self.assertEqual([m[0] for m in moves], ["db", "web"])
        self.assertEqual(blocked, {"new": "missing"})
        result = self.world.berth("evacuate", "kvm1", "--source-is-dead=kvm1", "--dry-run")
        self.assertRegex(result.stdout, "new.*no host that answers has it.* if it was on 'kvm1'")

    def test_a_guest_that_was_seen_but_never_at_home_goes_where_the_file_wants_it(self):
        self.be_never_home()
        self.power("kvm1", "off")
        moves, blocked = self.plan("evacuate", "kvm1")
        self.assertEqual(moves, [("db", "kvm1", "kvm2", "forced"), ("web", "kvm1", "kvm3", "forced")])
        self.assertEqual(blocked, {})

    def test_if_nobody_can_be_helped_the_file_stays_as_it_is(self):
        self.power("kvm1", "off")
        self.power("kvm2", "off")
        self.power("kvm3", "off")
        result = self.world.berth("evacuate", "kvm1", "--yes")
        self.assert_exit(result, BLOCKED)
        self.assertRegex(result.stdout, "unreachable-host")
        self.assertIn("nothing was changed", result.stderr)
        self.assert_unchanged(self.text)

    def test_a_host_without_guests_needs_nothing(self):
        self.power("kvm3", "off")
        result = self.world.berth("evacuate", "kvm3", "--yes")
        self.assert_exit(result, OK)
        self.assertIn("no guest of the file is known to be down with 'kvm3'", result.stderr)
        self.assertFalse(self.edit("evacuate", "kvm3")["written"])

    def test_one_guest_can_be_asked_for(self):
        self.power("kvm1", "off")
        moves, blocked = self.plan("migrate", "web", "--to", "kvm3", "--mode", "offline-force")
        self.assertEqual(moves, [("web", "kvm1", "kvm3", "forced")])
        self.world.configure("[host kvm3]\nmemory = 512MiB\n")
        result = self.world.berth("migrate", "web", "--to", "kvm3", "--mode", "offline-force", "--yes",
                                  "--source-is-dead=kvm1")
        self.assert_exit(result, INVALID)  # The file itself would be at fault.
        self.assert_unchanged(self.text)


class Evacuated(FailoverTest):
    """By the command itself."""

    def control(self):
        """From now on whoever controls the fleet does."""

    def evacuate(self, *args, status=OK):
        self.control()
        result = self.world.berth("evacuate", "kvm1", "--yes", *args)
        self.assert_exit(result, status)
        return result

    def assert_fleet(self, places, down=()):
        """The guests run there, and are there by the file; those that are down are on kvm1 by it."""
        self.assertEqual({host: sorted(guests) for host, guests in self.world.places().items()}, places)
        wanted = {guest: host for host, guests in places.items() for guest in guests}
        self.assertEqual(self.wanted(), wanted | {guest: "kvm1" for guest in down})

    def test_guests_of_a_host_that_is_attested_dead_run_elsewhere(self):
        self.power("kvm1", "off")
        result = self.evacuate("--source-is-dead=kvm1")
        self.assertIn("2 guests moved", result.stdout)
        self.assert_fleet({"kvm1": [], "kvm2": ["db", "mail", "web"], "kvm3": []})
        self.assertEqual(self.world.status()["blocked"], [])
        self.assertEqual(self.evacuate().stdout, "")
        self.assertRegex(self.world.berth("history", "db").stdout, "kvm1 -> kvm2 +forced +done")

    def test_a_guest_that_was_never_home_runs_where_the_file_wants_it(self):
        self.be_never_home()
        self.power("kvm1", "off")
        self.evacuate("--source-is-dead=kvm1")
        self.assert_fleet({"kvm1": [], "kvm2": ["db", "mail"], "kvm3": ["web"]})

    def test_a_guest_that_was_never_home_is_protected_like_the_others(self):
        self.world.have({"kvm1": ["db", sim_guest("web", autostart=True)], "kvm2": ["mail"], "kvm3": []})
        self.world.want({"kvm1": ["db"], "kvm2": ["mail"], "kvm3": ["web"]})
        self.assert_exit(self.world.berth("hold", "web"), OK)
        self.assert_exit(self.world.berth("apply", "--yes"), BLOCKED)
        self.assert_exit(self.world.berth("release", "web"), OK)
        self.power("kvm1", "off")
        result = self.evacuate("--source-is-dead=kvm1", status=BLOCKED)
        self.assertRegex(result.stdout, "web: unsafe: .*once 'kvm1' comes back it would run twice")

    def test_guests_of_a_host_that_is_fenced_run_elsewhere(self):
        self.world.configure(FENCE)
        self.power("kvm1", "off")
        self.evacuate()
        self.assert_fleet({"kvm1": [], "kvm2": ["db", "mail", "web"], "kvm3": []})

    def test_nothing_is_started_while_the_fence_fails(self):
        self.world.configure(FENCE)
        self.power("kvm1", "off")
        self.set_host("kvm1", fence="fails")
        result = self.evacuate(status=FAILED)
        self.assertRegex(result.stderr, "its device says that it is still on")
        self.assertIn("2 guests are put back", result.stderr)
        self.assert_unchanged(self.text)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["mail"], "kvm3": []})
        self.set_host("kvm1", fence="works")
        self.evacuate()
        self.assert_fleet({"kvm1": [], "kvm2": ["db", "mail", "web"], "kvm3": []})

    def test_json_tells_what_was_started_and_what_stays_down(self):
        self.world.configure("[host kvm2]\nmemory = 1GiB\n[host kvm3]\nmemory = 1GiB\n")
        self.power("kvm1", "off")
        self.control()
        document = self.edit("evacuate", "kvm1", "--source-is-dead=kvm1", status=BLOCKED)
        self.assertEqual((document["run"]["moved"], document["run"]["failed"]), (1, 0))
        self.assertEqual([b["guest"] for b in document["run"]["blocked"]], ["web"])
        self.assert_fleet({"kvm1": [], "kvm2": ["mail"], "kvm3": ["db"]}, down=["web"])

    def test_what_could_start_again_with_its_host_stays_down(self):
        self.be({"kvm1": ["db", sim_guest("web", autostart=True)], "kvm2": ["mail"], "kvm3": []})
        self.power("kvm1", "off")
        result = self.evacuate("--source-is-dead=kvm1", status=BLOCKED)
        self.assertRegex(result.stdout, "web: unsafe: .*once 'kvm1' comes back it would run twice")
        self.assert_fleet({"kvm1": [], "kvm2": ["db", "mail"], "kvm3": []}, down=["web"])

    def test_one_guest_is_started_where_it_is_asked_for(self):
        self.power("kvm1", "off")
        self.control()
        result = self.world.berth("migrate", "db", "--to", "kvm3", "--mode", "offline-force", "--yes",
                                  "--source-is-dead=kvm1")
        self.assert_exit(result, OK)
        self.assert_fleet({"kvm1": [], "kvm2": ["mail"], "kvm3": ["db"]}, down=["web"])
        self.evacuate("--source-is-dead=kvm1")  # The others.
        self.assert_fleet({"kvm1": [], "kvm2": ["mail", "web"], "kvm3": ["db"]})

    def test_leftovers_are_swept_and_guests_come_home_once_their_host_is_back(self):
        self.power("kvm1", "off")
        self.evacuate("--source-is-dead=kvm1")
        self.power("kvm1", "on")
        self.assert_exit(self.world.berth("apply", "--yes"), OK)
        await_true("kvm1 is swept", lambda: self.defined("kvm1") == [])
        self.assert_fleet({"kvm1": [], "kvm2": ["db", "mail", "web"], "kvm3": []})
        self.assert_exit(self.world.berth("undrain", "kvm1", "--yes"), OK)
        self.assert_fleet({"kvm1": ["db", "web"], "kvm2": ["mail"], "kvm3": []})


class BrokenOff(FailoverTest):
    ALL_ON_KVM2 = {"kvm1": [], "kvm2": ["db", "mail", "web"], "kvm3": []}

    def kill(self, process):
        process.kill()
        process.wait()

    def assert_evacuated(self):
        result = self.world.berth("evacuate", "kvm1", "--yes", "--source-is-dead=kvm1")
        self.assert_exit(result, OK)
        self.assertIn("2 guests moved", result.stdout)
        self.assertEqual({h: sorted(g) for h, g in self.world.places().items()}, self.ALL_ON_KVM2)
        plan = json.loads(self.world.berth("plan", "--json").stdout)
        self.assertEqual((plan["moves"], plan["blocked"]), ([], []))

    def test_a_guest_whose_host_died_in_the_middle_of_its_move_runs_where_it_was_to_go(self):
        self.be(self.PLACES, durations={"migrate_ms": FOR_EVER_MS})
        self.world.want({"kvm1": ["web"], "kvm2": ["mail", "db"], "kvm3": []})
        apply = self.world.start_apply()
        self.world.await_move()
        self.power("kvm1", "off")
        self.kill(apply)
        self.assert_evacuated()
        self.assertRegex(self.world.berth("history", "db").stdout, "live +failed .*given up: 'kvm1' is dead")

    def test_an_evacuation_that_was_killed_is_completed_by_the_next(self):
        self.be(self.PLACES, durations={"define_ms": FOR_EVER_MS})
        self.power("kvm1", "off")
        command = self.world.start(*self.world.command("evacuate", "kvm1", "--yes", "--source-is-dead=kvm1"))
        await_true("a move has begun", lambda: b"db: kvm1 -> kvm2, forced" in self.world.log.read_bytes())
        self.kill(command)
        self.assertEqual(self.wanted(), {"db": "kvm2", "mail": "kvm2", "web": "kvm2"})
        self.world.edit_fleet(lambda fleet: fleet["durations"].update(define_ms=0))
        self.assert_evacuated()


class EvacuatedByDaemon(Evacuated):
    """The same where berthd runs."""

    def setUp(self):
        super().setUp()
        self.daemon = None

    def control(self):
        if self.daemon is None:
            self.daemon = self.start_daemon()
            await_true("berthd follows the file", lambda: b"event=plan" in self.world.log.read_bytes())

    def test_what_a_dead_host_is_remembered_to_have_is_not_the_guest(self):
        self.control()  # It has seen the guests there.
        self.power("kvm1", "off")
        self.evacuate("--source-is-dead=kvm1")
        status = self.world.status()
        self.assertEqual((status["blocked"], status["drift"]), ([], []))


class Unanswered(FailoverTest):
    """The connection is lost as berthd answers that it will."""

    def control(self):
        self.start_daemon()
        await_true("berthd follows the file", lambda: b"event=plan" in self.world.log.read_bytes())

    def relay(self, client):
        with client, socket.socket(socket.AF_UNIX) as berthd, contextlib.suppress(OSError):
            berthd.connect(str(self.world.state / "api.sock"))
            lost = False
            while True:
                for ready in select.select([client, berthd], [], [])[0]:
                    data = ready.recv(65536)
                    if not data or (ready is berthd and lost):
                        return
                    lost |= data.startswith(b"POST /v1/force")
                    (berthd if ready is client else client).sendall(data)

    @contextlib.contextmanager
    def relayed(self):
        path = self.world.folder / "relay.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()

            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        threading.Thread(target=self.relay, args=listener.accept()[:1], daemon=True).start()

            thread = threading.Thread(target=serve)
            thread.start()
            self.world.configure(f"[api]\nsocket = {path}\n")
            try:
                yield
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()

    def test_a_guest_that_may_have_been_started_keeps_its_new_place_in_the_file(self):
        self.control()
        self.power("kvm1", "off")
        with self.relayed():
            result = self.world.berth("evacuate", "kvm1", "--source-is-dead=kvm1", "--yes")
        self.assert_exit(result, FAILED)
        self.assertRegex(result.stderr, "whether 'db' is started on 'kvm2' is not known")
        self.assertNotIn("put back", result.stderr)
        await_true("db runs", lambda: "db" in self.world.places()["kvm2"])
        self.assertEqual(self.wanted()["db"], "kvm2")


class Refused(FailoverTest):
    def assert_left(self, result, status, pattern):
        self.assert_complains(result, status, pattern)
        self.assert_unchanged(self.text)
        self.assertEqual(self.world.places()["kvm2"], ["mail"])

    def test_a_host_that_answers_is_drained_instead(self):
        for args in ["evacuate", "kvm1"], ["evacuate", "kvm1", "--source-is-dead=kvm1"], [
                "migrate", "db", "--to", "kvm2", "--mode", "offline-force", "--source-is-dead=kvm1"]:
            with self.subTest(args):
                result = self.world.berth(*args, "--yes")
                self.assert_left(result, FAILED, "'kvm1' answers")
                self.assertIn("hint: 'berth drain kvm1'", result.stderr)

    def test_what_cannot_be_meant_is_refused(self):
        self.power("kvm1", "off")
        force = ["--to", "kvm2", "--mode", "offline-force"]
        for args, pattern in [
            (["evacuate", "kvm9"], "no host 'kvm9'"),
            (["evacuate", "kvm1", "--source-is-dead=kvm2"], "'kvm2' is not 'kvm1'"),
            (["migrate", "db", "--to", "kvm2", "--source-is-dead=kvm1"], "is for --mode offline-force"),
            (["migrate", "db", *force, "--timeout", "1m"], "is for live moves"),
            (["migrate", "db", *force, "--source-is-dead=kvm9"], "no host 'kvm9'"),
            (["migrate", "nobody", *force], "no guest 'nobody'"),
        ]:
            with self.subTest(args):
                self.assert_left(self.world.berth(*args, "--yes"), INVALID, pattern)

    def test_a_guest_whose_host_lives_is_not_forced(self):
        result = self.world.berth("migrate", "db", "--to", "kvm2", "--mode", "offline-force", "--yes")
        self.assert_left(result, FAILED, "no host that had 'db' is dead")
        self.power("kvm3", "off")
        result = self.world.berth("migrate", "db", "--to", "kvm2", "--mode", "offline-force", "--yes",
                                  "--source-is-dead=kvm3")
        self.assert_exit(result, BLOCKED)
        self.assertIn("it runs on 'kvm1'", result.stdout)
        self.assert_unchanged(self.text)

    def test_a_no_changes_nothing(self):
        self.power("kvm1", "off")
        status, shown = self.at_terminal("evacuate", "kvm1", "--source-is-dead=kvm1", keys="n\n")
        self.assertEqual(status, CANCELLED, shown)
        self.assertLess(shown.index("kvm1 -> kvm2"), shown.index(PROMPT))
        self.assert_unchanged(self.text)

    def test_a_host_that_is_neither_fenced_nor_attested_keeps_its_guests_down(self):
        self.power("kvm1", "off")
        result = self.world.berth("evacuate", "kvm1", "--yes")
        self.assert_exit(result, BLOCKED)
        self.assertRegex(result.stdout, "db: unsafe: .*'kvm1' does not answer and may run it; give it a fence")
        self.assertIn("nothing was changed", result.stderr)
        self.assert_unchanged(self.text)
        self.assertEqual(self.world.places(), {"kvm1": [], "kvm2": ["mail"], "kvm3": []})
        document = self.edit("evacuate", "kvm1", status=BLOCKED)
        self.assertEqual((document["run"], document["written"]), (None, False))


if __name__ == "__main__":
    unittest.main()
