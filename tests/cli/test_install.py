#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs where 'make install' puts them, and the module that speaks with libvirt, which they load
once there are hosts to ask: found with the program, and nowhere else."""

import os
import pathlib
import re
import shutil
import stat
import tempfile
import unittest

from world import BERTH, BERTHD, CliTest, FAILED, INVALID, OK, run

BUILD = pathlib.Path(BERTH).resolve().parent
MODULE = next(BUILD.glob("berth-libvirt-*.so"))
NOSUCH = "transport in URL not recogni[sz]ed"  # libvirt's own words


def ask_libvirt(berth, **options):
    return run([berth, "discover", "qemu+nosuch:///system"], **options)


class InstallTest(CliTest):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-install-"))
        self.addCleanup(shutil.rmtree, self.folder)


class Installed(InstallTest):
    def install(self, *options, **environment):
        result = run(["cmake", "--install", BUILD, *options], env=environment)
        self.assert_exit(result, OK)

    def test_an_installed_program_finds_its_module_wherever_the_prefix_is(self):
        self.install("--prefix", self.folder / "prefix")
        self.assert_complains(ask_libvirt(self.folder / "prefix/bin/berth"), FAILED, NOSUCH)

    def test_an_installed_program_finds_the_profiles_that_are_shipped(self):
        self.install("--prefix", self.folder / "prefix")
        conf = self.folder / "berth.conf"
        conf.write_text("[fleet]\nprofile = exascale\n")
        small = pathlib.Path(__file__).resolve().parents[2] / "configs" / "examples" / "small.xml"
        program = [self.folder / "prefix/bin/berth", "validate", "-c", conf, small]
        self.assert_exit(run(program), OK)
        for path in self.folder.rglob("exascale.conf"):
            path.unlink()
        lost = run(program)
        self.assert_exit(lost, INVALID)
        self.assertIn("share/berth/profiles/exascale.conf' is not there", lost.stderr)

    def test_a_staged_installation_has_both_programs_and_the_module(self):
        self.install("--prefix", "/opt/berth", DESTDIR=str(self.folder))
        root = self.folder / "opt/berth"
        for path in ("bin/berth", "sbin/berthd"):
            self.assertTrue((root / path).is_file(), path)
        self.assertTrue(list(root.rglob(MODULE.name)))
        self.assert_complains(ask_libvirt(root / "bin/berth"), FAILED, NOSUCH)

    def test_units_start_the_programs_where_they_are_installed(self):
        self.install("--prefix", "/opt/berth", DESTDIR=str(self.folder))
        for name, command in (("berthd", "berthd"), ("berth-guard", "berth-guard hold")):
            unit = self.folder / f"opt/berth/lib/systemd/system/{name}.service"
            self.assertIn(f"\nExecStart=/opt/berth/sbin/{command}\n", unit.read_text())
            self.assertNotIn("@", re.sub("@[a-z-]+$|@privileged", "", unit.read_text(), flags=re.M))

    def test_what_a_host_gets_can_be_installed_alone(self):
        self.install("--prefix", "/usr/local", "--component", "guard", DESTDIR=str(self.folder))
        root = self.folder / "usr/local"
        self.assertEqual(sorted(p.name for p in root.rglob("*") if p.is_file()),
                         ["berth-guard", "berth-guard.8", "berth-guard.service"])
        self.assert_exit(run([root / "sbin/berth-guard", "--version"]), OK)

    def test_a_link_to_the_program_is_as_good_as_the_program(self):
        (self.folder / "berth").symlink_to(BERTH)
        self.assert_complains(ask_libvirt(self.folder / "berth"), FAILED, NOSUCH)


class Service(InstallTest):
    """What systemd makes of what is installed for it: checked by its own programs, none of which needs
    it to run."""

    def setUp(self):
        super().setUp()
        self.prefix = self.folder / "prefix"
        self.assert_exit(run(["cmake", "--install", BUILD, "--prefix", self.prefix]), OK)
        self.unit = self.prefix / "lib/systemd/system/berthd.service"
        self.guard = self.unit.with_name("berth-guard.service")

    def test_systemd_has_no_complaint_about_the_units(self):
        for unit in (self.unit, self.guard):
            result = run(["systemd-analyze", "verify", "--man=no", unit])
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_guests_are_held_back_before_anything_of_libvirt_is_there(self):
        text = self.guard.read_text()
        before = " ".join(re.findall(r"(?m)^Before=(.*)$", text)).split()
        theirs = [p.name for p in pathlib.Path("/lib/systemd/system").glob("libvirtd*.s*")]
        self.assertIn("libvirtd.socket", theirs)
        self.assertEqual([name for name in theirs if name not in before], [])

    def boot(self, text):
        """What systemd says of a boot with libvirt and the guard, whose unit this is, enabled."""
        units = self.folder / "units"
        shutil.rmtree(units, ignore_errors=True)
        for target, unit in (("sockets", "libvirtd.socket"), ("multi-user", "libvirtd.service"),
                             ("multi-user", "berth-guard.service")):
            wants = units / f"{target}.target.wants"
            wants.mkdir(parents=True, exist_ok=True)
            (wants / unit).symlink_to(f"/lib/systemd/system/{unit}")
        (units / "berth-guard.service").write_text(text)
        return run(["systemd-analyze", "verify", "--man=no", units / "berth-guard.service",
                    "sockets.target", "multi-user.target"],
                   env={"SYSTEMD_UNIT_PATH": f"{units}:/lib/systemd/system"}).stderr

    def test_nothing_is_left_out_of_a_boot_because_of_the_guard(self):
        """Sockets come before what units wait for by default: one that did both would be in a cycle."""
        text = self.guard.read_text()
        self.assertNotIn("cycle", self.boot(text))
        self.assertIn("deleted to break ordering cycle",
                      self.boot(text.replace("DefaultDependencies=no\n", "")))

    def test_a_fault_in_the_unit_would_be_told(self):
        self.unit.write_text(self.unit.read_text().replace("ProtectHome=yes", "ProtectHom=yes"))
        self.assertIn("ProtectHom", run(["systemd-analyze", "verify", "--man=no", self.unit]).stderr)

    def test_services_are_exposed_no_more_than_they_must_be(self):
        for unit in (self.unit, self.guard):
            result = run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit])
            exposure = re.search(rf"Overall exposure level for {unit.name}: ([\d.]+)", result.stdout)
            self.assertLess(float(exposure.group(1)), 2.0, result.stdout)

    def test_its_user_groups_and_folders_are_made(self):
        root = self.folder / "root"
        (root / "etc").mkdir(parents=True)
        self.assert_exit(run(["systemd-sysusers", f"--root={root}",
                              self.prefix / "lib/sysusers.d/berth.conf"]), OK)
        users = (root / "etc/passwd").read_text()
        user = re.search(r"(?m)^berth:[^:]*:(\d+):(\d+):[^:]*:/var/lib/berth:\S*nologin$", users)
        self.assertIsNotNone(user, users)
        self.assertRegex((root / "etc/group").read_text(), r"(?m)^berth-admin:")
        run(["systemd-tmpfiles", "--create", f"--root={root}",
             self.prefix / "lib/tmpfiles.d/berth.conf"])  # Who is not root cannot give folders away.
        self.assertEqual(stat.S_IMODE((root / "etc/berth").stat().st_mode), 0o755)
        home = (root / "var/lib/berth").stat()
        self.assertEqual(stat.S_IMODE(home.st_mode), 0o700)
        if os.geteuid() == 0:
            self.assertEqual([home.st_uid, home.st_gid], [int(id) for id in user.groups()])


class Module(InstallTest):
    def setUp(self):
        super().setUp()
        self.berth = self.folder / "bin" / "berth"
        self.berth.parent.mkdir()
        shutil.copy(BERTH, self.berth)

    def test_programs_do_not_load_what_modules_have_before_they_need_it(self):
        for program in (BERTH, BERTHD):
            with self.subTest(program):
                libraries = run([program], env={"LD_TRACE_LOADED_OBJECTS": "1"}).stdout
                self.assertIn("libxml2", libraries)
                for library in ("libvirt", "libssh", "libcurl", "ncurses"):
                    self.assertNotIn(library, libraries)

    def test_planning_from_two_files_needs_no_module(self):
        observed = self.world.folder / "observed.json"
        self.assert_exit(self.world.berth("observe", "--out", observed), OK)
        options = ["-c", self.world.conf, "--observed", observed]
        self.assert_exit(run([self.berth, "plan", *options]), OK)

    def test_without_its_module_the_program_says_so_and_does_not_look_elsewhere(self):
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        shutil.copy(MODULE, elsewhere)
        result = ask_libvirt(self.berth, cwd=elsewhere, env={"LD_LIBRARY_PATH": str(elsewhere)})
        self.assert_complains(result, FAILED, f"{MODULE.name}' is not there: install Berth anew")

    def test_a_module_that_cannot_be_loaded_is_named(self):
        (self.berth.parent / MODULE.name).write_text("not a library")
        self.assert_complains(ask_libvirt(self.berth), FAILED, f"{MODULE.name}: ")

    def test_a_module_of_another_version_is_not_taken(self):
        shutil.copy(MODULE, self.berth.parent / "berth-libvirt-0.0.0.so")
        self.assert_complains(ask_libvirt(self.berth), FAILED, "is not there")


if __name__ == "__main__":
    unittest.main()
