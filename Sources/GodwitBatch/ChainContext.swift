public import GodwitProtocol
import SwiftProtobuf

/// What both ends of a hop know of a chain after a frame in which it stood: a later frame can go on from there without
/// saying again whose chain it is, where it leads, which key is in use and what came before (D-5, D-7).
struct ChainContext: Hashable, Sendable {
    var device: MessageRow.Device
    var conversation: MessageRow.Conversation
    var form: MessageRow.Form
    var key: MessageRow.Key
    /// 4 bytes.
    var salt: [UInt8]
    /// The one that the device's next message under this key is expected to have.
    var position: UInt64
    /// Of the chain's last message.
    var sequence: Int64
    var hash: MessageHash
}

/// The contexts of one frame's chains, in the order of its chain table (docs/protocol.md §8.1).
public struct FrameContexts: Hashable, Sendable {
    /// More than so many bytes of them are kept by neither end.
    public static let bytesMax = 65_536

    var chains: [ChainContext]

    init(_ chains: [ChainContext]) { self.chains = chains }

    /// As they are stored; nil if there are none or more than are kept.
    public var bytes: [UInt8]? {
        guard !chains.isEmpty else { return nil }
        let wire = WireContexts.with { $0.contexts = chains.map(\.wire) }
        guard let bytes: [UInt8] = try? wire.serializedBytes(), bytes.count <= Self.bytesMax else { return nil }
        return bytes
    }

    /// - Throws: `ProtocolError` 9000 for bytes that are not of `bytes`: the store is damaged.
    public init(parsing bytes: [UInt8]) throws(ProtocolError) {
        guard let wire = try? WireContexts(serializedBytes: bytes) else { throw Self.damaged }
        chains = []
        for context in wire.contexts { chains.append(try ChainContext(context)) }
    }

    static let damaged = ProtocolError(
        .internalError, "What was kept of a frame's chains is damaged.",
        hint: "`godwit spool verify` checks the store.")
}

extension ChainContext {
    fileprivate var wire: WireContext {
        .with {
            $0.author = device.author
            $0.device = WireBytes.make(device.id)
            $0.conversation = .with {
                $0.name = conversation.name
                $0.node = conversation.node
            }
            $0.form = .with {
                $0.type = form.type
                $0.metadata = form.metadata.canonicalText
                $0.lifetime = form.lifetime.map { UInt64(bitPattern: $0 &+ 1) } ?? 0
            }
            $0.epoch = WireBytes.make(key.epoch)
            $0.keyID = WireBytes.make(key.keyID)
            $0.header = WireBytes.make(key.header)
            $0.salt = WireBytes.make(salt)
            $0.position = position
            $0.sequence = sequence
            $0.hash = WireBytes.make(hash.bytes)
        }
    }

    fileprivate init(_ wire: WireContext) throws(ProtocolError) {
        guard
            let metadata = try? JSONObject.parse(
                Array(wire.form.metadata.utf8), limits: JSONLimits(bytes: FrameLimits.messageMax)),
            let hash = MessageHash(WireBytes.array(wire.hash)), wire.salt.count == 4, wire.device.count == 5
        else { throw FrameContexts.damaged }
        device = .init(author: wire.author, id: WireBytes.array(wire.device))
        conversation = .init(name: wire.conversation.name, node: wire.conversation.node)
        form = .init(
            type: wire.form.type, metadata: metadata,
            lifetime: wire.form.lifetime == 0 ? nil : Int64(bitPattern: wire.form.lifetime &- 1))
        key = .init(
            epoch: WireBytes.array(wire.epoch), keyID: WireBytes.array(wire.keyID), header: WireBytes.array(wire.header)
        )
        salt = WireBytes.array(wire.salt)
        position = wire.position
        sequence = wire.sequence
        self.hash = hash
    }
}
