# SPDX-License-Identifier: ISC
"""Frames through one VM, and through a bare responder beside it."""

import json
import os
import statistics
import subprocess
import time

from instance import BRIDGE_ADDRESS, FIRST_ADDRESS, Failed, Instance
from instance import run_json, tool

BARE_BRIDGE = "bare0"
BARE_BRIDGE_ADDRESS = "10.78.0.1"
PACE_US = 1000
# Until IPv6 has its addresses, and the bridge its querier.
SETTLE_S = 3
# What differs between any two ports.
PORT_IDENTITY = ("id", "no", "designated_port", "designated_bridge", "root_id",
                 "bridge_id")

# The rules that an echo reply passes on a VM's TAP, as in
# supervisor/net/guard_rules.c.
GUARD = """
table netdev bare {{
	set dropped {{
		type iface_index . mark
		size 65535
		flags dynamic
	}}
	chain drop-it {{
		update @dropped {{ iif . 0x00000000 counter }} drop
	}}
	chain icmp4 {{
		@nh,48,16 & 0x1fff != 0x0 accept
		@th,0,8 0x5 goto drop-it
		@th,0,8 0x9 goto drop-it
		@th,0,8 >= 0x0 accept
		goto drop-it
	}}
	chain ipv4 {{
		meta l4proto tcp accept
		meta l4proto udp goto drop-it
		meta l4proto icmp goto icmp4
		goto drop-it
	}}
	chain frames {{
		meta protocol ip goto ipv4
	}}
	chain tap {{
		type filter hook ingress device "{tap}" priority 0; policy accept;
		@ll,0,8 & 0x1 == 0x1 limit rate over 1000/second \\
			burst 1000 packets goto drop-it
		ether saddr {mac} goto frames
		goto drop-it
	}}
}}
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def link_json(*words):
    done = subprocess.run(
        ["ip", "-d", "-j", "link", "show", *words],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)[0]


class Responder:
    """Who answers: where, behind which TAP, on which bridge."""

    def __init__(self, pid, tap, mac, address, bridge, host):
        self.pid = pid
        self.tap = tap
        self.mac = mac
        self.address = address
        self.bridge = bridge
        self.host = host


class Bare:
    """The baselines: a bridge of their own, made as the supervisor makes one,
    with a TAP for each responder: the blocking one, the draining one, and the
    one that waits, is filtered and is guarded as a VM process is."""

    def __init__(self, build, like):
        self.processes = []
        self.port = link_json(like.tap)["linkinfo"]["info_slave_data"]
        bridge = link_json(like.bridge)["linkinfo"]["info_data"]
        ip("link", "add", BARE_BRIDGE, "mtu", "1500", "type", "bridge",
           "stp_state", "0", "forward_delay", "0",
           "mcast_snooping", str(bridge["mcast_snooping"]))
        ip("link", "set", BARE_BRIDGE, "addrgenmode", "eui64")
        ip("address", "add", BARE_BRIDGE_ADDRESS + "/16", "broadcast", "+",
           "dev", BARE_BRIDGE)
        ip("link", "set", BARE_BRIDGE, "up")
        self.block = self.add(build, "block", 2)
        self.drain = self.add(build, "drain", 3)
        self.loop = self.add(build, "loop", 4)
        subprocess.run(
            ["nft", "-f", "-"],
            input=GUARD.format(tap=self.loop.tap, mac=self.loop.mac),
            text=True,
            check=True,
        )
        self.differences = self.compare(like.tap)

    def add(self, build, mode, number):
        tap = f"bare-{mode}"
        mac = f"02:00:00:00:00:{number:02x}"
        address = f"10.78.0.{number}"
        process = subprocess.Popen(
            [tool(build, "baseline"), mode, tap, mac, address],
            stdout=subprocess.PIPE,
            # as a VM process has: schedulers that share by session see both
            start_new_session=True,
        )
        self.processes.append(process)
        if process.stdout.readline() != b"ready\n":
            raise Failed(f"baseline {mode} didn't start")
        ip("link", "set", tap, "addrgenmode", "none")
        ip("link", "set", tap, "master", BARE_BRIDGE)
        for key in ("learning", "flood", "mcast_flood", "locked"):
            if key in self.port:  # older kernels know fewer
                subprocess.run(
                    ["bridge", "link", "set", "dev", tap, key,
                     "on" if self.port[key] else "off"],
                    check=True,
                )
        subprocess.run(
            ["bridge", "link", "set", "dev", tap, "mcast_router",
             str(self.port["multicast_router"])],
            check=True,
        )
        subprocess.run(
            ["bridge", "fdb", "add", mac, "dev", tap, "master", "static",
             "sticky"],
            check=True,
        )
        ip("link", "set", tap, "up")
        ip("neighbour", "replace", address, "lladdr", mac, "dev", BARE_BRIDGE,
           "nud", "permanent")
        return Responder(
            process.pid, tap, mac, address, BARE_BRIDGE, BARE_BRIDGE_ADDRESS
        )

    def compare(self, tap):
        """Settings in which the baseline's TAP isn't like vmsup's."""
        ours, bare = (self.settings(name) for name in (tap, self.drain.tap))
        return [
            f"{key}: {ours.get(key)} against {bare.get(key)}"
            for key in sorted(set(ours) | set(bare))
            if ours.get(key) != bare.get(key)
        ]

    @staticmethod
    def settings(tap):
        link = link_json(tap)
        info = link.get("linkinfo", {})
        settings = {
            key: link.get(key)
            for key in ("mtu", "qdisc", "txqlen", "inet6_addr_gen_mode")
        }
        settings["flags"] = sorted(link["flags"])
        for part in ("info_data", "info_slave_data"):
            for key, value in info.get(part, {}).items():
                if key not in PORT_IDENTITY and not key.endswith("timer"):
                    settings[key] = value
        for who in ("user", "group"):
            settings.pop(who, None)
        return settings

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdout.close()
        subprocess.run(
            ["ip", "link", "delete", BARE_BRIDGE],
            stderr=subprocess.DEVNULL,
            check=False,
        )


class Traffic:
    """Measures vmsup and a baseline in turn, several rounds."""

    def __init__(self, build, work, rounds, slice_ms):
        self.build = build
        self.work = work
        self.rounds = rounds
        self.slice_ms = slice_ms
        cpus = sorted(os.sched_getaffinity(0))
        self.cpu = cpus[-1]  # the responder's
        self.other_cpu = cpus[0]

    def meter(self, who, pace_us):
        return run_json(
            ["taskset", "-c", str(self.cpu), tool(self.build, "meter"),
             who.address, str(self.slice_ms), str(pace_us)]
        )

    def flood(self, who):
        return self.meter(who, 0)["rate"]

    def rtt(self, who):
        return self.meter(who, PACE_US)["rtt_us"]["median"]

    def blast(self, who, size):
        """Frames handled a second; the blaster has the other CPU."""
        result = run_json(
            ["taskset", "-c", str(self.other_cpu), tool(self.build, "blaster"),
             who.bridge, who.tap, who.mac, who.host, who.address, str(size),
             str(self.slice_ms)]
        )
        if result["dropped"] == 0 and self.cpu != self.other_cpu:
            raise Failed("the blaster is too slow to measure with")
        return result["rate"]

    def interleave(self, measure, ours, bare):
        """Medians of ours, of the baseline, and of the rounds' ratios."""
        values = {ours: [], bare: []}
        for number in range(self.rounds):
            pair = (ours, bare) if number % 2 else (bare, ours)
            for who in pair:
                values[who].append(measure(who))
        ratios = [a / b for a, b in zip(values[ours], values[bare])]
        return {
            "value": statistics.median(values[ours]),
            "baseline": statistics.median(values[bare]),
            "ratio": statistics.median(ratios),
            "ratios": ratios,
        }

    def measure(self, wanted, figures):
        """Fills in the figures that are wanted. Returns notes."""
        instance = Instance(self.build, self.work, 1)
        bare = None
        try:
            instance.start()
            time.sleep(SETTLE_S)
            status = instance.status()
            vm = status["vms"][0]
            os.sched_setaffinity(status["supervisor"]["pid"], {self.other_cpu})
            ours = Responder(vm["pid"], vm["tap"], vm["mac"], FIRST_ADDRESS,
                             status["supervisor"]["bridge"], BRIDGE_ADDRESS)
            bare = Bare(self.build, ours)
            for who in (ours, bare.block, bare.drain, bare.loop):
                os.sched_setaffinity(who.pid, {self.cpu})
            plan = {
                "flood": (self.flood, bare.block),
                "flood-loop": (self.flood, bare.loop),
                "rtt": (self.rtt, bare.block),
                "blast64": (lambda who: self.blast(who, 64), bare.drain),
                "blast1514": (lambda who: self.blast(who, 1514), bare.drain),
            }
            for name, (how, baseline) in plan.items():
                if name in wanted:
                    how(ours)  # a warm-up each
                    how(baseline)
                    figures[name].set(**self.interleave(how, ours, baseline))
            # dead on the way: then it wasn't one VM that was measured
            if instance.status()["vms"][0]["pid"] != ours.pid:
                raise Failed("the VM died during the measurement")
            return [f"TAPs differ in {text}" for text in bare.differences]
        finally:
            if bare:
                bare.end()
            instance.end()
