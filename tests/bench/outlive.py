# SPDX-License-Identifier: ISC
"""VMs that outlive their supervisor: upgrades, adoptions, kills at random."""

import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

from instance import Control, Failed, Instance

FEW, MANY = 4, 1000
# Between upgrades, so that what one leaves to do isn't the next one's.
REST_S = 0.01
POLL_S = 0.0005
PINGS = 3000
CHAOS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir,
                     "system", "chaos.py")


class Poller:
    """Calls the control interface all the time, on one connection that lives
    as long: how long does it wait for a reply?"""

    def __init__(self, path):
        self.control = Control(path)
        self.longest_s = 0.0
        self.error = None
        self.ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.ending:
                begin = time.monotonic()
                # answered by the loop itself, however many VMs there are
                self.control.call("org.varlink.service.GetInfo")
                took = time.monotonic() - begin
                self.longest_s = max(self.longest_s, took)
                time.sleep(POLL_S)
        except (Failed, OSError) as error:
            self.error = error

    def take_ms(self):
        """The longest since this was last asked."""
        if self.error:
            raise Failed(f"a client during the upgrade: {self.error}")
        longest_s, self.longest_s = self.longest_s, 0.0
        return longest_s * 1000

    def end(self):
        self.ending = True
        self.thread.join()
        self.control.close()


class Pings:
    """ping -i 0.001 to some addresses, until each has sent its number."""

    def __init__(self, addresses):
        self.addresses = addresses
        self.sent = self.lost = 0
        self.processes = []

    def go_on(self):
        """Begins again once they are through."""
        if any(process.poll() is None for process in self.processes):
            return
        self.count()
        self.processes = [
            subprocess.Popen(
                ["ping", "-q", "-i", "0.001", "-c", str(PINGS), address],
                stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
            for address in self.addresses
        ]

    def count(self):
        """Waits for those that run; what did they see?"""
        for process in self.processes:
            said = process.communicate(timeout=60)[0].decode()
            match = re.search(r"(\d+) packets transmitted, (\d+) received",
                              said)
            if not match:
                raise Failed(f"ping said: {said.strip()}")
            sent, received = map(int, match.groups())
            self.sent += sent
            self.lost += sent - received
        self.processes = []

    def kill(self):
        for process in self.processes:
            process.kill()
            process.communicate()


def identities(status):
    return {vm["name"]: (vm["pid"], vm["generation"]) for vm in status["vms"]}


class Outlive:
    def __init__(self, build, work, upgrades, rounds, chaos_rounds):
        self.build = build
        self.work = work
        self.upgrades = upgrades
        self.rounds = rounds
        self.chaos_rounds = chaos_rounds

    # ---- upgrade

    def pauses(self, instance, count, between=None):
        """Milliseconds of the longest wait for a reply, for each upgrade."""
        path = os.path.join(instance.run_dir, "control.sock")
        before = instance.status()
        poller = Poller(path)
        pauses = []
        try:
            for _ in range(count):
                if between:
                    between()
                time.sleep(REST_S)
                poller.take_ms()
                asking = Control(path)
                asking.call("Upgrade")
                asking.close()
                time.sleep(REST_S)  # the reply that was waited for is in
                pauses.append(poller.take_ms())
        finally:
            poller.end()
        after = instance.status()
        if identities(before) != identities(after):
            raise Failed("VM processes didn't outlive the upgrades")
        if before["supervisor"]["pid"] != after["supervisor"]["pid"]:
            raise Failed("an upgrade failed: its guard took over")
        return pauses

    def upgrade_few(self, figures):
        instance = Instance(self.build, self.work, FEW)
        pings = None
        try:
            instance.start()
            addresses = [vm["ipv4"] for vm in instance.status()["vms"]]
            pauses = self.pauses(instance, self.upgrades)
            figures["upgrade"].set(statistics.median(pauses))
            figures["upgrade-max"].set(max(pauses))
            # apart from the above: four pings a millisecond are a load
            pings = Pings(addresses)
            self.pauses(instance, self.upgrades, pings.go_on)
            pings.count()
            figures["upgrade-lost"].set(pings.lost)
            return [f"upgrades: {self.upgrades}, {pings.sent} pings beside as "
                    "many others"]
        finally:
            if pings:
                pings.kill()
            instance.end()

    # ---- adoption

    @staticmethod
    def kill_supervisor(status):
        pid = status["supervisor"]["pid"]
        pid_fd = os.pidfd_open(pid)
        try:
            os.kill(pid, signal.SIGKILL)
            if not select.select([pid_fd], [], [], 20)[0]:
                raise Failed("the supervisor doesn't die")
        finally:
            os.close(pid_fd)

    def adopt(self, instance):
        """Milliseconds of vmsup start, after kill -9 of the supervisor."""
        before = instance.status()
        self.kill_supervisor(before)
        begin = time.monotonic()
        with open(instance.errors, "wb") as errors:
            done = subprocess.run(
                instance.command("start", "-c", instance.config),
                stdout=subprocess.DEVNULL, stderr=errors, timeout=60,
                check=False)
        took = (time.monotonic() - begin) * 1000
        if done.returncode != 0:
            raise Failed(f"vmsup start: {instance.said()}")
        if identities(before) != identities(instance.status()):
            raise Failed("not every VM was adopted")
        return took

    def outlive(self, count, look):
        instance = Instance(self.build, self.work, count)
        try:
            instance.start()
            look(instance)
        finally:
            instance.end()

    def few(self, figures):
        def look(instance):
            figures["adopt4"].set(statistics.median(
                self.adopt(instance) for _ in range(4 * self.rounds + 1)))

        self.outlive(FEW, look)

    def many(self, wanted, figures):
        def look(instance):
            if "upgrade1000" in wanted:
                figures["upgrade1000"].set(statistics.median(
                    self.pauses(instance, 2 * self.rounds + 1)))
            if "adopt1000" in wanted:
                figures["adopt1000"].set(statistics.median(
                    self.adopt(instance) for _ in range(2 * self.rounds + 1)))

        self.outlive(MANY, look)

    # ---- kills at random

    def chaos(self, figures):
        """In a run directory of its own, with programs that it may replace."""
        place = os.path.join(self.work, "chaos")
        os.mkdir(place)
        for name in ("vmsup", "vmproc"):
            shutil.copy2(os.path.join(self.build, name), place)
        done = subprocess.run(
            [sys.executable, CHAOS, "--rounds", str(self.chaos_rounds),
             os.path.join(place, "vmsup"), os.path.join(place, "run")],
            stdout=subprocess.PIPE, timeout=600, check=False)
        shutil.rmtree(place, ignore_errors=True)
        if done.returncode != 0:
            figures["chaos"].set(1)
            return ["kills at random: what went wrong is on stderr"]
        result = json.loads(done.stdout)
        figures["chaos"].set(0)
        return [f"kills at random: {result['rounds']} rounds in "
                f"{result['seconds']:.0f} s, seed {result['seed']}, "
                f"{result['pings']} pings answered"]
