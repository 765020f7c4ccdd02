"""Exchanges of a device over HTTP, sections 4.5 and 8 of docs/protocol.md: frames out, frames in, acknowledgements."""

import hashlib
import http.client
import json
import os
import time

import framewriter
import frames
from document import *


class Refused(Exception):
    pass


class Exchanges:
    def start_exchanges(self):
        self.incarnation, self.number, self.held = os.urandom(4), 1, {}  # held: number -> bytes before sealing
        self.sealed = {}     # number -> the same bytes each time
        self.told = {}       # number -> what the node has the beginning of: count and digest
        self.begun = {}      # incarnation and number of the node's frames -> their beginning
        self.committed = {}  # incarnation of the node -> number -> digest
        self.outbox = None   # where messages go that are to travel in a frame

    def seal(self, plain, number=0, receiver=None):
        own, other = public(self.noise), key_bytes("x25519", self.node["noise_key"])
        prologue, head = frame_prologue(
            f"{self.user}/{self.device}", receiver or self.node["id"], own, other, self.incarnation, number)
        return head + noise_k(self.noise, other, prologue, initiator=True).write_message(plain)

    def loose(self, receiver=None):
        """A loose frame that says nothing: the empty `Frame`, number 0."""
        return self.seal(b"", receiver=receiver)

    def greeting(self):
        """A loose frame with the floor and what has been committed."""
        told = [(int.from_bytes(one, "big"), numbers) for one, numbers in self.committed.items() if numbers]
        begun = [(*name, beginning) for name, beginning in self.begun.items()]
        return self.seal(framewriter.encode(
            [], min(self.held, default=self.number), acknowledgements=told, partials=begun))

    def https(self):
        connection = http.client.HTTPSConnection(
            self.endpoint.removeprefix("wss://"), timeout=20, context=self.tls_context())
        connection.connect()
        self.check_pin(connection.sock)
        return connection

    def post(self, records):
        """Sends records; the records of the answer."""
        connection = self.https()
        connection.request("POST", "/batch/v1/exchange", body_of(records))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise Refused(json.loads(body)["error"]["code"])
        assert answer.getheader("Content-Type") == "application/octet-stream"
        found = []
        while body:
            length, body = varint(body)
            found.append(body[:length])
            body = body[length:]
        return found

    def cut_request(self, count):
        """The link breaks after so many bytes of the first frame that is held."""
        records = self.records()
        body = body_of(records)
        start = len(body_of(records[:1])) + len(leb128(len(records[1])))
        connection = self.https()
        connection.putrequest("POST", "/batch/v1/exchange")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[:start + count])
        connection.close()
        return {"size": len(records[1])}

    def cut_answer(self, count):
        """The link breaks after so many bytes of the answer's first frame."""
        connection = self.https()
        connection.request("POST", "/batch/v1/exchange", body_of([self.greeting()]))
        answer = connection.getresponse()

        def length():
            found = answer.read(1)
            while found[-1] & 0x80:
                found += answer.read(1)
            return varint(found)[0]
        self.take_frame(answer.read(length()))
        size, beginning = length(), answer.read(count)
        connection.close()
        number, _ = varint(beginning[9:])
        assert beginning[0] == 1 and number > 0
        self.begun[beginning[5:9], number] = beginning
        return {"size": size}

    def open_frame(self, record):
        """Number and inside of a frame, also of one of which only the rest came."""
        if record[0] == 3:
            number, after = varint(record[9:])
            offset, rest = varint(after)
            beginning = self.begun[record[5:9], number]
            assert 64 <= offset <= len(beginning) and beginning[1:9] == record[1:9]
            record = beginning[:offset] + rest
        own, other = public(self.noise), key_bytes("x25519", self.node["noise_key"])
        assert record[0] == 1
        number, sealed = varint(record[9:])
        prologue, head = frame_prologue(
            self.node["id"], f"{self.user}/{self.device}", other, own, record[5:9], number)
        assert record.startswith(head), "the hint or the number is another one"
        return number, bytes(noise_k(self.noise, other, prologue, initiator=False).read_message(sealed))

    def exchange(self, receiver=None):
        """One round trip that acknowledges nothing: numbers of the frames of the answer, and what is in them."""
        opened = [self.open_frame(record) for record in self.post([self.loose(receiver)])]
        read = [frames.decode(plain) for _, plain in opened]
        return {"numbers": [number for number, _ in opened],
                "frames": [{"floor": one["floor"], "items": len(one["items"])} for one in read]}

    def write_batch(self, user, texts):
        """Messages to a user in one frame, which is kept until it is acknowledged."""
        self.outbox = []
        for text in texts:
            self.send_direct(user, text)
        items = [{"kind": 1, "body": jcs(message), "created": milliseconds(message["timestamp"]), "age": 0,
                  "lifetime": frames.LIFETIME, "class": 2} for message in self.outbox]
        self.outbox = None
        self.held[self.number] = framewriter.encode(items, min(self.held, default=self.number))
        self.sealed[self.number] = self.seal(self.held[self.number], self.number)
        self.number += 1
        return {"bytes": len(self.held[self.number - 1])}

    def records(self):
        return [self.greeting()] + [self.sealed_or_rest(number) for number in self.held]

    def sealed_or_rest(self, number):
        """A sealed frame, or what follows the beginning that the node has of it."""
        whole = self.sealed[number]
        count, digest = self.told.get(number, (0, b""))
        if hashlib.sha256(whole[:count]).digest()[:8] != digest:
            return whole
        _, sealed = varint(whole[9:])
        return b"\3" + whole[1:len(whole) - len(sealed)] + leb128(count) + whole[count:]

    def lose_answer(self):
        self.post(self.records())
        return {"held": sorted(self.held)}

    def contact(self):
        """A whole round trip: what is held goes out, what comes is committed and shown."""
        return self.round_trip(self.records())

    def resume(self):
        """First the greeting alone, until the node says that a beginning has come; then a contact."""
        for _ in range(200):
            self.round_trip([self.greeting()])
            if self.told:
                break
            time.sleep(0.05)
        return self.contact()

    def round_trip(self, records):
        shown, answer = len(self.messages), self.post(records)
        numbers = [self.take_frame(record) for record in answer]
        return {"numbers": numbers, "held": sorted(self.held), "sent": [len(record) for record in records],
                "came": [len(record) for record in answer], "texts": [
                    message["text"] for message in self.messages[shown:]]}

    def take_frame(self, record):
        number, plain = self.open_frame(record)
        frame = frames.decode(plain)
        for one in frame["acknowledgements"]:
            self.acknowledged(one)
        if number == 0:
            own = int.from_bytes(self.incarnation, "big")
            self.told = {one["number"]: (one["count"], one["digest"])
                         for one in frame["partials"] if one["incarnation"] == own}
        known = self.committed.setdefault(record[5:9], {})
        for settled in [one for one in known if one < frame["floor"]]:
            del known[settled]
        if number and number not in known:
            known[number] = hashlib.sha256(plain).digest()
            self.begun.pop((record[5:9], number), None)
            for item in frame["items"]:
                value = json.loads(item["body"])
                self.open_message(value) if item["kind"] == 1 else self.take_object(value)
        return number

    def acknowledged(self, one):
        assert one["incarnation"] == int.from_bytes(self.incarnation, "big")
        named = [number for first, last in one["ranges"] for number in range(first, last + 1)]
        digests = b"".join(hashlib.sha256(self.held[number]).digest() for number in named)
        assert one["digest"] == hashlib.sha256(digests).digest()[:8], "other bytes were committed"
        for number in named:
            del self.held[number], self.sealed[number]

    def reuse_number(self):
        """The last number again, for other bytes."""
        self.post([self.greeting(), self.seal(framewriter.encode([], 1, more=True), self.number - 1)])


def body_of(records):
    return b"".join(leb128(len(record)) + record for record in records)


def milliseconds(text):
    stamp = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return round(stamp.timestamp() * 1000)
