"""Noise_K with `noiseprotocol`."""

from noise.connection import Keypair, NoiseConnection

from jsonlines import b64, raw, serve

NAME = b"Noise_K_25519_ChaChaPoly_SHA256"


def connection(request):
    noise = NoiseConnection.from_name(NAME)
    noise.set_prologue(raw(request["prologue"]))
    noise.set_keypair_from_private_bytes(Keypair.STATIC, raw(request["own"]))
    noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, raw(request["remote"]))
    return noise


def seal(request):
    noise = connection(request)
    noise.set_as_initiator()
    noise.start_handshake()
    return {"message": b64(noise.write_message(raw(request["payload"])))}


def open_(request):
    noise = connection(request)
    noise.set_as_responder()
    noise.start_handshake()
    return {"payload": b64(noise.read_message(raw(request["message"])))}


serve({"seal": seal, "open": open_})
