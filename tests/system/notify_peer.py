#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Stands in for systemd: runs one service as its unit file says.

    notify_peer.py UNIT_DIRECTORY JOURNAL [CGROUP]

Reads vmsup.service there with its drop-ins, and vmsup.socket if a drop-in of
that is there. Does with it what systemd 252 would: notify socket with the
sender's pid checked (NotifyAccess=main), MAINPID=, watchdog, restarts, socket
activation, ExecReload=, ExecStop=, kill modes; CapabilityBoundingSet=, UMask= and
NoNewPrivileges= of each process that it starts. Orphans become its children, as
they become process 1's. The service's stderr goes to JOURNAL. Its processes
are put into CGROUP, a directory of cgroup v2, if given.

Commands come from stdin, a line each: start, stop, restart, reload. What
happens goes to stdout, a line each; "state" lines say what systemctl would.
"""

import ctypes
import glob
import os
import select
import shlex
import signal
import socket
import struct
import sys
import time

PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
# By their numbers (linux/capability.h).
CAPABILITIES = """chown dac_override dac_read_search fowner fsetid kill setgid
setuid setpcap linux_immutable net_bind_service net_broadcast net_admin net_raw
ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin
sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write
audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend
audit_read perfmon bpf checkpoint_restore""".split()
# In seconds. systemd's own default of RestartSec=.
DEFAULTS = {"RestartSec": "0.1", "TimeoutStopSec": "90",
            "WatchdogSignal": "SIGABRT", "KillSignal": "SIGTERM",
            "KillMode": "control-group", "WatchdogSec": "0",
            "UMask": "0022"}
CLEAN_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


def prctl(*arguments):
    numbers = list(arguments) + [0] * (5 - len(arguments))
    if ctypes.CDLL(None, use_errno=True).prctl(
            *(ctypes.c_ulong(number) for number in numbers)):
        raise OSError(ctypes.get_errno(), "prctl")


def bound(names):
    """Leaves those capabilities alone in the bounding set."""
    kept = [CAPABILITIES.index(name.removeprefix("CAP_").lower())
            for name in names]
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as last:
        for number in range(int(last.read()) + 1):
            if number not in kept:
                prctl(PR_CAPBSET_DROP, number)


def say(*words):
    print(*words, flush=True)


def read_unit(directory, name):
    """The unit's settings: each name with its list of values. An empty value
    forgets those before it."""
    files = [os.path.join(directory, name)]
    files += sorted(glob.glob(os.path.join(directory, name + ".d", "*.conf")))
    settings = {}
    for file in files:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                key, equals, value = line.strip().partition("=")
                if not equals or key.startswith(("#", ";")):
                    continue
                if value:
                    settings.setdefault(key, []).append(value)
                else:
                    settings.pop(key, None)
    return settings


class Timer:
    """One deadline; None is none."""

    def __init__(self, fire):
        self.fire, self.at = fire, None

    def set(self, seconds):
        self.at = time.monotonic() + seconds

    def clear(self):
        self.at = None


class Service:
    """One service, in one state: dead, failed, auto-restart, start, running,
    stop (ExecStop= runs), stop-signal (its end is waited for)."""

    def __init__(self, directory, journal, cgroup):
        self.unit = read_unit(directory, "vmsup.service")
        self.cgroup = cgroup
        self.journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.state = "dead"
        self.main = self.control = None
        self.failed = self.stopped_by_hand = self.start_again = False
        self.last_status = None
        self.watchdog = Timer(self.on_watchdog)
        self.restart = Timer(self.on_restart)
        self.patience = Timer(self.on_patience)
        self.timers = [self.watchdog, self.restart, self.patience]
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.address = directory + "/notify"
        self.notify.bind(self.address)
        self.listener = self.listen(directory)

    def one(self, key):
        return self.unit.get(key, [DEFAULTS.get(key, "")])[-1]

    def seconds(self, key):
        return float(self.one(key))

    def words(self, key):
        return " ".join(self.unit.get(key, [])).split()

    @staticmethod
    def listen(directory):
        if not os.path.isdir(os.path.join(directory, "vmsup.socket.d")):
            return None
        unit = read_unit(directory, "vmsup.socket")
        path = unit["ListenStream"][-1]
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.makedirs(os.path.dirname(path),
                    int(unit["DirectoryMode"][-1], 8), exist_ok=True)
        listener.bind(path)
        os.chmod(path, int(unit["SocketMode"][-1], 8))
        listener.listen(4096)
        return listener

    # ---- processes

    def spawn(self, command, extra, with_sockets=False):
        """Executes it in the unit's cgroup, with nothing else open."""
        env = {"PATH": os.environ["PATH"]}
        env.update(word.split("=", 1) for word in self.words("Environment"))
        env.update(extra)
        argv = shlex.split(command)
        pid = os.fork()
        if pid:
            return pid
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            if self.cgroup:
                with open(self.cgroup + "/cgroup.procs", "w",
                          encoding="ascii") as procs:
                    procs.write("0")
            os.setsid()
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(self.journal, 1)
            os.dup2(self.journal, 2)
            os.umask(int(self.one("UMask"), 8))
            if "CapabilityBoundingSet" in self.unit:
                bound(self.words("CapabilityBoundingSet"))
            if self.one("NoNewPrivileges") == "yes":
                prctl(PR_SET_NO_NEW_PRIVS, 1)
            if with_sockets:
                env["NOTIFY_SOCKET"] = self.address
                if self.seconds("WatchdogSec"):
                    env["WATCHDOG_PID"] = str(os.getpid())
                    env["WATCHDOG_USEC"] = str(
                        int(self.seconds("WatchdogSec") * 1e6))
                if self.listener:
                    env["LISTEN_PID"] = str(os.getpid())
                    env["LISTEN_FDS"] = "1"
                    env["LISTEN_FDNAMES"] = "vmsup.socket"
                    os.dup2(self.listener.fileno(), 3)
                    os.set_inheritable(3, True)
            os.execve(argv[0], argv, env)
        except (OSError, ValueError) as error:
            os.write(2, f"{command}: {error}\n".encode())
        finally:
            os._exit(203)

    def run(self, key):
        """Starts the control process of that setting, if there is one."""
        if key not in self.unit:
            return False
        extra = {"MAINPID": str(self.main)} if self.main else {}
        self.control = self.spawn(self.one(key), extra)
        say("control", self.control, key)
        return True

    def group(self):
        """All processes of the unit's cgroup."""
        pids = []
        for root, _, _ in os.walk(self.cgroup) if self.cgroup else []:
            with open(root + "/cgroup.procs", encoding="ascii") as procs:
                pids += [int(line) for line in procs]
        return pids

    def await_empty(self):
        with open(self.cgroup + "/cgroup.events", encoding="ascii") as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            while "populated 1" in events.read():
                self.reap()
                poll.poll(100)
                events.seek(0)

    @staticmethod
    def signal(pid, number):
        try:
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    # ---- states

    def enter(self, state):
        self.state = state
        say("state", state)

    def start(self):
        if self.state not in ("dead", "failed", "auto-restart"):
            return
        self.restart.clear()
        self.failed = self.stopped_by_hand = False
        self.last_status = None
        self.enter("start")
        self.main = self.spawn(self.one("ExecStart"), {}, True)
        say("started", self.main)
        say("main", self.main)

    def stop(self, again=False):
        self.stopped_by_hand, self.start_again = True, again
        if self.state in ("dead", "failed", "auto-restart"):
            self.restart.clear()
            self.die()
        elif self.state == "running":
            self.enter_stop()
        else:
            self.enter_signal()

    def enter_stop(self):
        self.watchdog.clear()
        self.enter("stop")
        self.patience.set(self.seconds("TimeoutStopSec"))
        if not self.run("ExecStop"):
            self.enter_signal()

    def enter_signal(self, number=None):
        self.watchdog.clear()
        self.enter("stop-signal")
        number = number or signal.Signals[self.one("KillSignal")]
        if self.main:
            self.signal(self.main, number)
        if self.one("KillMode") == "control-group" and self.cgroup:
            for pid in self.group():
                self.signal(pid, number)
            self.await_empty()
        self.patience.set(self.seconds("TimeoutStopSec"))
        if not self.main and self.state == "stop-signal":
            self.die()

    def die(self):
        self.patience.clear()
        self.enter("failed" if self.failed else "dead")
        prevented = self.last_status in self.words("RestartPreventExitStatus")
        if self.start_again:
            self.start_again = False
            self.start()
        elif (self.one("Restart") == "always" and not prevented and
              not self.stopped_by_hand):
            self.enter("auto-restart")
            self.restart.set(self.seconds("RestartSec"))

    # ---- what happens

    def on_restart(self):
        self.start()

    def on_watchdog(self):
        say("watchdog timeout")
        self.failed = True
        self.enter_signal(signal.Signals[self.one("WatchdogSignal")])

    def on_patience(self):
        say("timeout in", self.state)
        self.failed = True
        if self.state == "stop":
            self.enter_signal()
        elif self.main:
            self.signal(self.main, signal.SIGKILL)

    def on_main_end(self, status):
        if os.WIFSIGNALED(status):
            number = signal.Signals(os.WTERMSIG(status))
            self.last_status = number.name
            clean = number in CLEAN_SIGNALS
        else:
            self.last_status = str(os.WEXITSTATUS(status))
            clean = self.last_status == "0"
        clean = clean or self.last_status in self.words("SuccessExitStatus")
        say("ended", self.main, self.last_status)
        self.main = None
        # killed as systemd meant to: no failure of the service's
        self.failed |= not clean
        if self.state == "running" and clean:
            self.enter_stop()
        elif self.state in ("running", "start"):
            self.enter_signal()
        elif self.state == "stop-signal":
            self.die()

    def on_control_end(self, status):
        say("control ended", os.waitstatus_to_exitcode(status))
        self.control = None
        if self.state == "stop":
            self.failed |= status != 0
            self.enter_signal()

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.main:
                self.on_main_end(status)
            elif pid == self.control:
                self.on_control_end(status)

    def on_message(self):
        data, ancillary, _, _ = self.notify.recvmsg(
            4096, socket.CMSG_SPACE(struct.calcsize("3i")))
        pid = next(struct.unpack("3i", body)[0] for _, kind, body in ancillary
                   if kind == socket.SCM_CREDENTIALS)
        for line in data.decode().split("\n"):
            if line and pid != self.main:
                say("refused", pid, line)
            elif line:
                say("notify", pid, line)
                self.take(line)

    def take(self, line):
        key, _, value = line.partition("=")
        if key == "MAINPID" and not os.path.isdir("/proc/" + value):
            say("late: no process", value)
        elif key == "MAINPID":
            self.main = int(value)
            say("main", self.main)
        elif key == "READY" and self.state == "start":
            self.enter("running")
            key = "WATCHDOG"
        if key == "WATCHDOG" and self.state == "running" and \
                self.seconds("WatchdogSec"):
            self.watchdog.set(self.seconds("WatchdogSec"))

    def on_command(self, command):
        if command == "start":
            self.start()
        elif command == "stop":
            self.stop()
        elif command == "restart":
            self.stop(True)
        elif command == "reload" and self.state == "running":
            self.run("ExecReload")
        else:
            say("can't", command)

    # ---- the loop

    def serve(self):
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(woken.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        commands = os.fdopen(0, "rb", buffering=0)
        while True:
            waited = [self.notify, commands, wake]
            if self.listener and self.state in ("dead", "failed"):
                waited.append(self.listener)
            ends = [timer.at for timer in self.timers if timer.at]
            left = max(0, min(ends) - time.monotonic()) if ends else None
            ready = select.select(waited, [], [], left)[0]
            # as systemd has it: messages come before the ends of processes
            if self.notify in ready:
                self.on_message()
            elif wake in ready:
                wake.recv(4096)
                self.reap()
            elif commands in ready:
                line = commands.readline()
                if not line:
                    return
                self.on_command(line.decode().strip())
            elif self.listener in ready:
                say("activated")
                self.start()
            # what may be a sign of life is heard before a deadline counts
            for timer in self.timers if not ready else []:
                if timer.at and timer.at <= time.monotonic():
                    timer.clear()
                    timer.fire()


def main():
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    directory, journal = sys.argv[1:3]
    cgroup = sys.argv[3] if len(sys.argv) > 3 else None
    service = Service(directory, journal, cgroup)
    say("state dead")
    service.serve()


if __name__ == "__main__":
    main()
