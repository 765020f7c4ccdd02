import GodwitBatch
import GodwitContact
import GodwitCrypto
import GodwitProtocol
import GodwitSpool
import Synchronization

@testable import GodwitNode

/// The ways on which a signed command or a message comes to a node. A further one is a further case here.
enum Way: CaseIterable {
    /// Over a live socket.
    case socket
    /// By a single request, as the REST interface passes it on.
    case request
    /// In a frame of a batch.
    case batch
}

/// One user at a node, who can ask for something on every way.
final class Asker: Sendable {
    let person: Person
    let node: TestNode
    private let frames = Mutex<UInt64>(0)
    private let socket: Mutex<(client: TestClient, expires: Timestamp)>

    var client: TestClient { socket.withLock { $0.client } }

    init(_ enrolled: (person: Person, client: TestClient), at node: TestNode) {
        person = enrolled.person
        self.node = node
        // Sessions last for eight hours.
        socket = Mutex((enrolled.client, node.time.now().adding(milliseconds: 28_000_000)))
    }

    /// Logs in again where so much time has passed that the session is over.
    func stayOnline() async throws {
        guard socket.withLock({ $0.expires }) <= node.time.now() else { return }
        let client = await TestClient(node)
        let success = try await client.prove(person, at: node)
        socket.withLock { $0 = (client, success.expires) }
    }

    /// - Returns: the code of the refusal; nil where it was done.
    func ask(_ command: JSONObject, over way: Way) async throws -> ErrorCode? {
        let isDeletion = command["type"]?.string == "deletion"
        let name = isDeletion ? "delete_messages" : command["command"]?.string ?? ""
        let data: JSONObject = [isDeletion ? "deletion" : "command": .object(command)]
        return try await give(name, data, object: command, over: way)
    }

    /// - Parameter object: what goes in a batch instead of the command.
    func give(_ name: String, _ data: JSONObject, object: JSONObject, over way: Way) async throws -> ErrorCode? {
        switch way {
        case .socket:
            try await stayOnline()
            return try await code { try await self.client.command(name, data) }
        case .request: return try await request(name, data)
        case .batch:
            try await deliver(.object, object)
            return try await refusal(of: SHA256Digest.of(object.canonicalBytes()))
        }
    }

    func send(_ message: JSONObject, over way: Way) async throws -> ErrorCode? {
        switch way {
        case .socket:
            try await stayOnline()
            return try await code { _ = try await self.client.send(message) }
        case .request: return try await request("send_message", ["message": .object(message)])
        case .batch:
            try await deliver(.message, message)
            return try await refusal(of: Message(message).hash.bytes)
        }
    }

    private func request(_ name: String, _ data: JSONObject) async throws -> ErrorCode? {
        let session = try await node.node.session(for: TestClient(node).prove(person, at: node).token)
        return try await code { _ = try await self.node.node.carryOut(name, data, in: session) }
    }

    private func code(_ body: () async throws -> Void) async throws -> ErrorCode? {
        do {
            try await body()
            return nil
        } catch let error as ProtocolError { return error.code }
    }

    private func deliver(_ kind: BatchItem.Kind, _ object: JSONObject) async throws {
        let number = frames.withLock { number in
            number += 1
            return number
        }
        let item = BatchItem(
            kind: kind, body: object.canonicalBytes(), created: TestTime.start,
            priority: kind == .message ? .channelText : .control)
        let frame = try SealedFrame(
            sealing: FrameCodec.encode(Frame(items: [item])),
            over: Hop(sender: person.party, receiver: .node(node.id)), senderKey: person.noiseKey,
            receiverKey: node.node.home.noiseKey.publicKey, incarnation: 7, number: number)
        try await node.node.exchange.openExchange().receive(frame.bytes)
    }

    private func refusal(of item: [UInt8]) async throws -> ErrorCode? {
        try await node.queue(for: person.party).first {
            $0["type"]?.string == "refusal" && $0["item"]?.string == Base64.encode(item)
        }.flatMap { ProtocolError(object: $0)?.code }
    }

    // MARK: Commands

    func order(_ name: String, _ channel: String, _ data: JSONObject = [:], at other: NodeID? = nil) -> JSONObject {
        person.command(
            name,
            data.setting("channel", .string(channel)).setting("channel_node", .string((other ?? node.id).text)))
    }

    func create(_ channel: String, _ data: JSONObject = [:], at other: NodeID? = nil) -> JSONObject {
        order("create_channel", channel, data.setting("pre_key", .object(person.signedPreKey())), at: other)
    }

    func join(_ channel: String, _ invite: JSONObject? = nil, at other: NodeID? = nil) -> JSONObject {
        var data: JSONObject = ["pre_key": .object(person.signedPreKey())]
        if let invite { data["invite"] = .object(invite) }
        return order("join_channel", channel, data, at: other)
    }

    /// Carries out over the socket; fails the test where it is refused.
    func must(_ command: JSONObject) async throws {
        if let code = try await ask(command, over: .socket) {
            throw NeverHappened(what: "the command, refused \(code)")
        }
    }

    func about(_ other: Asker, _ more: JSONObject = [:]) -> JSONObject {
        more.setting("user_id", .string(other.person.id.text))
    }

    /// An invite that this user's device has signed, as a second implementation makes it.
    func invite(
        to channel: String, expires: Int64 = 3_600_000, uses: Int64? = nil, id: UInt8 = 1, key: SigningKey? = nil,
        at other: NodeID? = nil
    ) -> JSONObject {
        var object: JSONObject = [
            "type": "invite", "channel": .string(channel), "channel_node": .string((other ?? node.id).text),
            "id": .string(Base32.encode([UInt8](repeating: id, count: 16))),
            "expires": .string(node.time.now().adding(milliseconds: expires).description),
            "inviter": .string(person.id.text), "device": .string(person.device.text),
        ]
        if let uses { object["uses"] = .integer(uses) }
        return (key ?? person.deviceKey).signed(object, purpose: .invite)
    }
}

extension TestNode {
    func asker(_ name: String) async throws -> Asker { Asker(try await enrol(name), at: self) }

    /// Everything that a command about channels can change.
    func channelState() async throws -> [String] {
        try await node.core.read { transaction in
            var lines: [String] = []
            for table in [
                "node_channel", "node_member", "node_role", "node_ban", "node_epoch", "node_invited", "node_invite",
                "node_invite_revoked", "node_order",
            ] {
                for row in try transaction.rows("SELECT * FROM \(table)") {
                    lines.append(
                        table + " " + row.map { "\($0)=\($1)" }.filter { !$0.hasPrefix("last_activity") }.joined())
                }
            }
            return lines
        }
    }

    /// Passes time and does what is due, as the running node does twice a minute.
    func pass(_ milliseconds: Int64) async throws {
        time.advance(milliseconds: milliseconds)
        try await node.expire(elapsed: milliseconds)
    }

    /// A member's effective role as `channel_info` tells it.
    func role(of user: Asker, in channel: String, seenBy reader: Asker) async throws -> String? {
        let info = try await reader.client.command("channel_info", ["channel": .string(channel)])
        return info["members"]?.array?.compactMap(\.object)
            .first { $0["user_id"]?.string == user.person.id.text }?["role"]?.string
    }
}

/// A channel `#room` with one member of each role, and a plain member to act on.
struct Room {
    let node: TestNode
    var people: [Role: Asker] = [:]
    let target: Asker
    let stranger: Asker

    init(_ node: TestNode, visibility: String = "public", channel: String = "#room") async throws {
        self.node = node
        for role in Role.allCases { people[role] = try await node.asker("\(role.rawValue)-one") }
        target = try await node.asker("target")
        stranger = try await node.asker("stranger")
        try await enter(channel, visibility: visibility)
    }

    subscript(role: Role) -> Asker { people[role] ?? target }

    /// Makes a channel in which everybody has the own role.
    func enter(_ channel: String, visibility: String = "public") async throws {
        let owner = self[.owner]
        try await owner.must(owner.create(channel))
        for someone in Role.allCases.filter({ $0 != .owner }).map({ self[$0] }) + [target] {
            try await someone.must(someone.join(channel))
        }
        for role in [Role.admin, .moderator, .restricted] {
            let data = owner.about(self[role], ["role": .string(role.rawValue)])
            try await owner.must(owner.order("set_role", channel, data))
        }
        guard visibility != "public" else { return }
        try await owner.must(owner.order("set_channel", channel, ["visibility": .string(visibility)]))
    }
}
