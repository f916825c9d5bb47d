#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Clients that stay connected while the supervisor is upgraded.

    patient.py SOCKET NAME [ARGUMENT...]

Each says on stderr what it didn't expect, and exits with 1. Those that print
"held" have something under way then, and go on when their stdin ends.
"""

import array
import fcntl
import json
import select
import sys
import termios
import time

from rude import Client, SERVICE, expect, hold


def gaps(path, count):
    """Upgrades again and again. Prints of the longest times that another
    client had no answer, one each upgrade, in ms: the median, the third
    longest, and the longest."""
    asker, other = Client(path, 30), Client(path, 30)
    pid = other.call("io.vmsup.Status")["parameters"]["supervisor"]["pid"]
    worst_ns, answers = [], 0
    for _ in range(int(count)):
        expect(asker.ask("io.vmsup.Upgrade"), "hung up")
        worst_ns.append(0)
        done = False
        while not done:
            since = time.monotonic_ns()
            reply = other.call(SERVICE + ".GetInfo")
            worst_ns[-1] = max(worst_ns[-1], time.monotonic_ns() - since)
            expect(reply and "parameters" in reply, "no answer:", reply)
            answers += 1
            done = select.select([asker.sock], [], [], 0)[0]
        reply = asker.reply()
        expect(reply and reply["parameters"].get("pid") == pid, reply)
    expect(answers > 2 * int(count), "only", answers, "answers")
    worst_ns.sort()
    print(*(worst_ns[at] // 1000000 for at in (len(worst_ns) // 2, -3, -1)))


def half(path):
    """Half a message before, the rest afterwards; one whole one with it."""
    client = Client(path)
    message = b'{"method":"io.vmsup.Status"}\0'
    client.send(message + message[:11])
    expect("vms" in client.reply()["parameters"], "no status")
    hold()
    client.send(message[11:] + message)
    for _ in range(2):
        reply = client.reply()
        expect(reply and "vms" in reply["parameters"], "no status:", reply)


def unread(path):
    """Calls until no reply fits in any more, and not one of them is read."""
    client = Client(path)
    count = 1000
    calls = b'{"method":"io.vmsup.Status"}\0' * count
    client.sock.setblocking(False)
    full = 0, 1
    while full[0] != full[1]:
        try:
            calls = calls[client.sock.send(calls):]
        except BlockingIOError:
            pass
        time.sleep(0.1)
        full = full[1], unread_bytes(client.sock)
    expect(full[0] > 65536, "only", full[0], "bytes of replies")
    hold()
    got = 0
    while got < count:
        readable, writable, _ = select.select(
            [client.sock], [client.sock] if calls else [], [], 10)
        expect(readable or writable, "stuck after", got)
        if writable:
            calls = calls[client.sock.send(calls):]
        if readable:
            data = client.sock.recv(1 << 20)
            expect(data, "hung up after", got)
            *messages, client.pending = (client.pending + data).split(b"\0")
            for message in messages:
                reply = json.loads(message)
                expect("vms" in reply.get("parameters", {}), reply)
                got += 1
    expect(client.pending == b"", "more than was asked for")


def unread_bytes(sock):
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


def silent(path):
    """A connection without a word on it."""
    client = Client(path)
    hold()
    expect("vms" in client.call("io.vmsup.Status")["parameters"], "no status")


def waiting(path, count):
    """A Status that waits for a VM's counters, at the time of an upgrade."""
    asker, other = Client(path), Client(path)
    for _ in range(int(count)):
        other.ask("io.vmsup.Status")
        asker.ask("io.vmsup.Upgrade")
        expect("pid" in asker.reply()["parameters"], "not upgraded")
        reply = other.reply()
        expect(reply and "vms" in reply["parameters"], "no status:", reply)


def past(path):
    """Prints the events of the past, one JSON object a line."""
    reply = Client(path).call("io.vmsup.Events", {"past": True})
    for event in reply["parameters"]["events"]:
        print(json.dumps(event))


def main():
    known = gaps, half, unread, silent, waiting, past
    {act.__name__: act for act in known}[sys.argv[2]](
        sys.argv[1], *sys.argv[3:])


if __name__ == "__main__":
    main()
