#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Kills supervisors at random moments, and looks at what the next one makes of
it. For chaos.bats, and for the bench.

    chaos.py [--rounds N] [--seed N] [--vms N] PROGRAM RUN_DIR

Runs in a network namespace that has nothing else in it. Each round begins
something (a start, a stop, an upgrade, ...) in the background, and kills the
supervisor, the guard of its upgrade, or both, after a random part of the time
that it usually takes. Then "vmsup start": every VM is where it is wanted, none
is there twice or left over, and those that nobody touched are the same
processes as before and have answered every ping. VMs are killed as well, some
of them so often that they are given up on. At the end a stop, which leaves
nothing. Prints one JSON object; what went wrong goes to stderr, with the
seed that begins such a run again.
"""

import argparse
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True

# Of uids nobody else uses: who has locked one of them is of this run.
UID_FIRST, UID_COUNT = 1960000000, 64
CONFIG = """
uids = {{ first = {first}; count = {count}; }};
defaults = {{ restart = {{ crash_deaths = {deaths}; crash_window = {window};
    delay_min = "20ms"; delay_max = 0.5; }}; }};
"""
# So many deaths within such a time, and a VM is given up on.
CRASH_DEATHS, CRASH_WINDOW_S = 4, 30
COMMAND_S = 20  # any command's end
SETTLE_S = 10  # until all is as it is to be, and until what was killed is gone
PING_EVERY_S = 0.004
PING_ANSWER_S = 5  # or never: the machine may stand still
VMS_MAX = 7
SHORTEST_S = 0.004
# What a supervisor may have open beside what its VMs cost.
FIXED_FDS_MAX = 26 + 2 * 16  # of these, the slots of sandbox/handoff.h


class Wrong(Exception):
    """Something isn't as it must be."""


# ---- what is there


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def link_of(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def wait_until(what, condition, seconds=SETTLE_S):
    """Waits until condition() is None; else it is what is still wrong."""
    deadline = time.monotonic() + seconds
    while True:
        wrong = condition()
        if not wrong:
            return
        if time.monotonic() > deadline:
            raise Wrong(f"{what}: {wrong}")
        time.sleep(0.002)


class Host:
    """What the instance has made of this host."""

    def __init__(self, program, run_dir, uid_first):
        self.program = program
        self.vmproc = os.path.join(os.path.dirname(program), "vmproc")
        self.run_dir = run_dir
        self.uid_first = uid_first
        self.commands = []  # ours, that may still run

    def processes(self, program):
        found = set()
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            exe = link_of(f"/proc/{pid}/exe").removesuffix(" (deleted)")
            if exe == program:
                found.add(int(pid))
        return found

    def supervisors(self):
        """With whatever they have just forked, commands apart."""
        ours = {command.pid for command in self.commands}
        return self.processes(self.program) - ours

    @staticmethod
    def links():
        done = subprocess.run(["ip", "-j", "link"], stdout=subprocess.PIPE,
                              check=True)
        names = {link["ifname"] for link in json.loads(done.stdout) if link}
        return names - {"lo"}

    def cgroups(self):
        """Those of the instance, as {path: names of the groups in it}."""
        with open("/proc/self/mounts", encoding="utf-8") as file:
            mounts = [line.split() for line in file]
        trees = [m[1] for m in mounts if m[2] == "cgroup2"]
        name = 0xcbf29ce484222325  # as rundir.c names an instance
        for byte in self.run_dir.encode():
            name = ((name ^ byte) * 0x100000001b3) & (1 << 64) - 1
        groups = {}
        for tree in trees[:1]:
            path = f"{tree}/vmsup-{name:016x}"
            if os.path.isdir(path):
                groups[path] = {entry.name for entry in os.scandir(path)
                                if entry.is_dir()}
        return groups

    def locked_uids(self):
        """Those of our range; locks of one file that touch are one line."""
        uids = set()
        for line in read("/proc/locks").splitlines():
            match = re.search(r"OFDLCK .* (?:READ|WRITE) .* (\d+) (\d+)$", line)
            if not match:
                continue
            first, last = map(int, match.groups())
            if self.uid_first <= first < self.uid_first + UID_COUNT:
                uids |= set(range(first, last + 1))
        return uids

    def files(self):
        """Below the run directory, but for what a killed write leaves."""
        found = set()
        for path, _, names in os.walk(self.run_dir):
            for name in names:
                whole = os.path.join(path, name)
                found.add(os.path.relpath(whole, self.run_dir))
        return found - {"state/unfinished", "supervisor.log.1"}

    def remains(self):
        """What is there that mustn't be after a stop; None."""
        left = [f"process {pid}" for pid in self.processes(self.vmproc)]
        left += [f"process {pid}" for pid in self.supervisors()]
        left += [f"link {name}" for name in self.links()]
        left += [f"cgroup {path}" for path in self.cgroups()]
        left += [f"uid {uid} locked" for uid in self.locked_uids()]
        if os.path.exists(self.run_dir):
            left.append(self.run_dir)
        return ", ".join(left) or None


class Pinger:
    """Echo requests to one address, all the time; who isn't answered?"""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                    socket.IPPROTO_ICMP)
        self.id = random.randrange(1, 1 << 16)
        self.open = {}  # number: when it was sent
        self.late = []
        self.sent = 0
        self.ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def request(self):
        head = struct.pack("!BBHHH", 8, 0, 0, self.id, self.sent & 0xffff)
        total = sum(struct.unpack("!4H", head))
        total = (total & 0xffff) + (total >> 16)
        return head[:2] + struct.pack("!H", ~total & 0xffff) + head[4:]

    def take(self):
        frame, (source, _) = self.socket.recvfrom(256)
        kind, _, _, ident, number = struct.unpack("!BBHHH", frame[20:28])
        if kind == 0 and ident == self.id and source == self.address:
            sent = self.open.pop(number, None)
            if sent and time.monotonic() - sent > PING_ANSWER_S:
                self.late.append(number)

    def run(self):
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if not self.ending and now >= due:
                self.open[self.sent & 0xffff] = now
                self.socket.sendto(self.request(), (self.address, 0))
                self.sent += 1
                due = now + PING_EVERY_S
            if self.ending and (not self.open or now > self.deadline):
                return
            wait = max(due - now, 0) if not self.ending else 0.05
            if select.select([self.socket], [], [], wait)[0]:
                self.take()

    def end(self):
        """Returns how many got no answer, of how many."""
        self.deadline = time.monotonic() + PING_ANSWER_S
        self.ending = True
        self.thread.join()
        self.socket.close()
        return len(self.open) + len(self.late), self.sent


# ---- what should be there


class Vm:
    """What is known of a VM: sets, as a command that was cut off may have
    done its work or not."""

    def __init__(self, name):
        self.name = name
        self.exists = {True}
        self.wanted = {True}
        self.paused = {False}
        self.process = None  # its pid and generation, to stay the same
        self.failed = False
        self.killed_s = []  # when
        self.address = None

    def disturb(self):
        self.process = None

    def note_kill(self):
        self.killed_s.append(time.monotonic())
        self.disturb()

    def may_fail(self):
        """Whether it was killed often enough, if each was counted."""
        since = time.monotonic() - CRASH_WINDOW_S - SETTLE_S
        return sum(at > since for at in self.killed_s) >= CRASH_DEATHS

    def states_up(self):
        """In which state it may be if it is wanted."""
        if self.failed and self.process is not None:
            return {"failed"}
        states = {("running", "paused")[paused] for paused in self.paused}
        if self.process is None:
            states.add("running")
            if self.failed or self.may_fail():
                states.add("failed")
        return states

    def wrong(self, seen):
        """What of the status isn't as it may be; None."""
        if seen is None:
            return None if False in self.exists else f"no {self.name}"
        if True not in self.exists:
            return f"{self.name} is there"
        wanted, state = seen["wanted"] == "up", seen["state"]
        if wanted not in self.wanted:
            return f"{self.name} is wanted {seen['wanted']}"
        states = self.states_up() if wanted else {"stopped"}
        if state not in states:
            return f"{self.name} is {state}, not {' or '.join(states)}"
        process = (seen["pid"], seen["generation"])
        if self.process not in (None, process):
            return f"{self.name} was {self.process}, is now {process}"
        return None

    def know(self, seen):
        self.exists = {True}
        self.wanted = {seen["wanted"] == "up"}
        self.paused = {seen["state"] == "paused"}
        self.failed = seen["state"] == "failed"
        self.process = (seen["pid"], seen["generation"])
        self.address = seen["ipv4"]

    def is_up(self):
        return (self.wanted == {True} and self.exists == {True} and
                not self.failed)

    def is_running(self):
        return self.is_up() and self.paused == {False}


class Round:
    """What happens in one: for the report of what went wrong."""

    def __init__(self, operation):
        self.operation = operation
        self.said = []
        self.background = None
        self.done = None  # what its success would mean
        self.all_over = False  # everything may be taken down and made anew

    def say(self, text):
        self.said.append(text)

    def text(self):
        return "; ".join([self.operation, *self.said])


class Chaos:
    def __init__(self, options):
        self.rng = random.Random(options.seed)
        uid_first = UID_FIRST + os.getpid() % 65536 * UID_COUNT
        self.host = Host(options.program, options.run_dir, uid_first)
        self.config = options.run_dir + ".conf"
        with open(self.config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(first=uid_first, count=UID_COUNT,
                                     deaths=CRASH_DEATHS,
                                     window=CRASH_WINDOW_S))
        self.count = options.vms
        self.verbose = options.verbose
        self.vms = {}
        self.supervisor = None
        self.typical_s = {}
        self.counts = {}
        self.pings = 0
        self.fixed_fds = set()
        self.runs = 0
        self.given_up = 0

    # ---- commands

    def begin(self, *words):
        command = subprocess.Popen(
            [self.host.program, "--run-dir", self.host.run_dir, *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL)
        self.host.commands.append(command)
        return command

    def end(self, command):
        """Its exit status, and what it had to say."""
        # not to the end of its stderr: a supervisor may hold it open
        try:
            status = command.wait(COMMAND_S)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{command.args[3:]} hangs") from None
        said = b""
        while select.select([command.stderr], [], [], 0)[0]:
            got = os.read(command.stderr.fileno(), 4096)
            said += got
            if not got:
                break
        command.stderr.close()
        self.host.commands.remove(command)
        return status, said.decode(errors="replace").strip()

    def run(self, *words):
        status, said = self.end(self.begin(*words))
        if status:
            raise Wrong(f"vmsup {' '.join(words)}: exit {status}: {said}")

    def begin_start(self):
        return self.begin("start", "-c", self.config, "--vms",
                          str(self.count))

    def status(self):
        """None if nobody answers."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(SETTLE_S)
        message = b""
        try:
            client.connect(os.path.join(self.host.run_dir, "control.sock"))
            client.sendall(b'{"method":"io.vmsup.Status"}\0')
            while not message.endswith(b"\0"):
                got = client.recv(1 << 16)
                if not got:
                    return None
                message += got
        except (FileNotFoundError, ConnectionError):
            return None
        except TimeoutError:
            raise Wrong("the supervisor doesn't answer") from None
        finally:
            client.close()
        return json.loads(message[:-1])["parameters"]

    # ---- what is begun, and what may come of it

    def some(self, condition, but=None):
        """A VM of which that is true; None."""
        fit = [vm for name, vm in sorted(self.vms.items())
               if condition(vm) and vm is not but]
        return self.rng.choice(fit) if fit else None

    def on_vm(self, now, word, vm, *, disturbs=True, **change):
        """A command on one VM, if there is one for it: each of these may
        change, or has, if it says so."""
        if not vm:
            return
        now.say(vm.name)
        if disturbs:
            vm.disturb()
        for field, value in change.items():
            setattr(vm, field, getattr(vm, field) | {value})

        def done():
            for field, value in change.items():
                setattr(vm, field, {value})
            if disturbs:
                vm.failed = False

        now.done = done
        now.background = self.begin(word, vm.name)

    def do_idle(self, now):
        del now

    def do_start(self, now):
        self.run("stop")
        wait_until("after a stop", self.host.remains)
        self.expect_anew()
        now.all_over = True
        now.background = self.begin_start()

    def do_adoption(self, now):
        self.kill(now, [self.supervisor])
        if self.rng.random() < 0.3:
            self.kill_vm(now)
        now.background = self.begin_start()

    def do_stop_all(self, now):
        now.all_over = True
        now.done = self.expect_anew
        now.background = self.begin("stop")

    def do_stop(self, now):
        self.on_vm(now, "stop", self.some(Vm.is_up, self.bystander),
                   wanted=False)

    def do_start_vm(self, now):
        vm = self.some(lambda vm: not vm.is_up())
        if not vm:
            vm = self.some(Vm.is_up, self.bystander)
            self.run("stop", vm.name)
            vm.disturb()
            vm.wanted = {False}
        self.on_vm(now, "start", vm, wanted=True)

    def do_restart(self, now):
        self.on_vm(now, "restart", self.some(Vm.is_up, self.bystander),
                   wanted=True)

    def do_pause(self, now):
        vm = self.some(Vm.is_running, self.bystander)
        self.on_vm(now, "pause", vm, disturbs=False, paused=True)

    def do_resume(self, now):
        vm = self.some(lambda vm: vm.paused == {True})
        if not vm:
            vm = self.some(Vm.is_running, self.bystander)
            if vm:
                self.run("pause", vm.name)
                vm.paused = {True}
        self.on_vm(now, "resume", vm, disturbs=False, paused=False)

    def do_run(self, now):
        self.runs += 1
        vm = Vm(f"extra{self.runs}")
        vm.exists = {False}
        self.vms[vm.name] = vm
        self.on_vm(now, "run", vm, exists=True)

    def do_death(self, now):
        self.kill_vm(now)

    def do_crash_loop(self, now):
        vm = self.some(Vm.is_running, self.bystander)
        if not vm:
            return
        now.say(vm.name)
        for _ in range(CRASH_DEATHS - 1):
            pid, generation = vm.process
            self.kill(now, [pid])
            vm.note_kill()
            wait_until(f"{vm.name} after a kill",
                       lambda: self.renew(vm, generation))
            if not vm.process:
                return
        # the one too many, at about the same time as the supervisor's
        self.kill(now, [vm.process[0]])
        vm.note_kill()

    def renew(self, vm, generation):
        """None once one after that generation runs, and is known then, or the
        VM has failed."""
        seen = {seen["name"]: seen for seen in self.status()["vms"]}[vm.name]
        if seen["state"] == "failed" and vm.may_fail():
            return None
        if seen["state"] != "running" or seen["generation"] == generation:
            return f"generation {seen['generation']} is {seen['state']}"
        vm.process = (seen["pid"], seen["generation"])
        return None

    def do_upgrade(self, now):
        if self.rng.random() < 0.3:
            now.say("with a new file")
            shutil.copy2(self.host.program, self.host.program + ".new")
            os.rename(self.host.program + ".new", self.host.program)
        now.background = self.begin("upgrade")

    # how often, of all
    OPERATIONS = {
        "idle": 2, "start": 5, "adoption": 5, "stop_all": 3, "stop": 3,
        "start_vm": 3, "restart": 3, "pause": 2, "resume": 2, "run": 3,
        "death": 2, "crash_loop": 2, "upgrade": 6,
    }

    def expect_anew(self):
        self.vms = {f"vm{i}": Vm(f"vm{i}") for i in range(self.count)}

    # ---- killing

    def kill(self, now, pids):
        """SIGKILL to all of them, and their end."""
        ended = []
        for pid in pids:
            try:
                pid_fd = os.pidfd_open(pid)
                signal.pidfd_send_signal(pid_fd, signal.SIGKILL)
            except ProcessLookupError:
                continue
            ended.append((pid, pid_fd))
        for pid, pid_fd in ended:
            if not select.select([pid_fd], [], [], SETTLE_S)[0]:
                raise Wrong(f"process {pid} doesn't die")
            os.close(pid_fd)

    def kill_vm(self, now):
        vm = self.some(lambda vm: vm.is_up() and vm.process, self.bystander)
        if vm:
            now.say(f"kills {vm.name}")
            pid = vm.process[0]
            vm.note_kill()
            self.kill(now, [pid])

    def kill_supervisor(self, now):
        others = {"start", "adoption"}
        if now.operation in others:
            pids = self.host.supervisors()
        elif now.operation != "upgrade":
            pids = [self.supervisor]
        else:
            whom = self.rng.choice(("supervisor", "guard", "both", "both"))
            now.say(f"kills {whom}")
            pids = {"supervisor": [self.supervisor],
                    "guard": self.host.supervisors() - {self.supervisor},
                    "both": self.host.supervisors()}[whom]
        now.say(f"killed {list(pids)}")
        self.kill(now, pids)

    # ---- a round

    def choose_bystander(self):
        self.bystander = self.some(Vm.is_running)

    def start_again(self, now):
        """One start, sometimes two at once. That it is refused is right where
        somebody else goes on: who looks at the VMs afterwards finds out."""
        starts = [self.begin_start()]
        if self.rng.random() < 0.15:
            now.say("two starts")
            starts.append(self.begin_start())
        said = [self.end(start) for start in starts]
        for status, text in said:
            now.say(f"start: {status} {text}")

    def end_background(self, now):
        if not now.background:
            return
        status, said = self.end(now.background)
        now.background = None
        now.say(f"its command: {status} {said}")
        if status == 0 and now.done:
            now.done()

    def time(self, now):
        """In peace: how long it takes."""
        begun = time.monotonic()
        self.end_background(now)
        self.typical_s[now.operation] = max(time.monotonic() - begun,
                                            SHORTEST_S)
        if now.operation == "stop_all":
            self.run("start", "-c", self.config, "--vms", str(self.count))

    def kill_within(self, now):
        delay_s = self.rng.random() * self.typical_s[now.operation]
        now.say(f"after {delay_s * 1000:.2f} ms")
        time.sleep(delay_s)
        self.kill_supervisor(now)
        if not now.all_over and self.rng.random() < 0.15:
            self.kill_vm(now)
        # a stop that is still to come would be one of what starts now
        if now.operation == "stop_all" or (
                now.operation not in ("start", "adoption")
                and self.rng.random() < 0.5):
            self.end_background(now)
        self.start_again(now)

    def round(self, operation, deadly=True):
        if operation == "run" and len(self.vms) >= VMS_MAX:
            operation = "stop_all"
        now = Round(operation)
        self.now = now
        self.counts[operation] = self.counts.get(operation, 0) + 1
        self.choose_bystander()
        pinger = None
        if self.bystander and operation not in ("start", "stop_all"):
            pinger = Pinger(self.bystander.address)
        getattr(self, "do_" + operation)(now)
        if deadly:
            self.kill_within(now)
        else:
            self.time(now)
        self.end_background(now)
        self.look(now)
        if pinger:
            lost, sent = pinger.end()
            self.pings += sent
            if lost:
                raise Wrong(f"{lost} of {sent} pings to {self.bystander.name} "
                            "got no answer")

    # ---- what must hold afterwards

    def look(self, now):
        """Waits until all is as it must be, and notes how that is."""
        status = {}

        def wrong():
            status.clear()
            status.update(self.status() or {})
            return self.wrong_vms(status, now) or self.wrong_host(status)

        wait_until("afterwards", wrong)
        self.supervisor = status["supervisor"]["pid"]
        seen = {vm["name"]: vm for vm in status["vms"]}
        self.given_up += sum(vm["state"] == "failed" and
                             not self.vms[name].failed
                             for name, vm in seen.items())
        self.vms = {name: vm for name, vm in self.vms.items() if name in seen}
        for name, vm in seen.items():
            self.vms[name].know(vm)

    def wrong_vms(self, status, now):
        if not status:
            return "nobody answers"
        seen = {vm["name"]: vm for vm in status["vms"]}
        if len(seen) != len(status["vms"]):
            return "two VMs of one name"
        if now.all_over and self.is_anew(seen):
            self.expect_anew()
        unknown = set(seen) - set(self.vms)
        if unknown:
            return f"unknown: {unknown}"
        wrongs = [vm.wrong(seen.get(name)) for name, vm in self.vms.items()]
        return ", ".join(wrong for wrong in wrongs if wrong) or None

    def is_anew(self, seen):
        """Not one of the processes that there were."""
        return not any(
            vm.process and vm.process == (seen[name]["pid"],
                                          seen[name]["generation"])
            for name, vm in self.vms.items() if name in seen)

    def wrong_host(self, status):
        seen = {vm["name"]: vm for vm in status["vms"]}
        supervisor = status["supervisor"]["pid"]
        pids = {vm["pid"] for vm in seen.values() if vm["pid"]}
        names, uids = set(seen), {vm["uid"] for vm in seen.values()}
        host = self.host
        groups = host.cgroups()
        expected = {
            "supervisors": (host.supervisors(), {supervisor}),
            "VM processes": (host.processes(host.vmproc), pids),
            "links": (host.links(),
                      {vm["tap"] for vm in seen.values()} | {"vmsup0"}),
            "locked uids": (host.locked_uids(), uids),
            "files": (host.files(),
                      {"control.sock", "lock", "supervisor.log",
                       "state/instance.json"} |
                      {f"state/vm-{name}.json" for name in names}),
        }
        for what, (found, wanted) in expected.items():
            if found != wanted:
                return (f"{what}: surplus {found - wanted or ''}, missing "
                        f"{wanted - found or ''}")
        if len(uids) != len(seen):
            return "a uid twice"
        for group in groups.values():
            if group - names:
                return f"cgroups: {group - names}"
        return (self.wrong_processes(seen) or
                self.wrong_fds(supervisor, seen))

    @staticmethod
    def wrong_processes(seen):
        for vm in seen.values():
            if not vm["pid"]:
                continue
            words = read(f"/proc/{vm['pid']}/cmdline").split("\0")
            if words[1:2] != [vm["name"]]:
                return f"{vm['name']}: process {vm['pid']} is {words}"
            uid = re.search(r"^Uid:\t(\d+)", read(f"/proc/{vm['pid']}/status"),
                            re.M)
            if not uid or int(uid[1]) != vm["uid"]:
                return f"{vm['name']}: not of uid {vm['uid']}"
        return None

    def wrong_fds(self, supervisor, seen):
        path = f"/proc/{supervisor}/fd"
        held = [link_of(f"{path}/{fd}") for fd in os.listdir(path)]
        taps = held.count("/dev/net/tun")
        processes = sum(vm["pid"] is not None for vm in seen.values())
        pid_fds = held.count("anon_inode:[pidfd]")
        listeners = held.count("anon_inode:seccomp notify")
        if taps != len(seen) or pid_fds != processes or listeners > processes:
            return f"{taps} TAPs, {pid_fds} pidfds, {listeners} listeners held"
        # each process costs a channel as well
        fixed = len(held) - taps - 2 * processes - listeners
        if fixed > FIXED_FDS_MAX:
            return f"{fixed} descriptors beside those of VMs: {sorted(held)}"
        self.fixed_fds.add(fixed)
        return None

    # ---- all of it

    def rounds(self, rounds):
        self.expect_anew()
        self.bystander = None
        self.now = Round("the first start")
        self.run("start", "-c", self.config, "--vms", str(self.count))
        self.look(self.now)
        # once each in peace: how long it takes
        for operation in self.OPERATIONS:
            self.round(operation, deadly=False)
        self.counts.clear()
        names = list(self.OPERATIONS)
        weights = list(self.OPERATIONS.values())
        for number in range(rounds):
            self.number = number
            begun = time.monotonic()
            self.round(self.rng.choices(names, weights)[0])
            if self.verbose:
                print(f"{number}: {time.monotonic() - begun:.3f} s: "
                      f"{self.now.text()}", file=sys.stderr)
        self.now = Round("the last stop")
        self.run("stop")
        wait_until("after the last stop", self.host.remains)

    number = None

    def abandon(self):
        """Ends whatever there is of this run."""
        for program in (self.host.program, self.host.vmproc):
            for pid in self.host.processes(program):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--vms", type=int, default=4)
    parser.add_argument("--verbose", action="store_true",
                        help="tell each round on stderr, and what it took")
    parser.add_argument("--keep", action="store_true",
                        help="leave what is there when something is wrong")
    parser.add_argument("program")
    parser.add_argument("run_dir")
    options = parser.parse_args()
    begun = time.monotonic()
    chaos = Chaos(options)
    try:
        chaos.rounds(options.rounds)
    except Wrong as wrong:
        print(f"chaos.py: --seed {options.seed}, round {chaos.number}: "
              f"{wrong}\n  {chaos.now.text()}", file=sys.stderr)
        log = read(os.path.join(options.run_dir, "supervisor.log"))
        print("".join(f"  {line}\n" for line in log.splitlines()[-30:]),
              file=sys.stderr, end="")
        if not options.keep:
            chaos.abandon()
        sys.exit(1)
    print(json.dumps({
        "seed": options.seed, "rounds": options.rounds,
        "seconds": round(time.monotonic() - begun, 1),
        "pings": chaos.pings, "given_up": chaos.given_up,
        "fixed_fds": sorted(chaos.fixed_fds), "operations": chaos.counts,
        "typical_ms": {name: round(seconds * 1000, 1)
                       for name, seconds in chaos.typical_s.items()},
    }))


if __name__ == "__main__":
    main()
