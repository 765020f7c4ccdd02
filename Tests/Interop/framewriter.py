"""Writes frames as docs/protocol.md, section 8.1, says, and answers for both ways.

As a script it answers one JSON object a line: {"op": "decode", "frame"} and {"op": "encode", "items"}.
"""

import base64
import hashlib
import json
import re
import struct

from document import b64, jcs, leb128, message_hash, raw
from frames import LIFETIME, LIFTED, OTHER, PLAIN, SIGNED, Table, Wrong, decode, timestamp, usual_class

# What may be base64 in a body, be it a word or the name of a member: any of it may be lifted.
BASE64 = re.compile(rb'(?<=[":])[A-Za-z0-9+/]{2,}={0,2}(?=")')


def zigzag(value):
    return (value << 1 ^ value >> 63) % 2 ** 64


def b32_bytes(value):
    return base64.b32decode(value.upper() + "=" * (-len(value) % 8))


def field(tag, value):
    """A field as bytes; what is empty is left out, as proto3 does."""
    if isinstance(value, int):
        return leb128(tag << 3) + leb128(value) if value else b""
    if isinstance(value, list):
        value = b"".join(leb128(one) for one in value)
    return leb128(tag << 3 | 2) + leb128(len(value)) + value if value else b""


def encode(items, floor=0, more=False, acknowledgements=(), partials=(), lift=False):
    """A frame of items as `decode` gives them; what is a message goes into columns.

    With `lift` all that can be is lifted out of the other bodies, unless one of them has bytes that look like markers.
    """
    writer = Writer(lift and all(byte >= 0x20 for item in items for byte in item["body"]))
    for item in items:
        writer.add(item)
    told = b"".join(acknowledgement(*one) for one in acknowledgements)
    begun = b"".join(partial(*one) for one in partials)
    return field(1, floor) + field(2, int(more)) + told + field(4, writer.columns()) + field(6, writer.opaque) + begun


def partial(incarnation, number, beginning):
    """Says that a sealed frame has begun to come; `incarnation`: 4 bytes in the order of the frame's header."""
    digest = hashlib.sha256(beginning).digest()[:8]
    return field(8, leb128(1 << 3 | 5) + incarnation[::-1] + field(2, number) + field(3, len(beginning))
                 + field(4, digest))


def acknowledgement(incarnation, digests):
    """`digests`: number -> digest of the frame's bytes before sealing."""
    pairs, last = [], None
    for one in sorted(digests):
        if last is not None and one == last + 1:
            pairs[-1] += 1
        else:
            pairs += [one if last is None else one - last - 2, 0]
        last = one
    digest = hashlib.sha256(b"".join(digests[one] for one in sorted(digests))).digest()[:8]
    return field(3, leb128(1 << 3 | 5) + struct.pack("<I", incarnation) + field(2, pairs) + field(3, digest))


class Writing(Table):
    def place(self, entry, usual):
        """Index of an entry, the reference to it, and whether it is new."""
        if entry in self.entries:
            index = self.entries.index(entry)
            return index, 0 if index == usual else index + 2, False
        self.entries.append(entry)
        return len(self.entries) - 1, 0 if usual is None else 1, True


class Writer:
    """Messages in columns, everything else verbatim; all columns in the clear."""

    def __init__(self, lift):
        self.lift = lift
        self.values = {tag: [] for tag in PLAIN + SIGNED}
        self.tables = {4: [], 5: [], 6: [], 23: []}
        self.opaque = self.bodies = b""
        self.devices, self.talks, self.chains, self.forms, self.keys = (Writing() for _ in range(5))
        self.wraps, self.wrap_ends, self.wrap_next = Writing(), {}, {}
        self.salts, self.positions, self.ends = {}, {}, {}
        self.last_chain = self.last_form = self.last_key = None
        self.created = self.age = self.messages = 0
        self.given = {20: [], 21: [], 22: []}

    def put(self, tag, value):
        self.values[tag].append(value)

    def add(self, item):
        before, self.created = self.created, item["created"]
        self.put(2, zigzag(self.created - before))
        age = -(-item["age"] // 1000)
        self.put(3, zigzag(age - min(max(0, self.age - (self.created - before) // 1000), 2 ** 31 - 1)))
        self.age = age
        message = json.loads(item["body"]) if item["kind"] == 1 else None
        if message and message["timestamp"] == timestamp(self.created) and message["signature"]:
            self.put(1, 0 | 1 << 2)
            self.message(message)
            lifetime, priority = message.get("lifetime", LIFETIME), usual_class(message)
        else:
            self.put(1, item["kind"] | 1 << 2)
            text = BASE64.sub(self.lifted, item["body"]) if self.lift else item["body"]
            self.put(13, len(text))
            self.bodies += text
            lifetime, priority = LIFETIME, 3 if item["kind"] == 1 else 0
        self.put(24, 0 if item["lifetime"] == lifetime else item["lifetime"] + 1)
        self.put(25, (item["class"] - priority) % 8 | 1 << 3)

    def lifted(self, match):
        """The marker in the place of base64, whose bytes go to `opaque`; other text stays."""
        try:
            data = raw(match[0])
        except ValueError:
            return match[0]
        if b64(data).encode() != match[0]:
            return match[0]
        self.opaque += data
        return bytes([LIFTED.index(len(data)) + 1]) if len(data) in LIFTED else bytes([OTHER]) + leb128(len(data))

    def message(self, message):
        chain, device = self.chain(message)
        end = self.ends.get(chain)
        form = self.form(message, end["form"] if end else self.last_form)
        key = self.key(message, end["key"] if end else self.last_key)
        self.rest(message, device, key, end)
        if "recipients" in message:
            self.given[22].append(self.messages)
            self.recipients(message, chain)
        self.ends[chain] = {"seq": message["seq"], "hash": message_hash(message), "form": form, "key": key}
        self.last_chain, self.last_form, self.last_key = chain, form, key
        self.messages += 1

    def chain(self, message):
        author, node = message["author"], message.get("channel_node", "")
        device, _, is_new_device = self.devices.place((author, message["device"]), None)
        talk = (message["channel"], node)
        known = (device, self.talks.entries.index(talk)) if talk in self.talks.entries else None
        if known in self.chains.entries:
            chain, code, _ = self.chains.place(known, self.last_chain)
            self.put(9, code)
            return chain, device
        self.put(9, 0 if self.last_chain is None else 1)
        self.put(16, 0 if is_new_device else device + 1)
        if is_new_device:
            self.tables[4].append(author.encode())
            self.opaque += b32_bytes(message["device"])
        index, code, is_new = self.talks.place(talk, self.chains.entries[-1][1] if self.chains.entries else None)
        self.put(17, code)
        if is_new:
            self.tables[5].append(field(1, message["channel"].encode()) + field(2, node.encode()))
        return self.chains.place((device, index), None)[0], device

    def form(self, message, usual):
        lifetime = message.get("lifetime")
        form, code, is_new = self.forms.place((message["type"], jcs(message["metadata"]), lifetime), usual)
        self.put(18, code)
        if is_new:
            kind = b"" if message["type"] == "text" else message["type"].encode()
            self.tables[6].append(
                field(1, kind) + field(2, jcs(message["metadata"])) + field(3, 0 if lifetime is None else lifetime + 1))
        return form

    def key(self, message, usual):
        encryption, epoch = message["encryption"], raw(message["epoch"]) if "epoch" in message else b""
        header, key_id = raw(encryption["header"]), b32_bytes(encryption["key_id"])
        key, code, is_new = self.keys.place((epoch, key_id, header), usual)
        self.put(19, code)
        if is_new:
            follows = bool(epoch) and key_id == epoch[:10]
            self.put(7, 0 if follows else 2 * len(key_id) + (1 if epoch else 2))
            self.put(8, len(header))
            self.opaque += epoch + (b"" if follows else key_id) + header
        return key

    def rest(self, message, device, key, end):
        nonce = raw(message["encryption"]["nonce"])
        if self.salts.get(device) != nonce[:4]:
            if device in self.salts:
                self.given[21].append(self.messages)
            self.salts[device] = nonce[:4]
            self.opaque += nonce[:4]
        position = struct.unpack(">Q", nonce[4:])[0]
        step = (position - self.positions.get((device, key), -1) - 1) % 2 ** 64
        self.put(11, zigzag(step - 2 ** 64 if step >= 2 ** 63 else step))
        self.positions[device, key] = position
        self.put(10, zigzag(message["seq"] - (end["seq"] + 1 if end else 0)))
        if message["seq"] > 0 and (end is None or b64(end["hash"]) != message["prev"]):
            if end is not None:
                self.given[20].append(self.messages)
            self.opaque += raw(message["prev"])
        self.opaque += raw(message["signature"].removeprefix("ed25519:"))
        ciphertext = raw(message["content"]["ciphertext"])
        self.put(12, len(ciphertext))
        self.opaque += ciphertext

    def recipients(self, message, chain):
        salt, author = raw(message["encryption"]["nonce"])[:4], message["author"]
        plain = {"user_id", "device", "session", "header", "nonce", "wrapped"}
        usual = all(
            set(one) == plain and len(one["session"]) == 16 and raw(one["nonce"])[:4] == salt
            for one in message["recipients"])
        self.put(30, len(message["recipients"]) if usual else 0)
        if not usual:
            self.tables[23].append(jcs(message["recipients"]))
            return
        before, used = self.wrap_ends.get(chain, []), []
        for place, one in enumerate(message["recipients"]):
            device, session, header = b32_bytes(one["device"]), b32_bytes(one["session"]), raw(one["header"])
            user = 0 if one["user_id"] == message["channel"][1:] else 1
            last = before[place] if place < len(before) else None
            entry, code, is_new = self.wraps.place((user, device, session, header), last)
            self.put(31, code)
            if is_new:
                self.put(32, user)
                self.put(33, len(header))
                self.opaque += device + session + header
            position = struct.unpack(">Q", raw(one["nonce"])[4:])[0]
            step = (position - self.wrap_next.get(entry, 0)) % 2 ** 64
            self.put(34, zigzag(step - 2 ** 64 if step >= 2 ** 63 else step))
            self.wrap_next[entry] = (position + 1) % 2 ** 64
            self.opaque += raw(one["wrapped"])
            used.append(entry)
        self.wrap_ends[chain] = used

    def columns(self):
        for tag, indices in self.given.items():
            self.values[tag] = [one - before - 1 for before, one in zip([-1] + indices, indices)]
        # Zeros at an end go without saying, but not in a list of places.
        found = b"".join(field(tag, values) for tag, values in self.values.items() if any(values) or tag in self.given)
        # An entry of a table stands there even if it is empty.
        for tag, entries in self.tables.items():
            found += b"".join(leb128(tag << 3 | 2) + leb128(len(one)) + one for one in entries)
        return found + field(14, self.bodies) + field(35, int(self.lift))


# Of the frames of each sender that came with a number.
KEPT = {}


def answer(request):
    at = request.get("number", 0)
    contexts = KEPT.setdefault(request["sender"], {}) if at else None
    try:
        frame = decode(raw(request["frame"]), at, contexts)
    except Wrong as wrong:
        return {"refused": str(wrong)}
    return {
        **frame, "items": [{**item, "body": b64(item["body"])} for item in frame["items"]],
        "acknowledgements": [{**one, "digest": b64(one["digest"])} for one in frame["acknowledgements"]],
        "partials": [{**one, "digest": b64(one["digest"])} for one in frame["partials"]]}


def write(request):
    items = [{**item, "body": raw(item["body"])} for item in request["items"]]
    partials = [
        (struct.pack(">I", one["incarnation"]), one["number"], raw(one["beginning"]))
        for one in request.get("partials", [])]
    return {"frame": b64(encode(items, request.get("floor", 0), partials=partials, lift=request.get("lift", False)))}


if __name__ == "__main__":
    from jsonlines import serve
    serve({"decode": answer, "encode": write})
