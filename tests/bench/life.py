# SPDX-License-Identifier: ISC
"""Starts, stops, deaths, and what many VMs cost."""

import os
import signal
import statistics
import subprocess
import time

from instance import CONFIG_RESTLESS, Control, Failed, Instance

SMALL, MIDDLE, LARGE = 10, 100, 1000
KILLED_VMS = 50
SETTLE_S = 8  # guests speak at first, and are asked less often after that


def field_kib(path, name):
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise Failed(f"{path}: no {name}")


def pss_kib(vms):
    """Mean over the VM processes."""
    return statistics.fmean(
        field_kib(f"/proc/{vm['pid']}/smaps_rollup", "Pss") for vm in vms
    )


def cpu_ns(pid):
    """CPU time of a process so far. By the scheduler's own account where there
    is one: clock ticks are too coarse for a process that sleeps."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat",
                      encoding="ascii") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            with open(f"/proc/{pid}/task/{task}/stat",
                      encoding="ascii") as file:
                fields = file.read().rsplit(") ", 1)[1].split()
            ticks = int(fields[11]) + int(fields[12])
            total += ticks * 10**9 // os.sysconf("SC_CLK_TCK")
    return total


def idle_percent(status, seconds):
    """CPU time of all processes together, in percent of one core."""
    pids = [vm["pid"] for vm in status["vms"]] + [status["supervisor"]["pid"]]
    time.sleep(SETTLE_S)
    begin, before = time.monotonic(), sum(map(cpu_ns, pids))
    time.sleep(seconds)
    after, end = sum(map(cpu_ns, pids)), time.monotonic()
    return (after - before) / 1e9 / (end - begin) * 100


def status_ms(instance):
    begin = time.monotonic()
    done = subprocess.run(instance.command("status", "--json"),
                          stdout=subprocess.PIPE, check=False)
    took = (time.monotonic() - begin) * 1000
    if done.returncode != 0 or done.stdout.count(b'"generation"') == 0:
        raise Failed("vmsup status --json failed")
    return took


class Life:
    def __init__(self, build, work, rounds, idle_s, kills):
        self.build = build
        self.work = work
        self.rounds = rounds
        self.idle_s = idle_s
        self.kills = kills
        self.left = []  # what was there after stops

    def cycle(self, count, look=None):
        """A start and a stop: milliseconds of both; look sees it run."""
        expected = {int(p) for p in os.listdir("/proc") if p.isdigit()}
        instance = Instance(self.build, self.work, count)
        try:
            start = instance.start()
            status = instance.status()
            if look:
                look(instance, status)
            stop_ms = instance.stop()
            self.left += instance.left_behind(expected)
            return start["all_ms"], stop_ms
        finally:
            instance.end()

    def cycles(self, rounds, count, look=None):
        """Medians over some rounds; the last one is looked at."""
        starts, stops = [], []
        for number in range(rounds):
            last = number == rounds - 1
            start, stop = self.cycle(count, look if last else None)
            starts.append(start)
            stops.append(stop)
        return statistics.median(starts), statistics.median(stops)

    def start_few(self, figures):
        self.cycle(4)  # a warm-up
        start, _ = self.cycles(2 * self.rounds + 1, 4)
        figures["start4"].set(start)
        return self.notes()

    def scale(self, wanted, figures):
        pss = {}

        def look_small(_instance, status):
            pss[SMALL] = pss_kib(status["vms"])

        def look_large(instance, status):
            supervisor = status["supervisor"]["pid"]
            pss[LARGE] = pss_kib(status["vms"])
            figures["pss"].set(pss[LARGE])
            rss = field_kib(f"/proc/{supervisor}/status", "VmRSS")
            figures["rss"].set(rss / 1024)
            figures["status"].set(statistics.median(
                status_ms(instance) for _ in range(2 * self.rounds + 1)))
            if "idle" in wanted:
                figures["idle"].set(idle_percent(status, self.idle_s))

        small, _ = self.cycles(self.rounds, SMALL, look_small)
        middle, _ = self.cycles(self.rounds, MIDDLE)
        large, stop = self.cycles(self.rounds, LARGE, look_large)
        figures["start1000"].set(large)
        figures["stop1000"].set(stop, clean=not self.left)
        figures["flat-start"].set(large / LARGE, small / SMALL,
                                  large / LARGE / (small / SMALL))
        # What one more costs, so that what all share doesn't count.
        first = (middle - small) / (MIDDLE - SMALL)
        more = (large - middle) / (LARGE - MIDDLE)
        figures["one-more"].set(more, first, more / first)
        figures["flat-pss"].set(pss[LARGE], pss[SMALL], pss[LARGE] / pss[SMALL])
        return self.notes()

    def notes(self):
        return [f"left behind by stop: {what}" for what in self.left[:5]]

    def kill(self, figures):
        instance = Instance(self.build, self.work, KILLED_VMS, CONFIG_RESTLESS)
        try:
            instance.start()
            pids = {vm["name"]: vm["pid"] for vm in instance.status()["vms"]}
            events = Control(os.path.join(instance.run_dir, "control.sock"))
            events.send("Events", more=True)
            events.receive()  # empty: it listens
            took = sorted(self.kill_one(events, pids, number)
                          for number in range(self.kills))
            events.close()
            figures["kill"].set(statistics.median(took))
            figures["kill-p99"].set(took[(len(took) * 99 + 99) // 100 - 1])
        finally:
            instance.end()

    @staticmethod
    def kill_one(events, pids, number):
        """Milliseconds from kill(2) to the next generation's running."""
        name = sorted(pids)[number % len(pids)]
        begin = time.monotonic()
        os.kill(pids[name], signal.SIGKILL)
        while True:
            for event in events.receive()["events"]:
                if event["vm"] != name:
                    continue
                if event["event"] in ("failed", "backoff", "stopped"):
                    raise Failed(f"{name} {event['event']} after kill -9")
                if event["event"] == "running":
                    took = (time.monotonic() - begin) * 1000
                    pids[name] = event["pid"]
                    return took
