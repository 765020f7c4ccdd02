public import GodwitProtocol

/// Coding of whole clear contents (docs/protocol.md, "Compact form"): the text last, and what stands before it.
extension PhraseModel {
    /// What comes before a text, as decisions with fixed probabilities.
    private enum Shape {
        /// Something stands before the text, or there is none.
        static let isOther: UInt16 = 5_000
        /// `1a 0a` and ten bytes: the text answers a message.
        static let isReply: UInt16 = 49_152
        /// The content does not end with a text.
        static let isOpaque: UInt16 = 32_768
        static let even: UInt16 = 32_768
        /// Bytes that may stand before a text; longer ones are coded with the text, as if they were one.
        static let headMax = 255
    }

    private static let textTag: UInt8 = 0x7A
    private static let reply: [UInt8] = [0x1A, 0x0A]

    /// Codes the compact form of a content.
    ///
    /// - Parameters: as `pack`.
    /// - Returns: as `pack`.
    public func packContent(_ content: [UInt8], quoting: [UInt8]? = nil, first: ClosedRange<UInt8> = 0...255)
        -> [UInt8]?
    {
        guard content.count <= Self.textMax else { return nil }
        var decisions: [(bit: Bool, probability: UInt16)] = []
        func append(_ bytes: some Sequence<UInt8>) {
            for byte in bytes {
                for shift in stride(from: 7, through: 0, by: -1) {
                    decisions.append((byte >> UInt8(shift) & 1 == 1, Shape.even))
                }
            }
        }
        guard let start = Self.textStart(content) else {
            decisions = [(true, Shape.isOther), (false, Shape.isReply), (true, Shape.isOpaque)]
            return withCoder { $0.encode(content, quoting: quoting ?? [], head: decisions, first: first) }
        }
        let head = content[..<start.tag]
        if head.isEmpty {
            decisions = [(false, Shape.isOther)]
        } else if head.count == 12, head.starts(with: Self.reply) {
            decisions = [(true, Shape.isOther), (true, Shape.isReply)]
            append(head.dropFirst(2))
        } else {
            decisions = [(true, Shape.isOther), (false, Shape.isReply), (false, Shape.isOpaque)]
            append([UInt8(head.count)])
            append(head)
        }
        let known = (quoting ?? []) + head
        return withCoder { $0.encode(content[start.text...], quoting: known, head: decisions, first: first) }
    }

    /// The inverse of `packContent`.
    ///
    /// - Parameter limit: bytes of content.
    /// - Throws: as `unpack`.
    public func unpackContent(
        _ packed: [UInt8], quoting: [UInt8]? = nil, first: ClosedRange<UInt8> = 0...255,
        limit: Int = PhraseModel.textMax
    ) throws(ProtocolError) -> [UInt8] {
        let content = try read(packed, first: first, limit: limit) { coder, decoder throws(PhraseCoder.Failure) in
            func bytes(_ count: Int) -> [UInt8] {
                (0..<count).map { _ in
                    (0..<8).reduce(0) { byte, _ in byte << 1 | (decoder.decode(probability: Shape.even) ? 1 : 0) }
                }
            }
            var head: [UInt8] = []
            var isOpaque = false
            if decoder.decode(probability: Shape.isOther) {
                if decoder.decode(probability: Shape.isReply) {
                    head = Self.reply + bytes(10)
                } else if decoder.decode(probability: Shape.isOpaque) {
                    isOpaque = true
                } else {
                    head = bytes(Int(bytes(1)[0]))
                }
            }
            let known = (quoting ?? []) + head
            let text = try coder.decode(&decoder, length: packed.count, quoting: known, limit: limit)
            return isOpaque ? text : head + [Self.textTag] + Self.varint(text.count) + text
        }
        guard content.count <= limit else {
            throw .tooLarge("the content exceeds the limit", actual: content.count, firstRefused: limit + 1)
        }
        return content
    }

    /// Where the text's field and the text begin; nil when the content does not end with one that is written as we do.
    private static func textStart(_ content: [UInt8]) -> (tag: Int, text: Int)? {
        for tag in 0..<min(content.count, Shape.headMax + 1) where content[tag] == textTag {
            for lengthBytes in 1...3 {
                let text = tag + 1 + lengthBytes
                guard text <= content.count else { break }
                if varint(content.count - text) == Array(content[tag + 1..<text]) { return (tag, text) }
            }
        }
        return nil
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest > 0x7F {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
