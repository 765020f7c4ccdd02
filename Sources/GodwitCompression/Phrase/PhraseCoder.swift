/// Codes texts with a model, one at a time.
///
/// Used by one at a time: `PhraseModel` hands it out and takes it back. So it may go from thread to thread.
final class PhraseCoder: @unchecked Sendable {
    /// Bytes that a text may have.
    static let textMax = 65_536
    /// Where the end of a text may stand: not more than so many bits before the last byte of the code.
    static let endBits = 14
    /// An end is never held for less likely than this, of 65,536.
    static let endMin: UInt16 = 24
    static let endMost: UInt16 = 61_000
    /// That all places are held for equally likely ends, and how likely.
    static let evenEnds: UInt16 = 128
    static let endEven: UInt16 = 16

    enum Failure: Error { case corrupt, tooLong }

    let tables: PhraseTables
    private let predictor: PhrasePredictor
    private let probabilities: UnsafeMutablePointer<UInt16>

    init(_ tables: PhraseTables) {
        self.tables = tables
        predictor = PhrasePredictor(table: tables.table, trained: tables.trained)
        probabilities = .allocate(capacity: 9 * (Self.textMax + 1))
    }

    deinit { probabilities.deallocate() }

    /// Codes decisions of `head` and then `text`. The reader must be told how many bytes came out.
    ///
    /// - Parameters:
    ///   - head: decisions before the text, each with the probability of one.
    ///   - first: what the first byte may be.
    /// - Returns: nil beyond `textMax` bytes, or when no length serves, which is rare.
    func encode(
        _ text: some Collection<UInt8>, quoting quoted: [UInt8], head: [(bit: Bool, probability: UInt16)],
        first: ClosedRange<UInt8>
    ) -> [UInt8]? {
        guard text.count <= Self.textMax else { return nil }
        foretell(text, quoting: quoted)
        var begun = RangeEncoder(first: first)
        for (bit, probability) in head { begun.encode(bit, probability: probability) }
        return finish(text, begun, isEven: false) ?? finish(text, begun, isEven: true)
    }

    /// - Parameter isEven: every place is as likely for the end. So even a text that repeats itself for long has a code:
    ///   it says little on thousands of bytes, and thousands of places where the end was likely would say more.
    private func finish(_ text: some Collection<UInt8>, _ begun: RangeEncoder, isEven: Bool) -> [UInt8]? {
        var start = begun
        start.encode(isEven, probability: Self.evenEnds)
        if isEven { for place in 0...text.count { probabilities[9 * place] = Self.endEven } }
        // Without ends the code takes so many bits; the end adds at least a part of one.
        var blind = start
        write(text, to: &blind, length: nil)
        let shortest = max(1, (blind.bits + 6) / 8)
        for length in shortest..<shortest + 5 {
            var encoder = start
            guard write(text, to: &encoder, length: length) else { continue }
            var bytes = encoder.finished()
            guard bytes.count <= length else { continue }
            bytes.append(contentsOf: repeatElement(0, count: length - bytes.count))
            return bytes
        }
        return nil
    }

    /// Probabilities of the end and of eight bits for each byte, and of the end behind the last.
    private func foretell(_ text: some Collection<UInt8>, quoting quoted: [UInt8]) {
        predictor.begin(quoting: quoted)
        var next = probabilities
        for byte in text {
            predictor.openByte()
            next[0] = Self.end(predictor.probability())
            predictor.startBits()
            for index in 1...8 {
                next[index] = predictor.probability()
                predictor.update(Int(byte >> UInt8(8 - index)) & 1)
            }
            next += 9
        }
        predictor.openByte()
        next[0] = Self.end(predictor.probability())
    }

    private static func end(_ probability: UInt16) -> UInt16 { max(endMin, min(endMost, probability)) }

    /// False when the end is not to be told where it stands, the code being so much shorter than `length`.
    @discardableResult
    private func write(_ text: some Collection<UInt8>, to encoder: inout RangeEncoder, length: Int?) -> Bool {
        let threshold = length.map { 8 * ($0 - 1) - Self.endBits } ?? Int.max
        var next = probabilities
        for byte in text {
            if encoder.bits >= threshold { encoder.encode(false, probability: next[0]) }
            for index in 1...8 { encoder.encode((byte >> UInt8(8 - index)) & 1 == 1, probability: next[index]) }
            next += 9
        }
        guard encoder.bits >= threshold else { return false }
        encoder.encode(true, probability: next[0])
        return true
    }

    /// Reads what `encode` wrote.
    ///
    /// - Parameters:
    ///   - length: bytes of the whole code.
    ///   - limit: bytes of text.
    func decode(_ decoder: inout RangeDecoder, length: Int, quoting quoted: [UInt8], limit: Int) throws(Failure)
        -> [UInt8]
    {
        let threshold = 8 * (length - 1) - Self.endBits
        let isEven = decoder.decode(probability: Self.evenEnds)
        var text: [UInt8] = []
        predictor.begin(quoting: quoted)
        while true {
            predictor.openByte()
            if decoder.bits >= threshold {
                let probability = isEven ? Self.endEven : Self.end(predictor.probability())
                if decoder.decode(probability: probability) { break }
            }
            guard text.count < min(limit, Self.textMax) else { throw .tooLong }
            predictor.startBits()
            var byte = 0
            for _ in 0..<8 {
                let bit = decoder.decode(probability: predictor.probability()) ? 1 : 0
                predictor.update(bit)
                byte = byte << 1 | bit
            }
            text.append(UInt8(truncatingIfNeeded: byte))
            // What the end of the code cannot hold is no code, only zeros without end.
            guard decoder.bits <= 8 * length + 64 else { throw .corrupt }
        }
        guard decoder.bits <= 8 * length + 64 else { throw .corrupt }
        return text
    }
}
