import GodwitProtocol

/// Well-formed objects of `docs/protocol.md` §7.
extension Sample {
    static var introduction: JSONObject {
        [
            "type": "introduction", "user_id": .string(alice), "public_key": ed25519(9),
            "device_list": .object(deviceList()),
        ]
    }

    static var command: JSONObject {
        [
            "type": "command", "command": "join_channel", "user_id": .string(alice), "device": device(1), "counter": 1,
            "data": ["channel": "#general", "channel_node": "a7f3k9m2", "pre_key": .object(preKey())],
            "signature": signature,
        ]
    }

    static func membership(joiners: Int = 1) -> JSONObject {
        [
            "type": "membership", "channel": "#general", "channel_node": "a7f3k9m2", "version": 2, "at": .string(time),
            "joined": .array((0..<joiners).map { .object(preKey($0)) }), "device_set": hash(1),
            "sponsor": party(bob, 2), "signature": signature,
        ]
    }

    static func members(_ count: Int = 2) -> JSONObject {
        [
            "type": "members", "channel": "#general", "channel_node": "a7f3k9m2", "version": 2,
            "members": .array((0..<count).map { party("a7f3k9m2.user-\($0)", $0) }),
        ]
    }

    /// A join whose epoch follows from another.
    static var following: JSONObject {
        membership().setting("predecessor", hash(3)).setting("models", [1]).setting("sponsor", party(alice, 1))
    }

    static var epochKey: JSONObject {
        [
            "type": "epoch_key", "key_id": "na342hl5nk7kx4ws", "device": device(2),
            "key": .string(Base64.encode(bytes(7, 80))), "models": [1],
        ]
    }

    static func epoch(wraps: Int = 1) -> JSONObject {
        [
            "type": "epoch", "channel": "#general", "channel_node": "a7f3k9m2", "predecessor": hash(3), "membership": 2,
            "device_set": hash(1), "commitment": hash(4), "author": .string(bob), "device": device(2),
            "created": .string(time), "signature": signature,
            "wraps": [
                "ephemeral": x25519(5), "for": .array((0..<wraps).map { .object(wrap("a7f3k9m2.user-\($0)", $0)) }),
            ],
        ]
    }

    static func wrap(_ user: String, _ seed: Int) -> JSONObject {
        [
            "user_id": .string(user), "device": device(seed), "pre_key": 1,
            "wrapped": .string(Base64.encode(bytes(seed, 48))),
        ]
    }

    static var lookup: JSONObject {
        [
            "type": "user_lookup", "user_id": .string(bob), "requesting_node": "a7f3k9m2", "requester": party(alice, 1),
            "at": "2026-11-21T10:30:00.000Z",
        ]
    }

    static var lookupResult: JSONObject {
        [
            "type": "user_lookup_result", "user_id": .string(bob), "requester": party(alice, 1), "as_of": .string(time),
            "found": true, "public_key": ed25519(9), "device_list": .object(deviceList(user: bob)),
            "bundles": [.object(bundle())],
        ]
    }

    static func bundle(_ seed: Int = 1, user: String = bob) -> JSONObject {
        [
            "device": device(seed), "signed_pre_key": .object(preKey(seed, user: user)),
            "one_time_pre_key": ["id": 7, "key": x25519(7)], "kem_pre_key": .object(kemPreKey(seed, user: user)),
        ]
    }

    static var profileLookup: JSONObject { lookup.setting("profile", true) }

    static var profileResult: JSONObject {
        lookupResult.omitting(["public_key", "device_list", "bundles"])
            .setting("profile", ["user_id": .string(bob), "public_key": ed25519(9), "bio": "Pilot."])
    }

    /// The earlier form, with the keys of one device.
    static var singleLookupResult: JSONObject {
        lookupResult.omitting(["bundles"]).setting("signed_pre_key", .object(preKey(user: bob)))
            .setting("one_time_pre_key", ["id": 7, "key": x25519(7)])
    }

    static var preKeyStock: JSONObject {
        ["type": "pre_key_stock", "to": party(bob, 1), "one_time_pre_keys": 20, "at": .string(time)]
    }

    static var heldMessages: JSONObject {
        [
            "type": "held_messages", "to": party(alice, 1), "channel": "#general", "channel_node": "a7f3k9m2",
            "at": .string(time), "waiting": 40, "next": "32", "messages": [.object(heldMessage)],
        ]
    }

    static var heldMessage: JSONObject {
        [
            "hash": hash(6), "author": .string(bob), "device": device(2), "timestamp": .string(time),
            "received_at": .string(time), "size": 700, "left": 2_592_000_000,
        ]
    }

    static func custodyQuestion(_ items: Int = 2) -> JSONObject {
        [
            "type": "custody_question", "from": party(alice, 1), "items": .string(Base64.encode(bytes(1, items * 10))),
            "at": .string(time),
        ]
    }

    static func custody(_ copies: Int = 1) -> JSONObject {
        let copy: JSONObject = [
            "item": .string(Base64.encode(bytes(1, 10))), "next": "b4n8p2x7", "state": "waiting", "goes": .string(time),
        ]
        return [
            "type": "custody", "to": party(alice, 1), "at": .string(time),
            "copies": .array((0..<copies).map { _ in .object(copy) }),
        ]
    }

    static func heads(_ count: Int = 2) -> JSONObject {
        [
            "type": "heads", "to": party(alice, 1), "channel": .string("@" + bob), "author": .string(bob),
            "since": .string(time), "at": .string(time),
            "heads": .array((0..<count).map { ["device": device($0), "seq": 7, "hash": hash(5), "count": 3] }),
        ]
    }

    static var userMoved: JSONObject {
        [
            "type": "user_moved", "user_id": .string(alice), "to": "b4n8p2x7.alice-river", "public_key": ed25519(9),
            "at": .string(time), "signature": signature,
        ]
    }

    static var linkStatus: JSONObject {
        [
            "type": "link_status", "from": "a7f3k9m2", "to": party(alice, 1), "next": "b4n8p2x7", "at": .string(time),
            "tier": 1, "held": hash(5),
            "allowed": [
                "text_max": 140, "sealed_max": 1024, "voice": "none", "documents": false, "images": false,
                "media_on_demand": true, "presence": false,
            ],
        ]
    }

    static var refusal: JSONObject {
        [
            "type": "refusal", "item": hash(1), "to": party(alice, 1), "at": .string(time),
            "error": [
                "code": "USER_NOT_FOUND", "number": 2003, "message": "Nobody has this name here.",
                "hint": "Check the spelling.", "details": ["a": 1], "timestamp": .string(time),
            ],
        ]
    }

    static func receipt(_ items: Int = 2) -> JSONObject {
        [
            "type": "receipt", "state": "delivered", "to": party(alice, 1), "from": party(bob, 2), "at": .string(time),
            "items": .string(Base64.encode(bytes(1, items * 10))),
        ]
    }

    static var descriptor: JSONObject {
        [
            "type": "descriptor", "version": "1.0", "id": "a7f3k9m2", "public_key": ed25519(1), "noise_key": x25519(2),
            "endpoints": ["https://chat.example.com:8443"], "pins": [.string("sha256:" + Base64.encode(bytes(3)))],
            "name": "Harbour", "seq": 1, "expires": .string(time), "signature": signature,
        ]
    }

    static var all: [JSONObject] {
        [
            introduction, command, membership(), members(), epoch(), lookup, lookupResult, refusal, receipt(),
            following,
            epochKey, epochKey.omitting(["models"]),
            linkStatus, preKeyStock, heldMessages, profileLookup, profileResult,
            profileResult.setting("found", false).setting("profile", .null), custodyQuestion(), custody(),
            heads(), heads(64), heads(1).setting("channel", "#room").setting("channel_node", "a7f3k9m2"),
            userMoved,
        ]
    }
}
