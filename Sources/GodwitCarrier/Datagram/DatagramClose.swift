import GodwitBatch
import GodwitProtocol

/// The datagram that ends an exchange before its time: the sender's error, or number 0 where it wants no more.
struct DatagramClose: Sendable, Hashable {
    /// Bytes of one with an error and no text.
    static let sizeMin = 8
    /// To a caller whose exchange is not known here, or no more.
    static let unknown = ProtocolError(
        .nodeUnreachable, "The node does not know the exchange.", hint: "It is retried; records handed over stay valid."
    )
    /// Bytes of message and hint each; more is cut off.
    static let textMax = 200

    var id: UInt32
    var isFromAnswerer: Bool
    /// nil: no error, only no longer wanted.
    var error: ProtocolError?

    init(id: UInt32, isFromAnswerer: Bool, error: ProtocolError? = nil) {
        self.id = id
        self.isFromAnswerer = isFromAnswerer
        self.error = error
    }

    /// - Parameter limit: bytes of a datagram, at least `sizeMin`; the texts are cut to it.
    func encoded(limit: Int) -> [UInt8] {
        var bytes = [Datagram.Bits.close | (isFromAnswerer ? Datagram.Bits.answerer : 0)] + Datagram.bytes(id)
        guard let error else { return bytes }
        bytes += [UInt8(error.code.number >> 8), UInt8(error.code.number & 0xFF)]
        let room = max(min(limit, 5 + 2 + 2 + 2 * Self.textMax) - bytes.count - 2, 0)
        let message = Self.cut(error.message, to: min(room, Self.textMax))
        bytes += Varint.bytes(UInt64(message.count)) + message
        return bytes + Self.cut(error.hint ?? "", to: min(room - message.count, Self.textMax))
    }

    init?(_ bytes: some Sequence<UInt8>) {
        var reader = DatagramReader(bytes)
        guard let type = reader.byte(), type & ~Datagram.Bits.answerer == Datagram.Bits.close,
            let id = reader.identifier()
        else { return nil }
        self.init(id: id, isFromAnswerer: type & Datagram.Bits.answerer != 0)
        if reader.isAtEnd { return }
        guard let number = reader.take(2), let length = reader.value(in: 0...Self.textMax),
            let message = reader.take(length), let hint = reader.take(reader.left), hint.count <= Self.textMax
        else { return nil }
        error = ProtocolError(
            ErrorCode(rawValue: Int(number[0]) << 8 | Int(number[1])) ?? .internalError,
            message.isEmpty ? "The peer ended the exchange." : Self.text(message),
            hint: hint.isEmpty ? nil : Self.text(hint))
    }

    private static func cut(_ text: String, to limit: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            let next = Array(String(scalar).utf8)
            guard bytes.count + next.count <= limit else { break }
            bytes += next
        }
        return bytes
    }

    /// What a stranger wrote, without what would steer a terminal.
    private static func text(_ bytes: [UInt8]) -> String {
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars
        return String(String.UnicodeScalarView(scalars.filter { $0.properties.generalCategory != .control }))
    }
}
