import GodwitProtocol

/// The shapes that have a name in the OpenAPI document.
enum APIComponents {
    static let shapes: [String: APIShape] = [
        "Error": .object([
            .needed(
                "error",
                .object([
                    .needed("code", .text(APIText(choices: ErrorCode.allCases.map(\.name)))),
                    .needed("number", .integer(1_000...9_999)), .needed("message", .anyText(1...2_000)),
                    .needed("details", .anyObject), .needed("timestamp", .time),
                    .needed("request_id", .anyText(1...64)), .optional("hint", .anyText(1...2_000)),
                ]))
        ]),
        "ClientInfo": .object([
            .optional("name", .anyText(0...64)), .optional("version", .anyText(0...64)),
            .optional("capabilities", .list(.anyText(0...64), most: 64)),
        ]),
        "Challenge": .object([
            .needed("challenge", .base64), .needed("timestamp", .time), .needed("expires", .time),
        ]),
        "Opened": .object([
            .needed("session_token", .token), .needed("expires", .time), .needed("node_info", .anyObject),
        ]),
        "Session": .object([
            .needed("session", .sessionName), .needed("device", .nullable(.deviceID)), .needed("opened", .time),
            .needed("issued", .time), .needed("expires", .time), .needed("current", .boolean),
        ]),
        "User": .object([
            .needed("user_id", .userID), .optional("display_name", .anyText(0...1_000)),
            .optional("avatar", .anyText(0...80_000)), .optional("status", .choice("online", "away", "offline")),
            .optional("last_seen", .time), .optional("as_of", .time), .optional("pending", .boolean),
            .optional("moved", .anyObject),
        ]),
        "OneTimeKey": .object([
            .needed("id", .integer(1...4_294_967_295)),
            .needed("key", .text(APIText(pattern: "^x25519:[A-Za-z0-9+/]{43}=$", note: "X25519 key"))),
        ]),
        "DeviceListAnswer": .object([
            .needed("user_id", .userID), .needed("public_key", .publicKey), .needed("device_list", .anyObject),
        ]),
        "OwnDevices": .object([
            .needed("device_list", .anyObject),
            .needed(
                "devices",
                .list(
                    .object([
                        .needed("device", .deviceID), .needed("one_time_pre_keys", .integer(0...200)),
                        .needed("sessions", .integer(0...JSONValue.integerMax)),
                    ]))),
        ]),
        "KeyBundles": .object([
            .needed("user_id", .userID), .needed("public_key", .publicKey), .needed("device_list", .anyObject),
            .needed(
                "bundles",
                .list(
                    .object([
                        .needed("device", .deviceID), .needed("signed_pre_key", .anyObject),
                        .needed("one_time_pre_key", .nullable(.named("OneTimeKey"))),
                        .optional("kem_pre_key", .anyObject),
                    ]))),
        ]),
        "Channel": .object([
            .needed("id", .channel), .optional("name", .anyText(0...200)),
            .optional("description", .anyText(0...4_000)),
            .optional("member_count", .integer(0...JSONValue.integerMax)), .optional("last_activity", .time),
        ]),
        "HeldMessage": .object([
            .needed("hash", .base64), .needed("message_id", .messageID), .needed("author", .userID),
            .needed("device", .deviceID), .needed("timestamp", .time), .needed("received_at", .time),
            .needed("size", .integer(1...JSONValue.integerMax)), .needed("left", .integer(0...JSONValue.integerMax)),
            .needed("message", .anyObject),
        ]),
        "History": .object([
            .needed("messages", .list(.anyObject)), .needed("has_more", .boolean),
            .needed("next_cursor", .nullable(.messageID)),
        ]),
        "NewMessage": .object([.needed("message", .anyObject)]),
        "Sent": .object([
            .needed("message_id", .messageID), .needed("timestamp", .time), .needed("repeated", .boolean),
        ]),
        "Waiting": .object([
            .needed(
                "items",
                .list(
                    .object([
                        .needed("arrival", .integer(0...JSONValue.integerMax)), .optional("message", .anyObject),
                        .optional("object", .anyObject),
                    ]), most: 128)),
            .needed("has_more", .boolean),
        ]),
    ]
}

extension APIShape {
    static let sessionName = text(
        APIText(
            pattern: "^[a-z2-7]{26}$", note: "name of a session",
            accepts: { $0.utf8.count == 26 && Base32.decode($0) != nil }))
}
