#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Rude clients of the control socket, one per name, for control.bats.

    rude.py [--member GID [--users COUNT]] SOCKET NAME [ARGUMENT...]

Each says on stderr what it didn't expect, and exits with 1. Those that hold
something print "held" when they do, and go on until their stdin ends.
"""

import argparse
import json
import os
import random
import re
import resource
import select
import socket
import sys
import tempfile
import time

SERVICE = "org.varlink.service"
INVALID = SERVICE + ".InvalidParameter"
FAILED = "io.vmsup.Failed"
NOBODY = 65534
# The supervisor's own: CONTROL_MAX_CLIENTS, CONTROL_ROOT_RESERVE,
# CONTROL_USER_CLIENTS.
PLACES, FOR_ROOT, OF_USER = 128, 8, 32


def expect(condition, *what):
    if not condition:
        sys.exit("rude.py: " + " ".join(str(part) for part in what))


class Users:
    """Whose connections are made: one user's, or several users' in turn."""

    count = 1
    made = 0

    @classmethod
    def be(cls, gid, count):
        os.setgroups([gid])
        cls.count = count
        if count == 1:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        else:
            os.setegid(NOBODY)

    @classmethod
    def next(cls):
        if cls.count > 1:
            os.seteuid(0)
            os.seteuid(NOBODY - cls.made % cls.count)
            cls.made += 1

    @classmethod
    def places(cls):
        if os.geteuid() == 0:
            return PLACES
        return min(PLACES - FOR_ROOT, OF_USER * cls.count)


class Client:
    """A connection, and what came in on it that isn't a whole reply yet."""

    def __init__(self, path, timeout_s=10):
        Users.next()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout_s)
        self.sock.connect(path)
        self.pending = b""

    def send(self, data):
        """False if the other end is gone."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def ask(self, method, parameters=None, **flags):
        call = {"method": method, **flags}
        if parameters is not None:
            call["parameters"] = parameters
        return self.send(json.dumps(call).encode() + b"\0")

    def reply(self):
        """The next one, decoded; None at the end of the connection."""
        while b"\0" not in self.pending:
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not got:
                return None
            self.pending += got
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, parameters=None, **flags):
        self.ask(method, parameters, **flags)
        return self.reply()

    def close(self):
        self.sock.close()


def served(path):
    client = Client(path)
    reply = client.call("io.vmsup.Status")
    expect(reply and "vms" in reply["parameters"], "not served:", reply)
    client.close()


def hold(*what):
    print("held", *what, flush=True)
    sys.stdin.read()


# ---- messages that are none


def refused(path, message):
    """The message gets an error, or costs the connection after one."""
    client = Client(path)
    client.send(message)
    reply = client.reply()
    if reply is not None:
        expect("error" in reply, repr(message[:80]), "got", reply)
        if reply["error"] == FAILED:
            expect("closed" in reply["parameters"]["message"], reply)
            expect(client.reply() is None, "goes on after", message[:80])
    client.close()
    return reply


def garbage(path):
    fixed = [
        b"\xff\xfe", b"GET / HTTP/1.1\r\n\r\n", b"null", b"0", b'""', b"[]",
        b"{}", b"{", b"}", b'{"method"}', b'{"method":1}',
        b'{"method":null}', b'{"method":["io.vmsup.Status"]}',
        b'{"method":""}', b'{"method":"."}', b'{"method":"Status"}',
        b'{"method":"io.vmsup."}', b'{"method":".Status"}',
        b'{"method":"io.vmsup.Status"} {}',
        b'{"method":"io.vmsup.Status","method":"io.vmsup.Status"}',
        b'{"method":"io.vmsup.Status","parameters":[]}',
        b'{"method":"io.vmsup.Status","parameters":"vm0"}',
        b'{"method":"io.vmsup.Status","more":1}',
        b'{"method":"io.vmsup.Status","oneway":"yes"}',
        b'{"method":"io.vmsup.Status","oneway":true,"more":true}',
        b'{"method":"io.vmsup.Status","extra":true}',
        b'{"method":"io.vmsup.Status","parameters":{"names":[1e999]}}',
        b'{"method":"io.vmsup.Status","parameters":{"names":NaN}}',
        b'{"method":"io.vmsup.Status","parameters":'
        b'{"names":99999999999999999999}}',
        b'{"method":"io.vmsup.' + b"S" * 300 + b'"}',
        b'{"method":"io.vmsup.Sta\ntus"}', b'{"method":"io.vmsup.Sta%stus"}',
    ]
    chance = random.Random(1)
    noise = [
        bytes(chance.randrange(1, 256) for _ in range(chance.randrange(1, 600)))
        for _ in range(200)
    ]
    for message in fixed + noise:
        reply = refused(path, message + b"\0")
        expect(reply is not None, "no answer to", message[:80])


def nuls(path):
    for _ in range(20):
        client = Client(path)
        for _ in range(16):
            if not client.send(bytes(65536)):
                break
        reply = client.reply()
        expect(reply is None or reply["error"] == FAILED, reply)
        expect(reply is None or client.reply() is None, "NULs are taken")
        client.close()


def deep(path):
    start = b'{"method":"io.vmsup.Status","parameters":{"names":'
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"1}")):
        for depth in (15, 100, 5000, 10000):
            body = opening * depth + b"1" * (opening == b"[")
            reply = refused(path, start + body + closing * depth + b"}}\0")
            expect(reply, "no answer to depth", depth)
            reply = refused(path, start + body + b"\0")
            expect(reply, "no answer to an open depth of", depth)
    wide = b"[" + b",".join([b"[]"] * 10000) + b"]"
    expect(refused(path, start + wide + b"}}\0"), "no answer to width")


def huge(path):
    start = b'{"method":"io.vmsup.Status","parameters":{"names":["'
    for size in (65536, 65537, 100000, 1 << 20, 16 << 20):
        client = Client(path)
        client.send(start)
        left = size - len(start)
        while left > 0 and client.send(b"x" * min(left, 32768)):
            left -= 32768
        reply = client.reply()
        expect(reply is None or reply["error"] == FAILED, size, reply)
        if reply:
            expect("too long" in reply["parameters"]["message"], reply)
            expect(client.reply() is None, "a huge message is taken")
        client.close()
    # as large as is allowed: a name that no VM has
    client = Client(path)
    client.send(start + b"x" * (65535 - len(start) - 4) + b'"]}}\0')
    expect(client.reply()["error"] == "io.vmsup.NoSuchVm", "65,535 bytes")
    client.close()


def utf8(path):
    bad = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
           b"\xe2\x82", b"\x80", b"\\ud800", b"\\u0000", b"\x01", b"\\x"]
    for text in bad:
        for message in (
            b'{"method":"io.vmsup.' + text + b'"}',
            b'{"method":"io.vmsup.Logs","parameters":{"name":"' + text
            + b'"}}',
            b'{"method":"io.vmsup.Logs","parameters":{"' + text + b'":1}}',
            b'{"' + text + b'":1}',
        ):
            expect(refused(path, message + b"\0"), "no answer to", message)
    # valid, if strange: the reply is valid as well, and the connection stays
    client = Client(path)
    for name in ("\u00e4\u20ac\U0001f600", "\u202e", "%s%n", "../vm0", ""):
        reply = client.call("io.vmsup.Logs", {"name": name})
        expect(reply["error"] == "io.vmsup.NoSuchVm", name, reply)
        expect(reply["parameters"]["name"] == name, reply)
    client.close()


def unknown(path):
    client = Client(path)
    for method, error, field in (
        ("io.vmsup.Nope", "MethodNotFound", "method"),
        ("io.vmsup.status", "MethodNotFound", "method"),
        ("io.vmsup.Status.", None, None),
        (SERVICE + ".Nope", "MethodNotFound", "method"),
        ("io.nowhere.Status", "InterfaceNotFound", "interface"),
        ("io.vmsup.more.Status", "InterfaceNotFound", "interface"),
        ("vmsup.Status", "InterfaceNotFound", "interface"),
    ):
        if not error:
            refused(path, json.dumps({"method": method}).encode() + b"\0")
            continue
        reply = client.call(method)
        expect(reply["error"] == SERVICE + "." + error, method, reply)
        want = method if field == "method" else method.rpartition(".")[0]
        expect(reply["parameters"] == {field: want}, method, reply)
    reply = client.call(SERVICE + ".GetInterfaceDescription",
                        {"interface": "io.nowhere"})
    expect(reply["error"] == SERVICE + ".InterfaceNotFound", reply)
    reply = client.call("io.vmsup.Status", upgrade=True)
    expect(reply["error"] == SERVICE + ".MethodNotImplemented", reply)
    # no reply to oneway, not even of an error: the next is the next one's
    client.ask("io.vmsup.Nope", oneway=True)
    reply = client.call(SERVICE + ".GetInfo")
    expect(reply["parameters"]["product"] == "vmsup", reply)
    client.close()


# ---- wrong types, from the interface's own description

GOOD = {"names": ["vm0"], "name": "vm0", "address": "10.77.0.1"}
WRONG = {
    "bool": [0, 1, "true", [], {}, 0.5],
    "int": [-1, 1 << 62, 1.5, "1", True, [], {}],
    "string": [0, 1.5, True, [], {}, ["vm0"]],
    "Machine": [0, "kernel", True, [], ["kernel"]],
    "[]string": [0, "vm0", True, {}, {"0": "vm0"}, [0], [None], ["vm0", 1],
                 [["vm0"]]],
}


def methods_of(path, interface):
    """Name and parameters (name, type, whether it may be left out) of each."""
    client = Client(path)
    text = client.call(SERVICE + ".GetInterfaceDescription",
                       {"interface": interface})["parameters"]["description"]
    client.close()
    text = re.sub(r"#.*", "", text)
    for name, fields in re.findall(r"method\s+(\w+)\s*\(([^)]*)\)", text):
        yield name, [
            (field, kind.lstrip("?"), kind.startswith("?"))
            for field, kind in re.findall(r"(\w+)\s*:\s*([?\[\]\w]+)", fields)
        ]


def types(path):
    tried = 0
    client = Client(path)
    for interface in ("io.vmsup", SERVICE):
        methods = list(methods_of(path, interface))
        expect(len(methods) >= 2, "methods of", interface, methods)
        for method, fields in methods:
            for field, kind, optional in fields:
                values = WRONG[kind] + ([] if optional else [None])
                for value in values:
                    given = {
                        other: GOOD[other]
                        for other, _, may_miss in fields
                        if not may_miss and other in GOOD
                    }
                    given[field] = value
                    reply = client.call(f"{interface}.{method}", given)
                    expect(
                        reply and reply.get("error") == INVALID
                        and reply["parameters"] == {"parameter": field},
                        method, given, "got", reply,
                    )
                    tried += 1
                if optional:
                    continue
                reply = client.call(f"{interface}.{method}", {})
                expect(reply.get("error") == INVALID, method, "{}", reply)
    client.close()
    print(tried)


# ---- slow ones


def half(path):
    """Messages that never end, quiet or trickling, are cut off in time."""
    start = time.monotonic()
    message = b'{"method":"io.vmsup.Status","parameters":{"names":["'
    quiet = [Client(path) for _ in range(20)]
    for number, client in enumerate(quiet):
        client.send(message[: 1 + number])
    # those that hang up in the middle are nobody's business
    for number in range(50):
        client = Client(path)
        client.send(message[: 1 + number])
        if number % 2:
            client.sock.shutdown(socket.SHUT_WR)
        client.close()
    slow = Client(path)
    while slow.send(b"{"):
        expect(time.monotonic() - start < 9, "a trickle goes on for 9 s")
        time.sleep(0.1)
    for client in quiet:
        client.sock.settimeout(max(0.1, start + 9 - time.monotonic()))
        expect(client.reply() is None, "half a message is answered")


def pipeline(path, calls):
    """Calls without reading: they wait, then all are answered in order."""
    client = Client(path)
    client.sock.setblocking(False)
    message = b'{"method":"io.vmsup.Status"}\0'
    unsent = message * int(calls)
    answered = 0
    stalled = False
    while answered < int(calls):
        readable, writable, _ = select.select(
            [client.sock] if stalled else [],
            [client.sock] if unsent else [], [], 1)
        if writable:
            unsent = unsent[client.sock.send(unsent):]
        elif not stalled:
            stalled = True  # both sides are full: from here on it reads
            print("stalled", flush=True)
            served(path)
        if readable:
            got = client.sock.recv(1 << 20)
            expect(got, "cut off after", answered, "replies")
            answered += got.count(b"\0")
            expect(b'"error"' not in got, got[:200])
    client.close()
    expect(stalled, "never had to wait")


def flood(path, calls):
    """Clients that pipeline calls and never read anything."""
    clients = [Client(path) for _ in range(50)]
    message = b'{"method":"io.vmsup.Status","parameters":{"names":[%s]}}\0' % (
        b",".join([b'"vm0"'] * int(calls)))
    for client in clients:
        client.sock.setblocking(False)
        try:
            for _ in range(2000):
                client.sock.send(message)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    hold()


def subscribers(path, count):
    """Listen for events, and never read one."""
    clients = []
    for _ in range(int(count)):
        client = Client(path)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.ask("io.vmsup.Events", more=True)
        clients.append(client)
    hold()


def pings(path, name, count):
    """Echo requests on as many connections; says how many are under way."""
    clients = [Client(path) for _ in range(int(count))]
    for client in clients:
        client.ask("io.vmsup.Ping", {"name": name, "address": "10.77.0.1",
                                     "timeout_ms": 3600000})
    served(path)
    poll = select.poll()
    for client in clients:
        poll.register(client.sock, select.POLLIN)
    hold(len(clients) - len(poll.poll(0)))


# CONTROL_MAX_FDS
MOST_DESCRIPTORS = 16


def descriptors(path):
    """Descriptors beside a message: refused, or dropped; of root, so many."""
    for count in (1, 10, 253):
        client = Client(path)
        client.call("io.vmsup.Status")  # from here on it is served
        with tempfile.TemporaryFile() as file:
            fds = [file.fileno()] * count
            if os.geteuid() == 0 and count > MOST_DESCRIPTORS:
                socket.send_fds(
                    client.sock, [b'{"method":"io.vmsup.Status"}\0'], fds)
                expect(not client.reply(), "cut off")
                continue
            for _ in range(20):
                try:
                    socket.send_fds(
                        client.sock, [b'{"method":"io.vmsup.Status"}\0'], fds)
                except PermissionError:  # since Linux 6.16
                    client.ask("io.vmsup.Status")
                reply = client.reply()
                expect(reply and "parameters" in reply, reply)
        client.close()
    # and one that is never read, with descriptors in its queue
    client = Client(path)
    with tempfile.TemporaryFile() as file:
        try:
            socket.send_fds(client.sock, [b"{"], [file.fileno()])
        except PermissionError:
            pass
    client.close()


# ---- many


def crowd(path, count, kind):
    """Connections that are all held; kind: what each of them does."""
    first = {
        "silent": b"",
        "half": b'{"method":',
        "busy": b'{"method":"io.vmsup.Events","more":true}\0',
    }[kind]
    clients = []
    for number in range(int(count)):
        client = Client(path)
        if first:
            client.send(first)
        clients.append(client)
        if number % 500 == 499:
            served_or_told(path)
    poll = select.poll()
    for client in clients:
        poll.register(client.sock, select.POLLRDHUP)
    # whoever is over the limit is shut out by now, or soon
    deadline = time.monotonic() + 5
    while (open_now := len(clients) - len(poll.poll(0))) > Users.places():
        expect(time.monotonic() < deadline, open_now, "connections are open")
        time.sleep(0.02)
    told = 0
    for client in clients:
        client.sock.setblocking(False)
        try:
            told += b"is refused" in client.sock.recv(4096)
        except (BlockingIOError, ConnectionResetError):
            pass
    print(f"{count} made, {open_now} open, {told} told why", flush=True)
    expect(told or kind != "busy", "nobody was told why")
    served_or_told(path)
    hold()


def served_or_told(path):
    """A newcomer is served, or told at once why not."""
    client = Client(path)
    reply = client.call("io.vmsup.Status")
    if reply and "error" in reply:
        expect("too many" in reply["parameters"]["message"], reply)
    expect(reply, "a newcomer got nothing")
    client.close()


def churn(path, count):
    """Connections that come and go, some of them in the middle of a call."""
    for number in range(int(count)):
        client = Client(path)
        if number % 3 == 1:
            client.ask("io.vmsup.Status")
        elif number % 3 == 2:
            client.ask("io.vmsup.Events", more=True)
        client.close()
    served(path)


def described(size):
    """A call of that many bytes: a name that no VM has."""
    call = b'{"method":"io.vmsup.Logs","parameters":{"name":"%s"}}\0'
    return call % (b"x" * (size - len(call) + 2))


STORMS = {
    "ping": b'{"method":"io.vmsup.Ping","parameters":{"name":"vm0",'
            b'"address":"10.77.0.1","payload_bytes":65000}}\0',
    "status": b'{"method":"io.vmsup.Status"}\0',
    "events": b'{"method":"io.vmsup.Events","parameters":{"past":true}}\0',
    "logs": b'{"method":"io.vmsup.Logs","parameters":{"name":"vm0"}}\0',
    "sandbox": b'{"method":"io.vmsup.Sandbox","parameters":{"name":"vm0"}}\0',
    "interface": b'{"method":"org.varlink.service.GetInterfaceDescription",'
                 b'"parameters":{"interface":"io.vmsup"}}\0',
    "long": described(65000),
    "denied": b'{"method":"io.vmsup.Shutdown"}\0',
    "garbage": b"{" * 200 + b"\0",
    "connections": b"",
}


class Storm:
    """Calls as fast as they are answered, on as many connections as there are
    places; who is cut off comes again."""

    def __init__(self, path, kind):
        self.path, self.message = path, STORMS[kind]
        self.poll = select.epoll()
        self.clients = {}
        self.answers = 0

    def ask(self, client):
        try:
            client.send(self.message)
        except BlockingIOError:
            pass

    def connect(self):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.setblocking(False)
        try:
            client.connect(self.path)
            self.ask(client)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            client.close()
            return False
        self.clients[client.fileno()] = client
        self.poll.register(client, select.EPOLLIN)
        if not self.message:
            self.leave(client)
        return True

    def leave(self, client):
        self.poll.unregister(client)
        del self.clients[client.fileno()]
        client.close()

    def take(self, client):
        try:
            got = client.recv(1 << 20)
        except ConnectionResetError:
            got = b""
        if not got:
            self.leave(client)
            return
        self.answers += got.count(b"\0")
        if got.endswith(b"\0"):
            try:
                self.ask(client)
            except (BrokenPipeError, ConnectionResetError):
                self.leave(client)

    def blow(self, count, until):
        while time.monotonic() < until:
            for _ in range(min(16, count - len(self.clients))):
                if not self.connect():
                    break
            for fd, _ in self.poll.poll(0.01 if self.clients else 0):
                self.take(self.clients[fd])


def cpu_of(pid):
    """The processor time of a process, in seconds."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def storm(path, count, kind, seconds, pid):
    """Calls as fast as possible. Prints what share of a processor that cost
    the process, in thousandths, and the answers per second: both without the
    first seconds, in which what was saved up is used up."""
    whole = Storm(path, kind)
    whole.blow(int(count), time.monotonic() + 2)
    whole.answers = 0
    began, before = time.monotonic(), cpu_of(pid)
    whole.blow(int(count), began + float(seconds))
    took = time.monotonic() - began
    print(round(1000 * (cpu_of(pid) - before) / took),
          round(whole.answers / took))


# ---- no rudeness: for what the command line has no word for


def call(path, method, parameters="{}"):
    """One call; prints the error's name, or the reply."""
    reply = Client(path).call(method, json.loads(parameters))
    expect(reply is not None, "no reply")
    print(reply.get("error") or json.dumps(reply["parameters"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--member", type=int, metavar="GID",
                        help="be nobody, but of that group")
    parser.add_argument("--users", type=int, metavar="COUNT", default=1,
                        help="be several, for one connection after another")
    parser.add_argument("socket")
    parser.add_argument("name")
    parser.add_argument("arguments", nargs="*")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (11000, 11000))
    if args.member is not None:
        Users.be(args.member, args.users)
    known = (garbage, nuls, deep, huge, utf8, unknown, types, half, pipeline,
             flood, subscribers, pings, descriptors, crowd, churn, storm, call)
    {rude.__name__: rude for rude in known}[args.name](
        args.socket, *args.arguments)


if __name__ == "__main__":
    main()
