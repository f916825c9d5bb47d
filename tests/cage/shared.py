#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Does to an object that a VM process shares what that process could do.

It takes the process's own descriptor (pidfd_getfd(2), as root), so that what it
sets is set on the same open file, whatever system calls the process has left.

    shared.py PID FD set OPTION VALUE     a socket option, by name
    shared.py PID FD get OPTION
    shared.py PID FD flags [VALUE]        of the open file
    shared.py PID FD send TYPE GENERATION a message without a body
    shared.py PID FD filter BYTES [lock]  messages are cut after so many
    shared.py PID FD tap REQUEST VALUE... of a TAP: see TAP_REQUESTS
    shared.py PID FD lock KIND FIRST LENGTH   an OFD lock: read, write, none
    shared.py PID FD write BYTES          as many as go; prints how many did

With "self" in the place of PID, FD is a file, opened here to read and write.
"""
import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys

PIDFD_GETFD = 438
LIBC = ctypes.CDLL(None, use_errno=True)

# Of SOL_SOCKET; what Python may not know.
OPTIONS = {
    "SO_SNDBUF": 7, "SO_RCVBUF": 8, "SO_KEEPALIVE": 9, "SO_PRIORITY": 12,
    "SO_PASSCRED": 16, "SO_RCVLOWAT": 18, "SO_RCVTIMEO": 20,
    "SO_SNDTIMEO": 21, "SO_TIMESTAMP": 29, "SO_PASSSEC": 34,
    "SO_TIMESTAMPNS": 35, "SO_TIMESTAMPING": 37, "SO_RXQ_OVFL": 40,
    "SO_PEEK_OFF": 42, "SO_LOCK_FILTER": 44, "SO_PASSPIDFD": 76,
    "SO_PASSRIGHTS": 83,
}
TIMES = ("SO_RCVTIMEO", "SO_SNDTIMEO")

# Number and how the argument goes: by value, as an int, as its own.
TAP_REQUESTS = {
    "persist": (0x400454CB, "value"),
    "owner": (0x400454CC, "value"),
    "group": (0x400454CE, "value"),
    "offload": (0x400454D0, "value"),
    "txfilter": (0x400454D1, "txfilter"),
    "sndbuf": (0x400454D4, "int"),
    "filter": (0x401054D5, "filter"),
    "hdrsz": (0x400454D8, "int"),
    "queue": (0x400454D9, "queue"),
    "vnetle": (0x400454DC, "int"),
    "carrier": (0x400454E2, "int"),
    "mac": (0x8924, "mac"),
    "get-sndbuf": (0x800454D3, "get"),
    "get-hdrsz": (0x800454D7, "get"),
    "get-vnetle": (0x800454DD, "get"),
}


def take(pid, number):
    """The process's descriptor, as one of ours."""
    fd = LIBC.syscall(PIDFD_GETFD, os.pidfd_open(pid), number, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), f"pidfd_getfd {pid} {number}")
    return fd


def classic_filter(length):
    """A struct sock_fprog of one return; keep the second while it is used."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, length))
    return struct.pack("HxxxxxxQ", 1, ctypes.addressof(program)), program


def tap(fd, request, value):
    number, kind = TAP_REQUESTS[request]
    if kind == "value":
        fcntl.ioctl(fd, number, int(value) & 0xFFFFFFFF)
    elif kind == "int":
        fcntl.ioctl(fd, number, struct.pack("i", int(value)))
    elif kind == "get":
        print(struct.unpack("i", fcntl.ioctl(fd, number, bytes(4)))[0])
    elif kind == "filter":
        what, keep = classic_filter(int(value))
        fcntl.ioctl(fd, number, what)
        del keep
    elif kind == "txfilter":  # one address, which nobody has
        fcntl.ioctl(fd, number, struct.pack("HH6s", 0, 1, b"\2\0\0\0\0\1"))
    elif kind == "queue":  # 0x0200 attaches it, 0x0400 detaches it
        fcntl.ioctl(fd, number, struct.pack("16sH22x", b"", int(value, 0)))
    elif kind == "mac":
        mac = bytes.fromhex(value.replace(":", ""))
        fcntl.ioctl(fd, number, struct.pack("16sH6s16x", b"", 1, mac))


def option(fd, name, value):
    sock = socket.socket(fileno=os.dup(fd))
    if value is None:
        print(sock.getsockopt(socket.SOL_SOCKET, OPTIONS[name]))
    elif name in TIMES:
        sock.setsockopt(socket.SOL_SOCKET, OPTIONS[name],
                        struct.pack("ll", int(value), 0))
    else:
        sock.setsockopt(socket.SOL_SOCKET, OPTIONS[name], int(value))


def socket_filter(fd, length, lock):
    sock = socket.socket(fileno=os.dup(fd))
    what, keep = classic_filter(length)
    sock.setsockopt(socket.SOL_SOCKET, 26, what)  # SO_ATTACH_FILTER
    del keep
    if lock:
        sock.setsockopt(socket.SOL_SOCKET, OPTIONS["SO_LOCK_FILTER"], 1)


def lock_file(fd, kind, first, length):
    kinds = {"read": fcntl.F_RDLCK, "write": fcntl.F_WRLCK,
             "none": fcntl.F_UNLCK}
    fcntl.fcntl(fd, 37,  # F_OFD_SETLK
                struct.pack("hhqqi4x", kinds[kind], 0, first, length, 0))


def write_much(fd, total):
    done = 0
    part = bytes(1 << 16)
    try:
        while done < total:
            done += os.write(fd, part[:total - done])
    except OSError as error:
        print(errno.errorcode[error.errno], file=sys.stderr)
    print(done)


def main(arguments):
    if arguments[0] == "self":
        fd = os.open(arguments[1], os.O_RDWR)
    else:
        fd = take(int(arguments[0]), int(arguments[1]))
    what, rest = arguments[2], arguments[3:]
    if what == "set":
        option(fd, rest[0], rest[1])
    elif what == "get":
        option(fd, rest[0], None)
    elif what == "flags" and rest:
        fcntl.fcntl(fd, fcntl.F_SETFL, int(rest[0], 0))
    elif what == "flags":
        print(f"{fcntl.fcntl(fd, fcntl.F_GETFL):#o}")
    elif what == "send":
        message = struct.pack("<HHIQ", int(rest[0]), 0, 16, int(rest[1]))
        os.write(fd, message)
    elif what == "filter":
        socket_filter(fd, int(rest[0]), rest[1:] == ["lock"])
    elif what == "tap":
        for at in range(0, len(rest), 2):
            tap(fd, rest[at], rest[at + 1])
    elif what == "lock":
        lock_file(fd, rest[0], int(rest[1]), int(rest[2]))
    elif what == "write":
        write_much(fd, int(rest[0]))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
