import GodwitProtocol
import HTTPTypes

/// Every operation of the REST interface. What is not here is reached by `POST /commands/{name}`.
enum APITable {
    static let routes: [APIRoute] = documents + login + secondFactor + users + devices + channels + waiting + mirror

    private static let documents = [
        APIRoute(
            method: .get, template: "/node", command: APICommand.descriptor,
            summary: "The node's signed descriptor.", answer: .anyObject, access: .anybody, freshness: .validated),
        APIRoute(
            method: .get, template: "/openapi.json", command: APICommand.document,
            summary: "This document.", answer: .anyObject, access: .anybody, freshness: .validated),
    ]

    // MARK: Login

    private static let login = [
        APIRoute(
            method: .post, template: "/auth/challenge", command: "auth_challenge_request",
            summary: "Asks for a challenge; it is good once, for five minutes.",
            body: .object([
                .needed("user_id", .userID), .optional("client_info", .named("ClientInfo")),
            ]),
            answer: .named("Challenge"), access: .anybody, freshness: .secret),
        APIRoute(
            method: .post, template: "/auth/session", command: "auth_proof",
            summary: "Opens a session by the signed challenge (purpose auth).",
            body: .object([
                .needed("user_id", .userID), .needed("challenge", .base64), .needed("signature", .signature),
                .needed("public_key", .publicKey), .optional("device", .deviceID),
                .optional("one_time_password", .otp),
            ]),
            answer: .named("Opened"), status: 201, access: .anybody, freshness: .secret,
            failures: [.invalidCredentials, .accountSuspended]),
        APIRoute(
            method: .post, template: "/auth/register", command: "auth_register",
            summary: "Registers an identity with its home node, and opens a session.",
            body: .object([
                .needed("identity_file", .anyObject), .needed("challenge", .base64),
                .needed("signature", .signature), .optional("invite", .anyText(1...128)),
                .optional("device", .deviceID), .optional("one_time_password", .otp),
            ]),
            answer: .named("Opened"), status: 201, access: .anybody, freshness: .secret,
            failures: [.invalidCredentials, .insufficientPermissions], bodyMax: APILimits.identityMax),
        APIRoute(
            method: .post, template: "/auth/refresh", command: "auth_refresh",
            summary: "A new token for one of at most four hours; the old one ends.",
            body: .object([.needed("session_token", .token)]),
            answer: .named("Opened"), access: .anybody, freshness: .secret,
            failures: [.invalidCredentials, .sessionExpired]),
        APIRoute(
            method: .get, template: "/auth/sessions", command: "list_sessions", summary: "One's open sessions.",
            answer: .object([.needed("sessions", .list(.named("Session")))]), freshness: .validated),
        APIRoute(
            method: .delete, template: "/auth/session", command: "end_session", summary: "Ends this session."),
        APIRoute(
            method: .delete, template: "/auth/sessions", command: "end_sessions",
            summary: "Ends all of one's sessions, this one too.",
            answer: .object([.needed("ended", .integer(0...JSONValue.integerMax))])),
        APIRoute(
            method: .delete, template: "/auth/sessions/{session}", command: "end_session",
            summary: "Ends one of one's sessions.",
            parameters: [.path("session", as: "session", .sessionName, "Name of a session.")]),
    ]

    private static let password = APIMember.needed("one_time_password", .otp)

    private static let secondFactor = [
        APIRoute(
            method: .get, template: "/auth/second-factor", command: "second_factor",
            summary: "Whether logins need a one-time password.",
            answer: .object([.needed("required", .boolean)])),
        APIRoute(
            method: .post, template: "/auth/second-factor", command: "enrol_second_factor",
            summary: "A new secret, shown once; it counts once it is confirmed.",
            body: .object([
                .optional("kind", .choice("totp", "hotp")), .optional("algorithm", .choice("SHA1", "SHA256")),
                .optional("digits", .integer(6...8)), .optional("one_time_password", .otp),
            ]),
            answer: .object([.needed("secret", .anyText(32...64)), .needed("uri", .anyText(1...1_000))]),
            freshness: .secret, failures: [.invalidCredentials]),
        APIRoute(
            method: .post, template: "/auth/second-factor/confirmation", command: "confirm_second_factor",
            summary: "From now on logins need a password of it.", body: .object([password]),
            answer: .object([.needed("recovery_codes", .list(.anyText(19...19), most: 10))]), freshness: .secret,
            failures: [.invalidCredentials]),
        APIRoute(
            method: .post, template: "/auth/second-factor/removal", command: "remove_second_factor",
            summary: "Logins need no password any more.", body: .object([.optional("one_time_password", .otp)]),
            failures: [.invalidCredentials]),
    ]

    // MARK: Users and devices

    private static let user = APIParameter.path("user_id", as: "user_id", .userID, "Whom it is about.")

    private static let users = [
        APIRoute(
            method: .get, template: "/users/{user_id}", command: "get_user",
            summary: "What a user shows (REST-03); of a user of another node, once that one has told.",
            parameters: [user], answer: .named("User"), freshness: .validated,
            failures: [.insufficientPermissions, .userNotFound]),
        APIRoute(
            method: .put, template: "/users/{user_id}", command: "update_identity",
            summary: "Replaces one's own identity file.", parameters: [user],
            body: .object([.needed("identity_file", .anyObject)]), answer: .anyObject,
            failures: [.insufficientPermissions, .userNotFound], bodyMax: APILimits.identityMax),
        APIRoute(
            method: .put, template: "/users/{user_id}/move", command: "move_user",
            summary: "Tells that one has moved to another home node (G-34).", parameters: [user],
            body: .object([.needed("record", .anyObject)]), answer: .anyObject,
            failures: [.invalidCredentials, .insufficientPermissions, .userNotFound]),
        APIRoute(
            method: .get, template: "/users/{user_id}/devices", command: "get_devices",
            summary: "A user's signed device list.", parameters: [user], answer: .named("DeviceListAnswer"),
            freshness: .validated, failures: [.userNotFound]),
        APIRoute(
            method: .get, template: "/users/{user_id}/keys", command: "get_keys",
            summary: "What a session with each device of a user begins with, without one-time pre-keys.",
            parameters: [user], answer: .named("KeyBundles"), freshness: .validated, failures: [.userNotFound]),
        APIRoute(
            method: .post, template: "/users/{user_id}/keys", command: "claim_keys",
            summary: "The same with a one-time pre-key of each device, which is given to nobody else.",
            parameters: [user], answer: .named("KeyBundles"), failures: [.userNotFound]),
    ]

    private static let devices = [
        APIRoute(
            method: .get, template: "/devices", command: "list_devices",
            summary: "One's own devices, with the one-time pre-keys that each has left.",
            answer: .named("OwnDevices"), freshness: .validated, failures: [.userNotFound]),
        APIRoute(
            method: .put, template: "/devices", command: "update_devices",
            summary: "Replaces one's device list by one of a higher version; who is missing from it is revoked.",
            body: .object([.needed("device_list", .anyObject)]),
            answer: .object([.needed("version", .integer(1...JSONValue.integerMax))]),
            failures: [.invalidCredentials, .insufficientPermissions]),
        APIRoute(
            method: .post, template: "/devices/keys", command: "publish_keys",
            summary: "Publishes keys of the session's device, or refills its one-time pre-keys.",
            body: .object([
                .needed("device_list", .anyObject), .needed("signed_pre_key", .anyObject),
                .needed("one_time_pre_keys", .list(.named("OneTimeKey"), most: 1_000)),
                .optional("kem_pre_key", .anyObject),
            ]),
            answer: .object([.needed("one_time_pre_keys", .integer(0...200))]),
            failures: [.insufficientPermissions, .userNotFound]),
    ]

    // MARK: Conversations

    private static let conversation = APIParameter.path(
        "channel_id", as: "channel", .address,
        "A channel, or @ and a user id. The # may be missing; ~ and base64url of the whole is read too.")
    private static let channel = APIParameter.path("channel_id", as: "channel", .channel, "A channel; see messages.")
    private static let node = APIParameter.query("channel_node", .nodeID, "The channel's node, if another than this.")

    private static let channels = [
        APIRoute(
            method: .get, template: "/channels", command: "list_channels", summary: "Channels (REST-04).",
            parameters: [
                .query("limit", .integer(1...100), "At most so many; 50 without it."),
                .query("after", .anyText(1...128), "`next` of the page before."),
            ],
            answer: .object([
                .needed("channels", .list(.named("Channel"))), .optional("next", .anyText(1...128)),
            ]), freshness: .validated),
        APIRoute(
            method: .post, template: "/channels", command: "create_channel",
            summary: "Creates a channel by the signed command of section 7.",
            body: .object([.needed("channel", .channel), .needed("command", .anyObject)]),
            failures: [.insufficientPermissions, .userNotFound]),
        APIRoute(
            method: .post, template: "/channels/{channel_id}/members", command: "join_channel",
            summary: "Joins a channel by the signed command of section 7.", parameters: [channel],
            body: .object([.needed("command", .anyObject)]),
            failures: [.insufficientPermissions, .channelNotFound, .userNotFound, .nodeUnreachable]),
        APIRoute(
            method: .get, template: "/channels/{channel_id}/held", command: "list_held",
            summary: "Messages of banned authors that wait for a moderator, the earliest first.",
            parameters: [
                channel, node, .query("limit", .integer(1...100), "At most so many; 50 without it."),
                .query("after", .anyText(1...20), "`next` of the page before."),
            ],
            answer: .object([
                .needed("messages", .list(.named("HeldMessage"), most: 100)), .optional("next", .anyText(1...20)),
            ]), freshness: .validated,
            failures: [.insufficientPermissions, .channelNotFound, .nodeUnreachable]),
        APIRoute(
            method: .post, template: "/channels/{channel_id}/held/release", command: "release_held",
            summary: "Lets held messages through, by the signed command of section 7.", parameters: [channel],
            body: .object([.needed("command", .anyObject)]),
            failures: [.insufficientPermissions, .channelNotFound, .userNotFound, .nodeUnreachable]),
        APIRoute(
            method: .post, template: "/channels/{channel_id}/held/discard", command: "discard_held",
            summary: "Refuses held messages to their authors, by the signed command of section 7.",
            parameters: [channel], body: .object([.needed("command", .anyObject)]),
            failures: [.insufficientPermissions, .channelNotFound, .userNotFound, .nodeUnreachable]),
        APIRoute(
            method: .get, template: "/channels/{channel_id}/messages", command: "history",
            summary: "Messages, the latest first (REST-05, REST-06).",
            parameters: [
                conversation, node, .query("limit", .integer(1...200), "At most so many; 50 without it."),
                .query("before", .messageID, "Only what arrived before this message."),
                .query("after", .messageID, "Only what arrived after this message."),
            ],
            answer: .named("History"), freshness: .validated,
            failures: [.insufficientPermissions, .channelNotFound, .userNotFound]),
        APIRoute(
            method: .post, template: "/channels/{channel_id}/messages", command: "send_message",
            summary: "Sends a sealed message (REST-07, REST-08).", parameters: [conversation],
            body: .named("NewMessage"),
            answer: .named("Sent"), status: 201,
            failures: [
                .invalidCredentials, .insufficientPermissions, .channelNotFound, .userNotFound, .nodeUnreachable,
                .bandwidthExceeded,
            ]),
    ]

    // MARK: What waits

    private static let waiting = [
        APIRoute(
            method: .get, template: "/sync", command: "waiting",
            summary: "What waits for the session's device, in order of arrival.",
            parameters: [
                .query("after", .integer(0...JSONValue.integerMax), "Only what has a greater arrival number."),
                .query("limit", .integer(1...128), "At most so many; 128 without it."),
            ],
            answer: .named("Waiting"), failures: [.insufficientPermissions]),
        APIRoute(
            method: .post, template: "/sync/received", command: "received",
            summary: "What has arrived up to this number is kept, and need not come again.",
            body: .object([.needed("upto", .integer(0...JSONValue.integerMax))]),
            failures: [.insufficientPermissions]),
    ]

    private static let mirror = [
        APIRoute(
            method: .post, template: "/commands/{name}", command: APICommand.named,
            summary: "Carries out any command of section 9.3; the body is its data, the answer that of its ack.",
            parameters: [
                .path(
                    "name", as: APICommand.named,
                    .text(APIText(pattern: "^[a-z_]{1,64}$", note: "name of a command", accepts: APICommand.isName)),
                    "A command.")
            ],
            body: .anyObject, answer: .anyObject,
            failures: ErrorCode.allCases.filter { $0.number < 4_000 })
    ]
}

/// What stands in a route's `command` besides commands.
enum APICommand {
    static let descriptor = "descriptor"
    static let document = "document"
    /// The command stands in the path.
    static let named = "command name"

    static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_") }
    }
}
