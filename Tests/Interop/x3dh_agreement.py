"""X3DH with `x3dh`. Its signatures of pre-keys are XEdDSA with the agreement key, which Godwit does not use; so for a
bundle of Godwit's the test hands over the agreement key, and the signature that the library asks for is made here."""

import asyncio

import x3dh
import xeddsa
from x3dh.identity_key_pair import IdentityKeyPairPriv

from jsonlines import b64, raw, serve


class State(x3dh.BaseState):
    @staticmethod
    def _encode_public_key(key_format, pub):
        return pub


state = None


def create(request):
    global state
    state = State.create(
        x3dh.IdentityKeyFormat.CURVE_25519,
        x3dh.HashFunction.SHA_256,
        b"DCP1:x3dh",
        IdentityKeyPairPriv(raw(request["identity"])),
    )
    state.generate_pre_keys(request["one_time"])
    bundle = state.bundle
    return {
        "identity": b64(bundle.identity_key),
        "signed_pre_key": b64(bundle.signed_pre_key),
        "pre_keys": [b64(key) for key in bundle.pre_keys],
    }


def initiate(request):
    signer = xeddsa.priv_force_sign(raw(request["identity_private"]), False)
    signed = raw(request["signed_pre_key"])
    bundle = x3dh.Bundle(
        identity_key=raw(request["identity"]),
        signed_pre_key=signed,
        signed_pre_key_sig=xeddsa.ed25519_priv_sign(signer, signed),
        pre_keys=frozenset(raw(key) for key in request["pre_keys"]),
    )
    secret, associated, header = asyncio.run(state.get_shared_secret_active(bundle, require_pre_key=False))
    return {"secret": b64(secret), "associated": b64(associated), "ephemeral": b64(header.ephemeral_key)}


def respond(request):
    header = x3dh.Header(
        identity_key=raw(request["identity"]),
        ephemeral_key=raw(request["ephemeral"]),
        signed_pre_key=raw(request["signed_pre_key"]),
        pre_key=raw(request["pre_key"]) if request["pre_key"] else None,
    )
    secret, associated, _ = asyncio.run(state.get_shared_secret_passive(header, require_pre_key=False))
    return {"secret": b64(secret), "associated": b64(associated)}


serve({"create": create, "initiate": initiate, "respond": respond})
