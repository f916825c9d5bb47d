# SPDX-License-Identifier: ISC
"""One vmsup: started, asked, stopped; and what it leaves behind."""

import json
import os
import socket
import subprocess
import time

FIRST_ADDRESS = "10.77.0.2"
BRIDGE_ADDRESS = "10.77.0.1"
# The crash-loop rule set aside: every death restarts at once.
CONFIG_RESTLESS = """
defaults = { restart = { crash_deaths = 0; steady = 0; }; };
"""


class Failed(Exception):
    """Something under measurement didn't do its work."""


def tool(build, name):
    return os.path.join(build, "tests", "bench", name)


def run_json(command, **more):
    """Runs a command that prints a JSON object."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, timeout=120, check=False, **more
    )
    if done.returncode != 0:
        raise Failed(f"{os.path.basename(command[0])}: exit {done.returncode}")
    return json.loads(done.stdout)


class Control:
    """A connection to the control socket: varlink, messages end with NUL."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.socket.settimeout(20)
        self.pending = b""

    def close(self):
        self.socket.close()

    def send(self, method, more=False):
        if "." not in method:
            method = f"io.vmsup.{method}"
        call = {"method": method, "parameters": {}, "more": more}
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def call(self, method):
        self.send(method)
        return self.receive()

    def receive(self):
        while b"\0" not in self.pending:
            got = self.socket.recv(1 << 16)
            if not got:
                raise Failed("the supervisor hung up")
            self.pending += got
        message, self.pending = self.pending.split(b"\0", 1)
        reply = json.loads(message)
        if "error" in reply:
            raise Failed(f"{reply['error']}: {reply.get('parameters')}")
        return reply["parameters"]


def is_alive(pid):
    """False for one that has ended and waits for its parent to see it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") \
                as file:
            return file.read().rsplit(") ", 1)[1][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Instance:
    """vmsup with its own run directory, in this network namespace."""

    def __init__(self, build, work, count, config=""):
        self.build = build
        self.count = count
        self.vmsup = os.path.join(build, "vmsup")
        self.run_dir = os.path.join(work, "run")
        self.errors = os.path.join(work, "errors")
        self.config = os.path.join(work, "vmsup.conf")
        self.cgroup = None
        with open(self.config, "w", encoding="ascii") as file:
            file.write(config)

    def command(self, name, *rest):
        return [self.vmsup, "--run-dir", self.run_dir, name, *rest]

    def start(self, cpus=None):
        """Returns what sweep says: milliseconds until all answered."""
        command = [tool(self.build, "sweep"), FIRST_ADDRESS]
        command += [str(self.count), "20000"]
        command += self.command(
            "start", "--vms", str(self.count), "-c", self.config
        )
        if cpus is not None:
            command = ["taskset", "-c", str(cpus)] + command
        # Not a pipe: the supervisor would hold it open.
        with open(self.errors, "wb") as errors:
            try:
                result = run_json(command, stderr=errors)
            except Failed as failure:
                raise Failed(f"{failure}: {self.said()}") from None
        if result["answered"] != self.count:
            raise Failed(
                f"{result['answered']} of {self.count} VMs answer pings"
            )
        return result

    def said(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read().strip() or "no reason given"

    def status(self):
        """The parameters of io.vmsup.Status."""
        control = Control(os.path.join(self.run_dir, "control.sock"))
        try:
            control.send("Status")
            status = control.receive()
        finally:
            control.close()
        bad = [vm["name"] for vm in status["vms"] if vm["state"] != "running"]
        if bad:
            raise Failed(f"not running: {' '.join(bad[:5])}")
        self.note_cgroup(status["vms"][0]["pid"])
        return status

    def note_cgroup(self, pid):
        """Remembers where the VMs' cgroups are, to see that they go."""
        with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
            paths = [line.rstrip("\n").split(":", 2)[2] for line in file]
        with open("/proc/self/mounts", encoding="ascii") as file:
            mounts = [line.split() for line in file]
        trees = [m[1] for m in mounts if m[2] == "cgroup2"]
        for path in paths:
            parent = os.path.dirname(path)
            if trees and os.path.basename(parent).startswith("vmsup-"):
                self.cgroup = trees[0] + parent

    def stop(self):
        """Milliseconds that it took."""
        begin = time.monotonic()
        done = subprocess.run(
            self.command("stop"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        took = (time.monotonic() - begin) * 1000
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip()
            raise Failed(f"vmsup stop: exit {done.returncode}: {reason}")
        return took

    def left_behind(self, expected_pids):
        """What is there that shouldn't be, after a stop, as a list."""
        left = []
        for name in os.listdir("/proc"):
            if (name.isdigit() and int(name) not in expected_pids
                    and is_alive(name)):
                left.append(f"process {name}")
        links = subprocess.run(
            ["ip", "-o", "link"], stdout=subprocess.PIPE, check=True
        )
        for line in links.stdout.decode().splitlines():
            name = line.split(": ")[1].split("@")[0]
            if name.startswith("vm"):
                left.append(f"link {name}")
        if os.path.exists(self.run_dir):
            left.append(self.run_dir)
        if self.cgroup and os.path.exists(self.cgroup):
            left.append(self.cgroup)
            self.remove_cgroup()
        return left

    def remove_cgroup(self):
        """The one thing that wouldn't go with the namespaces."""
        if self.cgroup and os.path.exists(self.cgroup):
            for path, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:
                    pass  # a process is in it still

    def end(self):
        """Takes it down, whatever state it is in."""
        if os.path.exists(os.path.join(self.run_dir, "control.sock")):
            try:
                self.stop()
            except (Failed, subprocess.TimeoutExpired, OSError):
                pass  # its namespaces end soon
        self.remove_cgroup()
