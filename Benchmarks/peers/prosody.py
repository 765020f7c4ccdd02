#!/usr/bin/env python3
"""Messages between two connected clients of Prosody: as many as go, and how long one takes at a given rate.

    prosody.py [--archive] [--core N] [--messages N] [--rate N] [--timed N]

Prosody (Debian's) is started on one core with a configuration of its own in a scratch directory, clear text on loopback.
With --archive it keeps what it routes (mod_mam, SQLite). The clients run in this process. Prints one JSON object.
"""

import argparse
import base64
import json
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

HOST = "bench.example"

CONFIGURATION = """
run_as_root = true
pidfile = "{scratch}/prosody.pid"
data_path = "{scratch}/data"
certificates = "{scratch}"
log = {{ warn = "{scratch}/log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
legacy_ssl_ports = {{ }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
modules_enabled = {{ "roster", "saslauth", "disco", "presence", "message", "iq"{modules} }}
modules_disabled = {{ "s2s", "tls", "offline", "posix" }}
{storage}
VirtualHost "{host}"
"""

ARCHIVE = """
storage = { archive = "sql" }
sql = { driver = "SQLite3", database = "archive.sqlite" }
archive_expires_after = "never"
default_archive_policy = true
"""


class Client:
    """One connected user."""

    def __init__(self, port, name):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.jid = f"{name}@{HOST}/bench"
        self.open()
        secret = base64.b64encode(f"\0{name}\0secret".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        self.until(b"<success")
        self.open()
        self.send(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            "<resource>bench</resource></bind></iq>"
        )
        self.until(b"</iq>")
        self.send("<presence/>")
        self.until(b"<presence")

    def open(self):
        self.send(
            f"<stream:stream to='{HOST}' version='1.0' xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        self.until(b"</stream:features>")

    def send(self, text):
        self.socket.sendall(text.encode())

    def until(self, mark):
        while mark not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise SystemExit(f"Prosody closed the stream: {self.buffer[-300:]!r}")
            self.buffer += data
        self.buffer = b""

    def message(self, number, to):
        body = base64.b64encode(number.to_bytes(8, "big") * 8).decode()
        self.send(f"<message type='chat' to='{to}' id='m{number}'><body>{body}</body></message>")


IDS = re.compile(rb"<message [^>]*?id='m(\d+)'")


def arrived(reader):
    """Numbers of the messages that have come, without waiting for more than is there."""
    reader.buffer += reader.socket.recv(1 << 18)
    end = reader.buffer.rfind(b"</message>")
    if end < 0:
        return []
    whole, reader.buffer = reader.buffer[: end + 10], reader.buffer[end + 10 :]
    return [int(number) for number in IDS.findall(whole)]


def measure_most(sender, reader, first, count, window):
    sent = done = 0
    start = time.perf_counter()
    while done < count:
        while sent < count and sent - done < window:
            sender.message(first + sent, reader.jid)
            sent += 1
        select.select([reader.socket], [], [], 30)
        done += len(arrived(reader))
    return count / (time.perf_counter() - start)


def measure_times(sender, reader, first, count, rate):
    """Open loop: each message is due at its time."""
    due, times, sent = {}, [], 0
    start = time.perf_counter()
    while len(times) < count:
        now = time.perf_counter()
        while sent < count and start + sent / rate <= now:
            due[first + sent] = start + sent / rate
            sender.message(first + sent, reader.jid)
            sent += 1
        wait = max(0.0, start + sent / rate - now) if sent < count else 30
        if select.select([reader.socket], [], [], wait)[0]:
            came = arrived(reader)
            now = time.perf_counter()
            times += [now - due.pop(number) for number in came]
    times.sort()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", action="store_true")
    parser.add_argument("--core", default="0")
    parser.add_argument("--messages", type=int, default=10000)
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--timed", type=int, default=5000)
    arguments = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="godwit-prosody-")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = scratch + "/prosody.cfg.lua"
    os.mkdir(scratch + "/data")
    with open(configuration, "w") as file:
        file.write(
            CONFIGURATION.format(
                scratch=scratch, port=port, host=HOST,
                modules=', "mam"' if arguments.archive else "",
                storage=ARCHIVE if arguments.archive else "",
            )
        )
    for name in ("alice", "bob"):
        subprocess.run(
            ["prosodyctl", "--config", configuration, "--root", "register", name, HOST, "secret"],
            check=True, stdout=subprocess.DEVNULL,
        )
    server = subprocess.Popen(
        ["taskset", "-c", arguments.core, "prosody", "--config", configuration, "--root", "-F"],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        sender, reader = Client(port, "alice"), Client(port, "bob")
        times = measure_times(sender, reader, 0, arguments.timed, arguments.rate)
        most = measure_most(sender, reader, arguments.timed, arguments.messages, arguments.window)
        print(
            json.dumps(
                {
                    "benchmark": "prosody",
                    "archive": arguments.archive,
                    "rate": arguments.rate,
                    "p50_ms": round(times[len(times) // 2] * 1000, 2),
                    "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
                    "messages_per_second": round(most),
                }
            )
        )
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
