"""A device of docs/protocol.md, written from that document with `websockets`, `cryptography` and `noiseprotocol`."""

import hashlib
import os
import socket
import ssl
import struct
import warnings
from contextlib import ExitStack

from cryptography.x509 import load_der_x509_certificate
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import OKPKey
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from document import *
from exchanges import Exchanges, Refused

TIMEOUT = 20

# RFC 9864 renames EdDSA to Ed25519 for JOSE; the tokens have the name that all libraries know.
warnings.simplefilter("ignore")


class Client(Exchanges):
    def __init__(self, node, endpoint, username, passphrase):
        self.node, self.endpoint, self.username, self.passphrase = node, endpoint, username, passphrase
        self.user = node["id"] + "." + username
        self.identity_key = Ed25519PrivateKey.generate()
        self.signing = Ed25519PrivateKey.generate()
        self.agreement, self.noise = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self.device = device_id(public(self.signing))
        self.pre_key = X25519PrivateKey.generate()
        self.one_time = {number: X25519PrivateKey.generate() for number in range(1, 21)}
        self.counter = self.requests = 0
        self.created = now()
        self.file = identity_file(username, self.identity_key, node, endpoint, passphrase)
        self.users = {}       # user id -> public key and devices, from introductions and lookups
        self.bundles = {}     # user id -> result of a lookup
        self.sessions = {}    # (user, device) -> Ratchet
        self.chains = {}      # conversation -> (next seq, prev)
        self.channels = {}    # channel -> state
        self.messages, self.objects, self.others = [], [], []
        self.connection, self.socket = ExitStack(), None
        self.pending_epochs = []
        self.start_exchanges()

    # Connection, sections 6.4, 9.1 and 9.2

    def connect(self, headers=None):
        self.hang_up()
        host = self.endpoint.removeprefix("wss://")
        self.socket = self.connection.enter_context(connect(
            f"ws://{host}/ws/v1", sock=self.tls_stream(), subprotocols=["dcp-v1"], max_size=131_072, open_timeout=TIMEOUT,
            additional_headers=headers or {}))
        assert self.socket.subprotocol == "dcp-v1"

    def tls_stream(self):
        host, port = self.endpoint.removeprefix("wss://").split(":")
        stream = self.tls_context().wrap_socket(socket.create_connection((host, int(port)), TIMEOUT))
        self.check_pin(stream)  # ahead of the first byte of HTTP, so the library gets a stream that is TLS already
        return stream

    @staticmethod
    def tls_context():
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def check_pin(self, connection):
        shown = load_der_x509_certificate(connection.getpeercert(True)).public_key()
        pin = hashlib.sha256(shown.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        if "sha256:" + b64(pin) not in self.node["pins"]:
            raise Refused("the node shows another key than its descriptor names")

    def hang_up(self):
        self.connection.close()

    def put(self, value):
        self.socket.send(jcs(value).decode())

    def get(self, timeout=TIMEOUT):
        return json.loads(self.socket.recv(timeout=timeout))

    def challenge(self):
        self.put({
            "type": "auth_challenge_request", "user_id": self.user,
            "client_info": {"name": "interop", "version": "1", "capabilities": []}})
        answer = self.get()
        assert answer["type"] == "auth_challenge", answer
        return answer

    def log_in(self, register=False, invite=None, replay=None):
        challenge = replay or self.challenge()
        base = {"challenge": challenge["challenge"], "expires": challenge["expires"],
                "node_id": self.node["id"], "timestamp": challenge["timestamp"]}
        if register:
            what = {**base, "identity": self.file["identity"], "invite": invite}
            frame = {"type": "auth_register", "identity_file": self.file, "challenge": challenge["challenge"],
                     "device": self.device, "signature": sign_bytes(self.identity_key, "register", jcs(what))}
        else:
            what = {**base, "user_id": self.user}
            frame = {"type": "auth_proof", "challenge": challenge["challenge"], "device": self.device,
                     "public_key": "ed25519:" + b64(public(self.identity_key)),
                     "signature": sign_bytes(self.identity_key, "auth", jcs(what))}
        self.put(frame)
        self.last_challenge = challenge
        return self.opened(self.get())

    def opened(self, answer):
        if answer["type"] == "auth_error":
            raise Refused(answer["error"]["code"])
        assert answer["type"] == "auth_success", answer
        self.success = answer
        return answer

    def check_token(self):
        """The token, verified by a library that has nothing to do with the node's."""
        info, token = self.success["node_info"], self.success["session_token"]
        point = base64.urlsafe_b64encode(key_bytes("ed25519", info["session_key"])).decode().rstrip("=")
        key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": point})
        decoded = jwt.decode(token, key, algorithms=["EdDSA", "Ed25519"])
        return {"header": decoded.header, "claims": decoded.claims}

    # Commands, section 9.3

    def command(self, name, data, timeout=TIMEOUT):
        self.requests += 1
        request = f"r{self.requests}"
        self.put({"command": name, "data": data, "request_id": request})
        while True:
            event = self.get(timeout)
            if event.get("event") in ("ack", "error") and event["data"].get("request_id") == request:
                if event["event"] == "error":
                    raise Refused(event["data"]["error"]["code"])
                return event["data"]
            self.take(event)

    def device_entry(self):
        return signed(self.identity_key, "device", {
            "user_id": self.user, "device": self.device, "signing_key": "ed25519:" + b64(public(self.signing)),
            "agreement_key": "x25519:" + b64(public(self.agreement)),
            "noise_key": "x25519:" + b64(public(self.noise)), "created": now()})

    def signed_pre_key(self):
        return signed(self.signing, "pre-key", {
            "user_id": self.user, "device": self.device, "id": 1, "key": "x25519:" + b64(public(self.pre_key)),
            "created": self.created})

    def publish(self):
        devices = signed(self.identity_key, "device-list", {
            "user_id": self.user, "version": 1, "issued": now(), "devices": [self.device_entry()]})
        self.users[self.user] = (public(self.identity_key), {self.device: devices["devices"][0]})
        one_time = [{"id": number, "key": "x25519:" + b64(public(key))} for number, key in self.one_time.items()]
        return self.command("publish_keys", {
            "device_list": devices, "signed_pre_key": self.signed_pre_key(), "one_time_pre_keys": one_time})

    def signed_command(self, name, data):
        self.counter += 1
        return signed(self.signing, "command", {
            "type": "command", "command": name, "user_id": self.user, "device": self.device, "counter": self.counter,
            "data": data})

    def enter(self, name, channel, node):
        data = {"channel": channel, "channel_node": node, "pre_key": self.signed_pre_key()}
        return self.command(
            name, {"channel": channel, "channel_node": node, "command": self.signed_command(name, data)})

    def lookup(self, user):
        self.command("lookup_user", {"user_id": user})
        self.wait(lambda: user in self.bundles)
        return self.bundles[user]

    # Messages, section 5

    def finish(self, message, conversation, content, key):
        seq, prev = self.chains.get(conversation, (0, None))
        nonce = raw(message["encryption"]["nonce"])
        message = {**message, "seq": seq, "prev": prev}
        message["content"] = {"ciphertext": b64(key(nonce, content, associated(message)))}
        digest = message_hash(message)
        message["id"] = "msg_" + b32(digest[:10])
        message["signature"] = sign_bytes(self.signing, "message", digest)
        self.chains[conversation] = (seq + 1, b64(digest))
        self.last = message
        if self.outbox is not None:
            return self.outbox.append(message)
        return self.command("send_message", {"message": message})

    def envelope(self, channel, encryption):
        return {
            "type": "text", "timestamp": now(), "author": self.user, "device": self.device, "channel": channel,
            "encryption": {"algorithm": "chacha20-poly1305", **encryption}, "metadata": {"client": "interop/1"}}

    def send_direct(self, user, text):
        known = [session for (name, _), session in self.sessions.items() if name == user]
        if not known:
            found = self.lookup(user)
            device = found["device_list"]["devices"][0]
            bundle = next(bundle for bundle in found["bundles"] if bundle["device"] == device["device"])
            pre_key, one_time = bundle["signed_pre_key"], bundle.get("one_time_pre_key")
            known = [Ratchet.initiate(
                self.agreement, key_bytes("x25519", device["agreement_key"]),
                (pre_key["id"], key_bytes("x25519", pre_key["key"])),
                (one_time["id"], key_bytes("x25519", one_time["key"])) if one_time else None,
                (bundle["kem_pre_key"]["id"], key_bytes("mlkem768", bundle["kem_pre_key"]["key"]))
                if "kem" in device else None)]
            self.sessions[user, device["device"]] = known[0]
        session = known[0]
        header, nonce = session.next_header()
        message = self.envelope("@" + user, {
            "key_id": session.session, "nonce": b64(nonce), "header": b64(header)})
        return self.finish(message, user, seal_content(text), session.encrypt)

    def send_channel(self, channel, text):
        state = self.channels[channel]
        epoch = state["epochs"][state["current"]]
        key, position = epoch.step(self.user, self.device)
        nonce = epoch.salt + struct.pack(">Q", position)
        message = self.envelope(channel, {"key_id": epoch.key_id, "nonce": b64(nonce), "header": ""})
        message.update(channel_node=state["node"], epoch=b64(epoch.name))
        return self.finish(
            message, channel, seal_content(text),
            lambda nonce, content, aad: cipher(key, nonce).encrypt(nonce, content, aad))

    def send_altered(self, change):
        """The last message again: as it was, with another ciphertext, or signed anew for another key."""
        message = json.loads(jcs(self.last))
        if change == "ciphertext":
            message["content"]["ciphertext"] = b64(bytes(len(raw(message["content"]["ciphertext"]))))
        elif change == "signature":
            message["signature"] = sign_bytes(Ed25519PrivateKey.generate(), "message", message_hash(message))
        elif change == "missing":
            del message["seq"]
        elif change == "author":
            message["author"] = self.node["id"] + ".somebody"
        return self.command("send_message", {"message": message})

    def send_sized(self, user, size):
        """A direct message of exactly `size` bytes of JCS; the filling is in its metadata."""
        session = next(session for (name, _), session in self.sessions.items() if name == user)
        chain = self.chains[user]
        header, nonce = session.next_header()
        message = self.envelope("@" + user, {
            "key_id": session.session, "nonce": b64(nonce), "header": b64(header)})
        content = seal_content("filled")
        rest = {"id": "msg_" + "a" * 16, "seq": chain[0], "prev": chain[1], "signature": "ed25519:" + b64(bytes(64)),
                "content": {"ciphertext": b64(bytes(len(content) + 16))}}
        message["metadata"]["filling"] = ""
        message["metadata"]["filling"] = "x" * (size - len(jcs({**message, **rest})))
        before = session.sending, session.sent
        try:
            return self.finish(message, user, content, session.encrypt)
        except Refused:
            self.chains[user], (session.sending, session.sent) = chain, before
            raise

    def open_message(self, message):
        digest = message_hash(message)
        assert message["id"] == "msg_" + b32(digest[:10])
        entry = self.users[message["author"]][1][message["device"]]
        verify_bytes(key_bytes("ed25519", entry["signing_key"]), "message", *proof(message))
        encryption = message["encryption"]
        nonce, header = raw(encryption["nonce"]), raw(encryption["header"])
        ciphertext, aad = raw(message["content"]["ciphertext"]), associated(message)
        if message["channel"].startswith("@"):
            sender = (message["author"], message["device"])
            session = self.sessions.get(sender)
            if header[0] == 2 and (session is None or session.session != encryption["key_id"]):
                session = Ratchet.respond(
                    self.agreement, key_bytes("x25519", entry["agreement_key"]), header, {1: self.pre_key},
                    self.one_time)
                self.sessions[sender] = session
            assert session.session == encryption["key_id"]
            content = session.decrypt(header, nonce, ciphertext, aad)
        else:
            epoch = self.channels[message["channel"]]["epochs"][raw(message["epoch"])]
            key, _ = epoch.step(message["author"], message["device"], struct.unpack(">Q", nonce[4:])[0])
            content = cipher(key, nonce).decrypt(nonce, ciphertext, aad)
        self.messages.append({
            "id": message["id"], "author": message["author"], "channel": message["channel"],
            "text": open_content(content), "seq": message["seq"]})

    # Events and objects, sections 7 and 9.4

    def take(self, event):
        data = event["data"]
        if event["event"] == "message":
            self.open_message(data["message"])
        elif event["event"] == "object":
            self.take_object(data["object"])
        else:
            self.others.append(event)
        if "arrival" in data:
            self.arrival = data["arrival"]

    def know(self, user, public_key, devices):
        key = key_bytes("ed25519", public_key)
        verify(key, "device-list", devices)
        for entry in devices["devices"]:
            verify(key, "device", entry)
            assert entry["device"] == device_id(key_bytes("ed25519", entry["signing_key"]))
        assert user not in self.users or self.users[user][0] == key
        self.users[user] = (key, {entry["device"]: entry for entry in devices["devices"]})

    def take_object(self, value):
        self.objects.append(value)
        kind = value["type"]
        if kind == "introduction":
            self.know(value["user_id"], value["public_key"], value["device_list"])
        elif kind == "user_lookup_result":
            if value["found"]:
                self.know(value["user_id"], value["public_key"], value["device_list"])
                for bundle in value["bundles"]:
                    entry = self.users[value["user_id"]][1][bundle["device"]]
                    verify(key_bytes("ed25519", entry["signing_key"]), "pre-key", bundle["signed_pre_key"])
            self.bundles[value["user_id"]] = value
        elif kind == "members":
            self.state(value)["members"] = value
        elif kind == "membership":
            self.take_membership(value)
        elif kind == "epoch":
            self.take_epoch(value)
        elif kind == "epoch_key":
            self.take_epoch_key(value)

    def state(self, value):
        return self.channels.setdefault(value["channel"], {
            "node": value["channel_node"], "epochs": {}, "memberships": {}, "current": None, "members": None,
            "party": set()})

    def take_membership(self, value):
        state = self.state(value)
        if value["channel_node"] == self.node["id"]:
            verify(key_bytes("ed25519", self.node["public_key"]), "order", value)
        state["memberships"][value["version"]] = value
        members = state["members"]
        if members and members["version"] == value["version"]:
            state["party"] = set(members["members"])
        else:
            state["party"] |= {f"{joiner['user_id']}/{joiner['device']}" for joiner in value["joined"]}
        device_set = hashlib.sha256(jcs(sorted(state["party"]))).digest()
        assert b64(device_set) == value["device_set"], "the member list does not fit its hash"
        is_sponsor = value["sponsor"] == f"{self.user}/{self.device}"
        if "predecessor" in value:
            before = state["epochs"].get(raw(value["predecessor"]))
            if before:
                name = join_hash(value)
                state["epochs"][name], state["current"] = Epoch(name, before.join_secret(name)), name
                if is_sponsor:
                    self.give_keys(state["epochs"][name], value)
        elif is_sponsor:
            self.start_epoch(state, value)

    def give_keys(self, epoch, membership):
        for joiner in membership["joined"]:
            user, device = joiner["user_id"], joiner["device"]
            entry = self.users[user][1][device]
            verify(key_bytes("ed25519", entry["signing_key"]), "pre-key", joiner)
            ephemeral, pre_key = X25519PrivateKey.generate(), key_bytes("x25519", joiner["key"])
            key = wrap_key([(ephemeral, pre_key), (ephemeral, key_bytes("x25519", entry["agreement_key"])),
                            (self.agreement, pre_key)], epoch.name, user, device, b"DCP1:epoch-key")
            self.pending_epochs.append({
                "type": "epoch_key", "key_id": epoch.key_id, "device": device,
                "key": b64(public(ephemeral) + ChaCha20Poly1305(key).encrypt(bytes(12), epoch.secret, epoch.name))})

    def take_epoch_key(self, value):
        assert value["device"] == self.device
        state, membership = next(
            (state, change) for state in self.channels.values() for change in state["memberships"].values()
            if b32(join_hash(change)[:10]) == value["key_id"])
        name, sealed = join_hash(membership), raw(value["key"])
        user, device = membership["sponsor"].split("/")
        ephemeral, sponsor = sealed[:32], key_bytes("x25519", self.users[user][1][device]["agreement_key"])
        key = wrap_key([(self.pre_key, ephemeral), (self.agreement, ephemeral), (self.pre_key, sponsor)],
                       name, self.user, self.device, b"DCP1:epoch-key")
        secret = ChaCha20Poly1305(key).decrypt(bytes(12), sealed[32:], name)
        state["epochs"][name], state["current"] = Epoch(name, secret), name

    def start_epoch(self, state, membership):
        before = state["epochs"].get(state["current"])
        secret = os.urandom(32)
        epoch = {
            "type": "epoch", "channel": membership["channel"], "channel_node": membership["channel_node"],
            "predecessor": b64(before.name) if before else None, "membership": membership["version"],
            "device_set": membership["device_set"], "commitment": b64(Epoch.commitment(secret)),
            "author": self.user, "device": self.device, "created": now()}
        name = epoch_name(epoch)
        ephemeral, wraps = X25519PrivateKey.generate(), []
        for joiner in membership["joined"]:
            user, device = joiner["user_id"], joiner["device"]
            if (user, device) == (self.user, self.device):
                continue
            entry = self.users[user][1][device]
            verify(key_bytes("ed25519", entry["signing_key"]), "pre-key", joiner)
            key = wrap_key([(ephemeral, key_bytes("x25519", joiner["key"])),
                            (ephemeral, key_bytes("x25519", entry["agreement_key"]))], name, user, device)
            wraps.append({"user_id": user, "device": device, "pre_key": joiner["id"],
                          "wrapped": b64(ChaCha20Poly1305(key).encrypt(bytes(12), secret, name))})
        epoch = {**epoch, "signature": sign_bytes(self.signing, "epoch", jcs(epoch)), "wraps": None}
        if wraps:
            epoch["wraps"] = {"ephemeral": "x25519:" + b64(public(ephemeral)), "for": wraps}
        state["epochs"][name], state["current"] = Epoch(name, secret), name
        self.pending_epochs.append(epoch)

    def take_epoch(self, value):
        state, name = self.state(value), epoch_name(value)
        if name in state["epochs"]:
            return
        entry = self.users[value["author"]][1][value["device"]]
        verify(key_bytes("ed25519", entry["signing_key"]), "epoch", value, "wraps")
        membership = state["memberships"][value["membership"]]
        assert membership["device_set"] == value["device_set"]
        wraps = value["wraps"]
        own = next(wrap for wrap in wraps["for"] if (wrap["user_id"], wrap["device"]) == (self.user, self.device))
        ephemeral = key_bytes("x25519", wraps["ephemeral"])
        key = wrap_key([(self.pre_key, ephemeral), (self.agreement, ephemeral)], name, self.user, self.device)
        secret = ChaCha20Poly1305(key).decrypt(bytes(12), raw(own["wrapped"]), name)
        assert Epoch.commitment(secret) == raw(value["commitment"])
        state["epochs"][name], state["current"] = Epoch(name, secret), name

    def wait(self, condition, timeout=TIMEOUT):
        while not condition():
            self.take(self.get(timeout))
            self.submit_epochs()

    def submit_epochs(self):
        while self.pending_epochs:
            self.command("submit", {"object": self.pending_epochs.pop(0)})

    def waiting_after_login(self):
        """Logs in anew and says which messages come, without opening them."""
        self.connect()
        self.log_in()
        found = []
        try:
            while True:
                event = self.get(timeout=2)
                if event.get("event") == "message":
                    found.append(event["data"]["message"]["id"])
        except TimeoutError:
            return {"messages": found}

    # Live links, section 8.6

    def live(self, messages, subprotocol="dcp-batch-v1"):
        """Sends messages over a live link of its own (section 8.6); what came, and how the link or the answer ended."""
        answers = []
        try:
            host = self.endpoint.removeprefix("wss://")
            with connect(
                    f"ws://{host}/batch/v1/live", sock=self.tls_stream(), subprotocols=[subprotocol], max_size=65_600,
                    open_timeout=TIMEOUT) as link:
                assert link.subprotocol == subprotocol
                for message in messages:
                    link.send(message)
                while answer := link.recv(timeout=TIMEOUT):
                    is_text = isinstance(answer, str)
                    answers.append({"error": json.loads(answer)["error"]} if is_text else {"record": b64(answer)})
                return {"answers": answers, "end": True}
        except ConnectionClosed as closed:
            return {"answers": answers, "close": closed.rcvd.code if closed.rcvd else 0}
        except InvalidStatus as refused:
            return {"status": refused.response.status_code}
