"""A second reading of docs/protocol.md, section 8.1: frames and their columns. No code of Godwit, no protobuf."""

import hashlib
import json
import re
import struct
from pathlib import Path

import brotli

from document import b32, b64, jcs, leb128, message_hash, without

PRIMER = Path(__file__).resolve().parents[2] / "dictionaries" / "envelope.prefix"
LIFETIME, INTEGER_MAX = 2_592_000_000, 2 ** 53 - 1
FRAME_MAX, ITEMS_MAX, RANGES_MAX, COLUMNS_MAX = 65_471, 1_024, 1_024, 1_114_112
BODIES_MAX, BODY_MAX, MESSAGE_MAX = 1_048_576, 131_072, 98_303
# Bytes of base64 that a marker 0x01, 0x02 … in a body stands for; behind the marker OTHER a varint says it.
LIFTED, OTHER = (10, 12, 16, 20, 24, 30, 32, 37, 40, 48, 56, 64, 72, 80, 96, 128, 1088, 1184), 0x1F
MARKER = re.compile(rb"[\x00-\x1f]")
SPAN = 32  # messages under one signature
REACH = 128  # numbers that a frame may go back for a context
TIMES = (-62_167_219_200_000, 253_402_300_799_999)  # years 0000 and 9999

# Fields of `Columns`: numbers, numbers with a sign, byte strings, texts, messages. Other fields are ignored.
PLAIN = (1, 7, 8, 9, 12, 13, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28, 29,
         30, 31, 32, 33, 35)
SIGNED = (2, 3, 10, 11, 34)


class Wrong(Exception):
    """The frame is refused."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


# Protocol Buffers

def wire(data):
    """Fields of a message: (number, whole number or bytes)."""
    while data:
        tag, data = number(data)
        kind = tag & 7
        if kind == 0:
            value, data = number(data)
        else:
            need(kind in (1, 2, 5), "wire type")
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, data = number(data)
            need(len(data) >= size, "cut off")
            value, data = data[:size], data[size:]
        yield tag >> 3, value


def number(data):
    """A varint of Protocol Buffers: need not be in its shortest form, counts modulo 2^64."""
    for size in range(1, 11):
        need(len(data) >= size, "cut off")
        if data[size - 1] < 0x80:
            value = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data[:size]))
            return value % 2 ** 64, data[size:]
    raise Wrong("varint")


def packed(value):
    """A repeated number: one, or many in a byte string."""
    if isinstance(value, int):
        return [value]
    found = []
    while value:
        one, value = number(value)
        found.append(one)
    return found


def unzigzag(value):
    return value >> 1 ^ -(value & 1)


# Frames

def decode(data, at=0, contexts=None):
    """Floor, more, acknowledgements and items of the frame with the number `at`.

    `contexts` has, by number, what the chains of earlier frames came to; those of this one are put there.
    """
    need(len(data) <= FRAME_MAX, "a frame has at most 65,471 bytes")
    parts = {1: 0, 2: 0, 4: b"", 5: b"", 6: b""}
    acknowledgements, partials = [], []
    for tag, value in wire(data):
        if tag == 3:
            acknowledgements.append(acknowledgement(value))
        elif tag == 8:
            partials.append(partial(value))
        elif tag in parts:
            parts[tag] = value
    need(len(acknowledgements) <= 16, "acknowledgements")
    need(len(partials) <= 16, "partial frames")
    need(not (parts[4] and parts[5]), "columns twice")
    columns = parts[4]
    if parts[5]:
        decoder = brotli.Decompressor()
        decoder.process(PRIMER.read_bytes())
        try:
            columns = decoder.process(parts[5])
        except brotli.error as error:
            raise Wrong("packed columns") from error
        need(decoder.is_finished() and len(columns) <= COLUMNS_MAX, "packed columns")
    reader = Reader(columns, parts[6], at, contexts or {})
    items = reader.items()
    if contexts is not None:
        contexts[at] = reader.reached()
    return {"floor": parts[1], "more": bool(parts[2]), "acknowledgements": acknowledgements, "partials": partials,
            "items": items}


def partial(data):
    """What a loose frame says of the beginning of a sealed frame."""
    found = {1: b"\0\0\0\0", 2: 0, 3: 0, 4: b"", **dict(wire(data))}
    need(found[2] > 0 and 64 <= found[3] <= 65_553 and len(found[4]) == 8, "partial frame")
    return {"incarnation": struct.unpack("<I", found[1])[0], "number": found[2], "count": found[3], "digest": found[4]}


def acknowledgement(data):
    found, pairs = {"incarnation": 0, "digest": b""}, []
    for tag, value in wire(data):
        if tag == 1:
            found["incarnation"] = struct.unpack("<I", value)[0]
        elif tag == 2:
            pairs += packed(value)
        elif tag == 3:
            found["digest"] = value
    need(len(found["digest"]) == 8 and pairs and len(pairs) % 2 == 0 and len(pairs) // 2 <= RANGES_MAX, "ranges")
    ranges, last = [], -2
    for first, more in zip(pairs[::2], pairs[1::2]):
        start = first + last + 2
        last = start + more
        need(last < 2 ** 64, "ranges")
        ranges.append([start, last])
    return {**found, "ranges": ranges}


class Table:
    """Entries in order of first use."""

    def __init__(self):
        self.entries = []

    def known(self, entry):
        """The index of an entry, which is added unless an equal one is there."""
        if entry not in self.entries:
            self.entries.append(entry)
        return self.entries.index(entry)

    def refer(self, code, usual, new):
        """The index that a reference means."""
        if code == 0 and usual is not None:
            return usual
        if code <= 1:
            self.entries.append(new())
            return len(self.entries) - 1
        need(code - 2 < len(self.entries), "no such entry")
        return code - 2


def runs(values, bits, limit):
    found = []
    for value in values:
        count = value >> bits
        need(1 <= count <= limit - len(found), "runs")
        found += [value & (1 << bits) - 1] * count
    return found


def gaps(values, limit):
    found, last = set(), -1
    for value in values:
        last += value + 1
        need(last < limit, "indices")
        found.add(last)
    return found


def text(data):
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Wrong("not UTF-8") from error


def parsed(data):
    try:
        return json.loads(text(data))
    except ValueError as error:
        raise Wrong("not JSON") from error


class Reader:
    """Items out of columns."""

    def __init__(self, columns, opaque, at, contexts):
        self.at, self.contexts = at, contexts
        self.columns = {tag: [] for tag in PLAIN + SIGNED + (4, 5, 6, 23)}
        self.opaque, self.bodies = opaque, b""
        for tag, value in wire(columns):
            if tag in (26, 35):
                self.columns[tag] = [value]
            elif tag in PLAIN or tag in SIGNED:
                self.columns[tag] += [unzigzag(one) if tag in SIGNED else one for one in packed(value)]
            elif tag == 14:
                self.bodies = value
            elif tag in self.columns:
                self.columns[tag].append(value)
        self.used = dict.fromkeys(self.columns, 0)

    def next(self, tag):
        """The next value of a column; one that is shorter than needed goes on with zeros."""
        place, column = self.used[tag], self.columns[tag]
        self.used[tag] += 1
        return column[place] if place < len(column) else 0

    def entry(self, tag):
        need(self.used[tag] < len(self.columns[tag]), "a table is too short")
        return self.next(tag)

    def take(self, count):
        need(len(self.opaque) >= count, "opaque is too short")
        head, self.opaque = self.opaque[:count], self.opaque[count:]
        return head

    def items(self):
        self.signatures = self.columns[26][0] if self.columns[26] else 0
        self.lifted = self.columns[35][0] if self.columns[35] else 0
        need(self.signatures <= 1 and self.lifted <= 1, "of another version")
        need(all(back < self.at and back <= REACH for back in self.columns[27] if back), "a context cannot be there")
        kinds = runs(self.columns[1], 2, ITEMS_MAX)
        classes = runs(self.columns[25], 3, len(kinds))
        classes += [0] * (len(kinds) - len(classes))
        count = kinds.count(0)
        self.links, self.salts_at, self.recipients_at = (gaps(self.columns[tag], count) for tag in (20, 21, 22))
        self.devices, self.talks, self.chains, self.forms, self.keys, self.wraps = (Table() for _ in range(6))
        self.salts, self.positions, self.ends, self.wrap_ends, self.wrap_next = {}, {}, {}, {}, {}
        self.last_chain = self.last_form = self.last_key = None
        self.messages, found, total = [], [], 0
        created = age = 0
        for kind, offset in zip(kinds, classes):
            before, created = created, created + self.next(2)
            need(TIMES[0] <= created <= TIMES[1], "time")
            age = min(max(0, age - (created - before) // 1000), 2 ** 31 - 1) + self.next(3)
            need(0 <= age < 2 ** 31, "age")
            if kind == 0:
                message = self.message(created)
                size = len(jcs({**message, "signature": "ed25519:" + "=" * 88}))
                lifetime, priority, body = message.get("lifetime", LIFETIME), usual_class(message), message
            else:
                size = self.next(13)
                need(size <= len(self.bodies), "bodies are too short")
                body, self.bodies = self.bodies[:size], self.bodies[size:]
                if size == 0 and kind == 2:
                    body = self.epoch_key()
                elif self.lifted:
                    body = self.expanded(body)
                size = len(body)
                lifetime, priority = LIFETIME, 3 if kind == 1 else 0
            need(0 < size <= (MESSAGE_MAX if kind < 2 else BODY_MAX), "size")
            total += size
            need(total <= BODIES_MAX, "size")
            given = self.next(24)
            need(given <= INTEGER_MAX + 1, "lifetime")
            found.append({
                "kind": kind, "body": body, "created": created, "age": age * 1000,
                "lifetime": given - 1 if given else lifetime, "class": (priority + offset) % 8})
        self.prove()
        for tag, column in self.columns.items():
            if tag not in (1, 20, 21, 22, 25, 26, 35):
                need(self.used[tag] >= len(column), f"column {tag} is not used up")
        need(not self.opaque and not self.bodies, "bytes are left over")
        for item in found:
            if item["kind"] == 0:
                item["kind"], item["body"] = 1, jcs(item["body"])
        return found

    def epoch_key(self):
        """An object that came as bytes only."""
        key_id, device = b32(self.take(10)), b32(self.take(5))
        models = list(self.take(self.take(1)[0]))
        need(models == sorted(set(models)) and len(models) <= 16 and all(1 <= one <= 127 for one in models), "models")
        value = {"type": "epoch_key", "key_id": key_id, "device": device, "key": b64(self.take(80))}
        return jcs({**value, "models": models} if models else value)

    def expanded(self, text):
        """A body with the base64 that was lifted out of it."""
        found, begin = [], 0
        for marker in MARKER.finditer(text):
            if marker.start() < begin:
                continue  # a byte of the varint before
            found.append(text[begin:marker.start()])
            code, begin = marker[0][0], marker.end()
            count = LIFTED[code - 1] if 1 <= code <= len(LIFTED) else 0
            if code == OTHER:
                count, rest = number(text[begin:begin + 10])
                digits = leb128(count)
                need(text[begin:begin + 10] == digits + rest, "a longer varint than needed")
                begin += len(digits)
            need(count > 0, "no marker")
            found.append(b64(self.take(count)).encode())
        return b"".join(found) + text[begin:]

    def message(self, created):
        index = len(self.messages)
        chain = self.chains.refer(self.next(9), self.last_chain, self.new_chain)
        device, talk = self.chains.entries[chain]
        end = self.ends.get(chain)
        form = self.forms.refer(self.next(18), end["form"] if end else self.last_form, self.new_form)
        key = self.keys.refer(self.next(19), end["key"] if end else self.last_key, self.new_key)
        if device not in self.salts or index in self.salts_at:
            self.salts[device] = self.take(4)
        position = (self.positions.get((device, key), -1) + 1 + self.next(11)) % 2 ** 64
        self.positions[device, key] = position
        seq = (end["seq"] + 1 if end else 0) + self.next(10)
        need(0 <= seq <= INTEGER_MAX, "seq")
        previous = None
        if seq > 0:
            previous = self.take(32) if end is None or index in self.links else end["hash"]
        signature = None if self.signatures else self.take(64)
        ciphertext = self.take(self.next(12))
        author, device_id = self.devices.entries[device]
        (channel, node), (epoch, key_id, header) = self.talks.entries[talk], self.keys.entries[key]
        made = {
            **self.forms.entries[form], "author": author, "device": device_id, "channel": channel, "seq": seq,
            "prev": b64(previous) if previous else None, "content": {"ciphertext": b64(ciphertext)},
            "encryption": {
                "algorithm": "chacha20-poly1305", "header": b64(header), "key_id": b32(key_id),
                "nonce": b64(self.salts[device] + struct.pack(">Q", position))},
            "timestamp": timestamp(created)}
        if node:
            made["channel_node"] = node
        if epoch:
            made["epoch"] = b64(epoch)
        if index in self.recipients_at:
            count = self.next(30)
            made["recipients"] = self.recipients(made, chain, self.salts[device], count) if count else parsed(self.entry(23))
        digest = message_hash(made)
        made["id"] = "msg_" + b32(digest[:10])
        if signature:
            made["signature"] = "ed25519:" + b64(signature)
        self.ends[chain] = {"seq": seq, "hash": digest, "form": form, "key": key}
        self.last_chain, self.last_form, self.last_key = chain, form, key
        self.messages.append({"message": made, "hash": digest, "chain": chain})
        return made

    def recipients(self, made, chain, salt, count):
        need(count <= 32, "too many recipients")
        before, used, found = self.wrap_ends.get(chain, []), [], []
        for place in range(count):
            usual = before[place] if place < len(before) else None
            entry = self.wraps.refer(self.next(31), usual, self.new_wrap)
            user, device, session, header = self.wraps.entries[entry]
            position = (self.wrap_next.get(entry, 0) + self.next(34)) % 2 ** 64
            self.wrap_next[entry] = (position + 1) % 2 ** 64
            used.append(entry)
            found.append({
                "user_id": made["author"] if user else made["channel"][1:], "device": b32(device),
                "session": b32(session), "header": b64(header), "nonce": b64(salt + struct.pack(">Q", position)),
                "wrapped": b64(self.take(48))})
        self.wrap_ends[chain] = used
        return found

    def new_wrap(self):
        user, size = self.next(32), self.next(33)
        need(user <= 1 and size <= 2048, "a recipient")
        return user, self.take(5), self.take(10), self.take(size)

    def reached(self):
        """What the chains have come to: one context each."""
        found = []
        for index, (device, talk) in enumerate(self.chains.entries):
            end = self.ends[index]
            found.append({
                "device": self.devices.entries[device], "talk": self.talks.entries[talk],
                "form": self.forms.entries[end["form"]], "key": self.keys.entries[end["key"]],
                "salt": self.salts[device], "position": self.positions[device, end["key"]],
                "seq": end["seq"], "hash": end["hash"]})
        return found

    def goes_on(self, back):
        """A chain whose context is that of an earlier frame."""
        place, known = self.next(29), self.contexts.get(self.at - back, [])
        need(place < len(known), "a context is not there")
        context = known[place]
        device, talk = self.devices.known(context["device"]), self.talks.known(context["talk"])
        form, key = self.forms.known(context["form"]), self.keys.known(context["key"])
        self.ends[len(self.chains.entries)] = {"seq": context["seq"], "hash": context["hash"], "form": form, "key": key}
        self.salts.setdefault(device, context["salt"])
        self.positions.setdefault((device, key), context["position"])
        return device, talk

    def new_chain(self):
        back = self.next(27)
        if back:
            return self.goes_on(back)
        code = self.next(16)
        need(code <= len(self.devices.entries), "no such device")
        if code:
            device = code - 1
        else:
            author = text(self.entry(4))
            self.devices.entries.append((author, b32(self.take(5))))
            device = len(self.devices.entries) - 1
        usual = self.chains.entries[-1][1] if self.chains.entries else None
        return device, self.talks.refer(self.next(17), usual, lambda: self.new_talk(device))

    def new_talk(self, device):
        parts = {1: b"", 2: b"", **dict(wire(self.entry(5)))}
        node = text(parts[2])
        return text(parts[1]), self.devices.entries[device][0].split(".")[0] if node == "." else node

    def new_form(self):
        parts = {1: b"", 2: b"", 3: 0, 4: b"", **dict(wire(self.entry(6)))}
        need(not (parts[2] and parts[4]), "metadata twice")
        metadata = {"client": text(parts[4])} if parts[4] else parsed(parts[2])
        need(isinstance(metadata, dict), "metadata is no object")
        form = {"type": text(parts[1]) or "text", "metadata": metadata}
        need(parts[3] <= INTEGER_MAX + 1, "lifetime")
        if parts[3]:
            form["lifetime"] = parts[3] - 1
        return form

    def new_key(self):
        mark, header = self.next(7), self.next(8)
        epoch = self.take(32) if mark == 0 or mark % 2 else b""
        count = 0 if mark == 0 else (mark - 1) // 2 if mark % 2 else (mark - 2) // 2
        need(count <= 40, "key id")
        key_id = epoch[:10] if mark == 0 else self.take(count)
        return epoch, key_id, self.take(header)

    def prove(self):
        """Signatures of a frame with runs, from the last message to the first."""
        if not self.signatures:
            return
        for index in range(len(self.messages) - 1, -1, -1):
            own = self.messages[index]
            prover = next(
                (later for later in self.messages[index + 1:]
                 if later["chain"] == own["chain"] and later["message"]["prev"] == b64(own["hash"])), None)
            if prover and prover["distance"] + 1 < SPAN:
                own["distance"] = prover["distance"] + 1
                body = hashlib.sha256(jcs(without(
                    prover["message"], "id", "signature", "signed_by", "cover", "recipients", "prev"))).digest()
                own["hashes"], own["signature"] = [body] + prover["hashes"], prover["signature"]
            else:
                own["distance"] = self.next(28)
                need(own["distance"] <= 64, "a signature is too far away")
                own["hashes"] = [self.take(32) for _ in range(own["distance"])]
                own["signature"] = self.take(64)
            self.sign(own)

    @staticmethod
    def sign(own):
        message, signature, digest = own["message"], "ed25519:" + b64(own["signature"]), own["hash"]
        if not own["hashes"]:
            message["signature"] = signature
            return
        for body in own["hashes"]:
            digest = hashlib.sha256(b"DCP1:link\0" + digest + body).digest()
        message["signature"], message["signed_by"] = None, "msg_" + b32(digest[:10])
        message["cover"] = {"hashes": [b64(body) for body in own["hashes"]], "signature": signature}


def usual_class(message):
    return {"voice": 4, "media": 5}.get(message["type"], 2 if message["channel"].startswith("@") else 3)


def timestamp(created):
    days, rest = divmod(created, 86_400_000)
    year, month, day = civil(days)
    seconds, thousandths = divmod(rest, 1000)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
        year, month, day, seconds // 3600, seconds // 60 % 60, seconds % 60, thousandths)


def civil(days):
    """Year, month and day of a day since 1970, proleptic Gregorian; `datetime` does not know the year 0."""
    cycle, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    return (400 * cycle + year + (month >= 10), month + 3 if month < 10 else month - 9,
            day - (153 * month + 2) // 5 + 1)
