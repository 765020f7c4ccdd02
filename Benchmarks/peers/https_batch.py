#!/usr/bin/env python3
"""The plain way to do it: JSON envelopes, each sealed and signed, in one gzip batch by one HTTPS request.

    https_batch.py serve HOST PORT CERTIFICATE KEY    waits for one batch, opens and checks it, answers, ends
    https_batch.py send HOST PORT CERTIFICATE FILE    sends FILE (JSON lines with author, channel, text, ts)

Every message is encrypted for the reader's device by a fresh key (X25519, HKDF, ChaCha20-Poly1305) and signed by its
author (Ed25519), as Godwit's are. Keys follow from names, so that both ends know them beforehand.
"""

import base64
import gzip
import hashlib
import http.client
import http.server
import json
import ssl
import sys
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def seed(name):
    return hashlib.sha256(name.encode()).digest()


def signer(author):
    return Ed25519PrivateKey.from_private_bytes(seed("author " + author))


READER = X25519PrivateKey.from_private_bytes(seed("reader"))


def content_key(secret):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"box").derive(secret)


def seal(row):
    ephemeral = X25519PrivateKey.generate()
    key = content_key(ephemeral.exchange(READER.public_key()))
    box = ephemeral.public_key().public_bytes_raw() + ChaCha20Poly1305(key).encrypt(bytes(12), row["text"].encode(), None)
    envelope = {"author": row["author"], "channel": row["channel"], "ts": row["ts"], "box": base64.b64encode(box).decode()}
    signed = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()
    envelope["signature"] = base64.b64encode(signer(row["author"]).sign(signed)).decode()
    return envelope


def unseal(envelope):
    signature = base64.b64decode(envelope.pop("signature"))
    signed = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode()
    signer(envelope["author"]).public_key().verify(signature, signed)
    box = base64.b64decode(envelope["box"])
    key = content_key(READER.exchange(X25519PublicKey.from_public_bytes(box[:32])))
    return ChaCha20Poly1305(key).decrypt(bytes(12), box[32:], None).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        texts = [unseal(envelope) for envelope in json.loads(gzip.decompress(body))]
        print(json.dumps({"messages": len(texts), "at": time.time()}), flush=True)
        answer = json.dumps({"accepted": len(texts)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def serve(host, port, certificate, key):
    server = http.server.HTTPServer((host, int(port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_request()


def send(host, port, certificate, path):
    rows = [json.loads(line) for line in open(path, encoding="utf-8")]
    body = gzip.compress(json.dumps([seal(row) for row in rows], separators=(",", ":")).encode(), 9)
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    print(json.dumps({"bytes": len(body), "at": time.time()}), flush=True)
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=900)
    connection.request("POST", "/", body)
    connection.getresponse().read()


if __name__ == "__main__":
    {"serve": serve, "send": send}[sys.argv[1]](*sys.argv[2:])
