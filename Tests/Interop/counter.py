"""Stands between two nodes and counts what crosses, over TCP and in datagrams: bytes of each exchange, each way."""

import socket
import struct
import threading

from jsonlines import serve

lock = threading.Lock()
exchanges = []  # {"over", "connection", "up", "down"}


def listen(kind):
    own = socket.socket(socket.AF_INET, kind)
    own.bind(("127.0.0.1", 0))
    return own


def background(action, *arguments):
    threading.Thread(target=action, args=arguments, daemon=True).start()


def carry(source, sink, count):
    try:
        while data := source.recv(65_536):
            count(len(data))
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def connection(number, near, target):
    far = socket.create_connection(("127.0.0.1", target))
    now = {"over": "tcp", "connection": number, "up": 0, "down": 0}

    def up(size):
        nonlocal now
        with lock:
            if now["down"]:  # a request after an answer is the next exchange
                now = {"over": "tcp", "connection": number, "up": 0, "down": 0}
            if not now["up"]:
                exchanges.append(now)
            now["up"] += size

    def down(size):
        with lock:
            now["down"] += size

    background(carry, near, far, up)
    carry(far, near, down)


def accept(own, target):
    own.listen()
    number = 0
    while True:
        near, _ = own.accept()
        number += 1
        background(connection, number, near, target)


def datagrams(own, target):
    """Who sends from the target's port answers the caller who was heard last."""
    known, caller = {}, None
    while True:
        data, sender = own.recvfrom(65_536)
        is_down = sender == ("127.0.0.1", target)
        if not is_down:
            caller = sender
        if not is_down or caller:
            own.sendto(data, caller if is_down else ("127.0.0.1", target))
        # Section 8.2: the id stands behind the type, or behind type and extras in an extended datagram.
        start = 2 if data[0] >> 6 == 3 else 1
        name = struct.unpack(">I", data[start:start + 4])[0]
        with lock:
            if name not in known:
                known[name] = {"over": "udp", "connection": 0, "up": 0, "down": 0}
                exchanges.append(known[name])
            known[name]["down" if is_down else "up"] += len(data)


def start(request):
    """Ports that stand for the node's two, of which one may be 0."""
    over_tcp, over_udp = listen(socket.SOCK_STREAM), listen(socket.SOCK_DGRAM)
    background(accept, over_tcp, request["tcp"])
    background(datagrams, over_udp, request["udp"])
    return {"tcp": over_tcp.getsockname()[1], "udp": over_udp.getsockname()[1]}


def report(_):
    with lock:
        return {"exchanges": [dict(one) for one in exchanges]}


serve({"start": start, "report": report})
