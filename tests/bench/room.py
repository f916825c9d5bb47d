# SPDX-License-Identifier: ISC
"""Namespaces of the bench's own: what happens in them is gone with them.

The first process stays outside. It passes signals on, and removes the work
directory at the end. The second is process 1 of a new pid namespace: it reaps,
and when it ends, the kernel kills all that is left. The third is the bench.
"""

import ctypes
import os
import shutil
import signal
import sys
import tempfile
import traceback

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(Exception):
    """The user wants an end."""


def check(result, what):
    if result < 0:
        error = ctypes.get_errno()
        raise SystemExit(f"bench: {what}: {os.strerror(error)}")


def status_of(wait_status):
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


def pass_signals_on(pid):
    def pass_on(number, _frame):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)


def interrupt_once():
    def interrupt(_number, _frame):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def be_init(bench, work):
    """Process 1 of the namespaces; doesn't return."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()  # the terminal signals the first process only
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    check(libc.mount(b"proc", b"/proc", b"proc", 0, None), "mount /proc")
    # a run directory is in memory, as /run is: a disk's file system takes its
    # time over every document that is renamed into place
    check(libc.mount(b"vmsup-bench", work.encode(), b"tmpfs", 0, b"mode=0700"),
          "mount a tmpfs")
    pid = os.fork()
    if pid == 0:
        interrupt_once()
        code = 1
        try:
            code = bench(work)
        except Interrupted:
            print("bench: interrupted", file=sys.stderr)
            code = 130
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            if not isinstance(end.code, int):
                print(end.code, file=sys.stderr)
        except Exception:  # what isn't foreseen is told in full
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    pass_signals_on(pid)
    while True:
        ended, wait_status = os.wait()
        if ended == pid:
            os._exit(status_of(wait_status))


def run(bench):
    """Runs bench(work directory) inside; returns its exit status."""
    work = tempfile.mkdtemp(prefix="vmsup-bench.")
    try:
        check(
            libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET),
            "make namespaces (run as root)",
        )
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            try:
                be_init(bench, work)
            finally:
                os._exit(1)
        pass_signals_on(pid)
        _, wait_status = os.waitpid(pid, 0)
        return status_of(wait_status)
    finally:
        libc.umount2(work.encode(), MNT_DETACH)
        shutil.rmtree(work, ignore_errors=True)
