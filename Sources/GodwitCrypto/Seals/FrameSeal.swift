public import GodwitProtocol

/// One direction of a hop: who sends to whom.
public struct Hop: Hashable, Sendable {
    public var sender: Party
    public var receiver: Party

    public init(sender: Party, receiver: Party) {
        self.sender = sender
        self.receiver = receiver
    }
}

/// What stands in clear before the seal of a frame.
public struct FrameHeader: Hashable, Sendable {
    /// Version and kind, the first byte of every sealed frame.
    public static let kind: UInt8 = 1

    public var hint: FrameHint
    /// Incarnation of the sender's store.
    public var incarnation: UInt32
    /// Number within the incarnation; 0 for a loose frame.
    public var number: UInt64

    public init(hint: FrameHint, incarnation: UInt32, number: UInt64) {
        self.hint = hint
        self.incarnation = incarnation
        self.number = number
    }

    /// Reads the header of a sealed frame of which the beginning is there, or more.
    ///
    /// - Throws: `malformed` for another kind, a varint that is not in shortest form, or too few bytes.
    public init(beginning bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        guard try reader.byte() == Self.kind else { throw .malformed }
        try self.init(from: &reader)
    }

    /// What stands after the kind.
    init(from reader: inout ByteReader) throws(CryptoError) {
        self.init(
            hint: try FrameHint(try reader.take(FrameHint.count)), incarnation: try reader.integer(),
            number: try reader.varint())
    }

    /// 10 to 19 bytes.
    public var bytes: [UInt8] { bytes(kind: Self.kind) }

    func bytes(kind: UInt8) -> [UInt8] {
        var writer = ByteWriter([kind])
        writer.append(hint.bytes)
        writer.append(bigEndian: incarnation)
        writer.append(varint: number)
        return writer.bytes
    }

    func prologue(_ hop: Hop) -> [UInt8] {
        var writer = ByteWriter(Array("DCP1:frame".utf8) + [0, Self.kind])
        writer.append(lengthPrefixed: hop.sender.text)
        writer.append(lengthPrefixed: hop.receiver.text)
        writer.append(hint.bytes)
        writer.append(bigEndian: incarnation)
        writer.append(bigEndian: number)
        return writer.bytes
    }
}

/// A frame as it goes over a hop: header and Noise message (docs/protocol.md, section 4.5; D-15).
public struct SealedFrame: Hashable, Sendable {
    /// Longest payload of a sealed frame, in bytes.
    public static let payloadMax = 65_471

    public let header: FrameHeader
    private let message: [UInt8]

    /// Seals `payload`. The same number must not be given to two payloads.
    ///
    /// - Throws: `tooLarge` beyond `payloadMax`; `invalidKey` for a receiver's key of small order.
    public init(
        sealing payload: [UInt8], over hop: Hop, senderKey: AgreementKey, receiverKey: AgreementPublicKey,
        incarnation: UInt32, number: UInt64, from random: some RandomSource = SystemRandom()
    ) throws(CryptoError) {
        try self.init(
            sealing: payload, over: hop, senderKey: senderKey, receiverKey: receiverKey, incarnation: incarnation,
            number: number, ephemeral: .generate(from: random))
    }

    /// Seals `payload` with a given ephemeral key, so that sealing the same again gives the same bytes.
    ///
    /// - Parameter ephemeral: never one that has sealed another payload, number, incarnation or hop.
    /// - Throws: as without it.
    public init(
        sealing payload: [UInt8], over hop: Hop, senderKey: AgreementKey, receiverKey: AgreementPublicKey,
        incarnation: UInt32, number: UInt64, ephemeral: AgreementKey
    ) throws(CryptoError) {
        guard payload.count <= Self.payloadMax else { throw .tooLarge }
        header = FrameHeader(
            hint: FrameHint(sender: senderKey.publicKey, receiver: receiverKey), incarnation: incarnation,
            number: number)
        message = try NoiseK.seal(
            payload, sender: senderKey, receiver: receiverKey, prologue: header.prologue(hop),
            ephemeral: ephemeral)
    }

    /// Takes a received frame apart, without any key.
    ///
    /// - Throws: `malformed` for another kind, a varint that is not in shortest form, or too few bytes; `tooLarge`.
    public init(_ bytes: [UInt8]) throws(CryptoError) {
        var reader = ByteReader(bytes)
        guard try reader.byte() == FrameHeader.kind else { throw .malformed }
        header = try FrameHeader(from: &reader)
        message = reader.rest
        guard message.count >= NoiseK.overhead else { throw .malformed }
        guard message.count <= Self.payloadMax + NoiseK.overhead else { throw .tooLarge }
    }

    public var bytes: [UInt8] { header.bytes + message }

    /// Opens the frame with the keys that `header.hint` pointed to.
    ///
    /// - Throws: `authenticationFailed` when keys or parties are others, or a byte was changed; `invalidKey`.
    public func open(
        over hop: Hop, receiverKey: AgreementKey, senderKey: AgreementPublicKey
    ) throws(CryptoError) -> [UInt8] {
        try NoiseK.open(message, receiver: receiverKey, sender: senderKey, prologue: header.prologue(hop))
    }
}
