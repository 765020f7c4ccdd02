import GodwitProtocol

/// An entry of a message's `recipients`, taken apart into what its columns carry (docs/protocol.md §8.1).
struct WrapRow: Hashable, Sendable {
    /// What stays the same from message to message: the device, the session with it, and the sending chain.
    struct Key: Hashable, Sendable {
        /// A device of the author; else of the reader.
        var isAuthors: Bool
        /// 5 bytes, the decoded device id.
        var device: [UInt8]
        /// 10 bytes, the decoded session id.
        var session: [UInt8]
        var header: [UInt8]
    }

    static let deviceCount = 5
    /// Bytes of device and session.
    static let namesCount = 15

    var key: Key
    /// The last 8 bytes of the nonce; the first 4 are those of the message's.
    var position: UInt64
    var wrapped: [UInt8]

    /// Nil unless all entries come back as they are.
    static func take(_ message: Message) -> [WrapRow]? {
        guard !message.wraps.isEmpty, BodyWrap.list(message.wraps) == message.object["recipients"] else { return nil }
        var rows: [WrapRow] = []
        for wrap in message.wraps {
            guard let device = Base32.decode(wrap.device.text), device.count == deviceCount,
                let session = Base32.decode(wrap.session), session.count == namesCount - deviceCount,
                wrap.nonce.prefix(4) == message.encryption.nonce.prefix(4)
            else { return nil }
            // Where a user writes to the own other devices, the reader is the author.
            let isReaders = if case .direct(let reader) = message.address { wrap.user == reader.user } else { false }
            rows.append(
                WrapRow(
                    key: Key(isAuthors: !isReaders, device: device, session: session, header: wrap.header),
                    position: wrap.nonce.dropFirst(4).reduce(0) { $0 << 8 | UInt64($1) }, wrapped: wrap.wrapped))
        }
        return rows
    }

    /// - Parameter salt: of the message's nonce.
    func object(user: String, salt: [UInt8]) -> JSONObject {
        let nonce = salt + (0..<8).map { UInt8(truncatingIfNeeded: position >> (56 - 8 * $0)) }
        return [
            "user_id": .string(user), "device": .string(Base32.encode(key.device)),
            "session": .string(Base32.encode(key.session)), "header": .string(Base64.encode(key.header)),
            "nonce": .string(Base64.encode(nonce)), "wrapped": .string(Base64.encode(wrapped)),
        ]
    }
}

/// What both ends know of wraps while they walk the messages of a frame.
struct WrapState {
    var keys = Table<WrapRow.Key>()
    /// The entries that a chain's last message with wraps used, in their order.
    var last: [Int: [Int]] = [:]
    private var positions: [Int: UInt64] = [:]

    /// Entry that code 0 stands for.
    func usual(_ place: Int, in chain: Int) -> Int? {
        guard let used = last[chain], place < used.count else { return nil }
        return used[place]
    }

    func expectedPosition(_ entry: Int) -> UInt64 { positions[entry] ?? 0 }

    mutating func walked(_ wrap: WrapRow, entry: Int) { positions[entry] = wrap.position &+ 1 }
}
