#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Watches a supervisor while VM processes try whatever they can.

    watch.py SOCKET SECONDS NAME=GENERATION...

Asks for the status of these VMs, twenty times a second, until each has come to
its generation and runs. Prints what it saw as JSON: round trips in ms, the
supervisor's descriptors at most and resident memory in KiB, the generations.
Exits with 1, saying why, if the supervisor doesn't answer in time or a VM doesn't
get on.
"""

import json
import os
import socket
import sys
import time

from rude import Client  # tests/system/rude.py, beside this one

ANSWER_S = 10
STEP_S = 30  # the most between two generations
PERIOD_S = 0.05


class Watch:
    def __init__(self, path, goals):
        self.client = Client(path, ANSWER_S)
        self.goals = goals
        self.trips_ms = []
        self.fds = 0
        self.seen = {}  # VM: its generation, and since when

    def ask(self):
        since = time.monotonic()
        try:
            reply = self.client.call("io.vmsup.Status",
                                     {"names": list(self.goals)})
        except socket.timeout:
            sys.exit(f"the supervisor hangs: no answer in {ANSWER_S} s, "
                     f"at {self.places()}")
        if not reply or "parameters" not in reply:
            sys.exit(f"the supervisor: {reply}, at {self.places()}")
        self.trips_ms.append((time.monotonic() - since) * 1000)
        return reply["parameters"]

    def places(self):
        return {name: seen[0] for name, seen in self.seen.items()}

    def look(self):
        """True once all are where they are to be."""
        status = self.ask()
        self.pid = status["supervisor"]["pid"]
        self.fds = max(self.fds, len(os.listdir(f"/proc/{self.pid}/fd")))
        done = True
        for vm in status["vms"]:
            name, generation = vm["name"], vm["generation"]
            over = generation >= self.goals[name]
            if self.seen.get(name, (None,))[0] != generation:
                self.seen[name] = generation, time.monotonic()
            elif time.monotonic() - self.seen[name][1] > STEP_S and not over:
                sys.exit(f"{name} stays {vm['state']} in generation "
                         f"{generation} of {self.goals[name]}: "
                         f"{vm['last_exit']}")
            done = done and over and vm["state"] == "running"
        return done

    def rss_kib(self):
        for line in open(f"/proc/{self.pid}/status", encoding="ascii"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def summary(self):
        trips = sorted(self.trips_ms)
        return {
            "asked": len(trips),
            "median_ms": round(trips[len(trips) // 2], 1),
            "late_ms": round(trips[len(trips) * 99 // 100], 1),
            "longest_ms": round(trips[-1], 1),
            "fds": self.fds,
            "rss_kib": self.rss_kib(),
            "generations": self.places(),
        }


def main(path, seconds, *goals):
    watch = Watch(path, {name: int(generation) for name, generation in
                         (goal.split("=") for goal in goals)})
    deadline = time.monotonic() + float(seconds)
    while not watch.look():
        if time.monotonic() > deadline:
            sys.exit(f"not done in {seconds} s, at {watch.places()}")
        time.sleep(PERIOD_S)
    print(json.dumps(watch.summary()))


main(*sys.argv[1:])
