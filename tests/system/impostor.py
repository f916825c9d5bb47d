#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Listens as some user where a supervisor would, for strangers.bats.

    impostor.py UID SOCKET HEARD

Binds SOCKET with the rights that it is started with, and listens as UID: that is
whom clients see. Each call is answered as if all were well. What comes in, and
how many descriptors with it, is written to HEARD.
"""

import array
import os
import selectors
import socket
import sys

ANSWER = b'{"parameters":{"vms":[],"lines":[],"events":[],"deaths":[]}}\0'


def receive(client, heard):
    """False at the end of the connection."""
    fds = array.array("i")
    room = socket.CMSG_LEN(64 * fds.itemsize)
    data, ancillary, _, _ = client.recvmsg(65536, room)
    for _, _, body in ancillary:
        fds.frombytes(body[: len(body) - len(body) % fds.itemsize])
    for fd in fds:
        os.close(fd)
    if data:
        heard.write(f"{len(fds)} descriptors, {data!r}\n")
    for _ in range(data.count(b"\0")):
        client.sendall(ANSWER)
    return bool(data)


def main():
    uid, path, log = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    heard = open(log, "w", buffering=1, encoding="ascii")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o666)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    listener.listen(64)
    print("ready", flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                waiting.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            try:
                goes_on = receive(key.fileobj, heard)
            except (BrokenPipeError, ConnectionResetError):
                goes_on = False
            if not goes_on:
                waiting.unregister(key.fileobj)
                key.fileobj.close()


if __name__ == "__main__":
    main()
