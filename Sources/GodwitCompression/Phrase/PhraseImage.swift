/// The body of a model file: where what stands. Numbers are little-endian; docs/phrase-model.md has the table.
struct PhraseImage {
    static let headerBytes = 16
    static let levelLengths = (PhraseLevels.count + 1) * PhraseLevels.symbols
    static let rankLengths = 2 * (FollowerTable.ranks + 1)

    /// Offset of each part, and where the last ends.
    let weights: Int
    let levels: Int
    let rankCodes: Int
    let ranks: Int
    let bases: Int
    let offsets: Int
    let data: Int
    let end: Int

    static var weightCount: Int {
        PhraseContexts.count * PhraseStates.count + PhraseContexts.ownCount * PhraseStates.ownCount
            + PhraseStates.matchCount + PhraseWeights.sets * PhraseWeights.inputs + PhraseWeights.finalSets * 3
    }

    init(buckets: Int, bits: Int) {
        weights = Self.headerBytes
        levels = weights + 2 * Self.weightCount
        rankCodes = levels + Self.levelLengths
        ranks = rankCodes + Self.rankLengths
        bases = (ranks + 256 * FollowerTable.ranks + 7) / 8 * 8
        offsets = bases + 4 * (buckets / FollowerTable.group + 1)
        data = (offsets + 2 * (buckets + 1) + 7) / 8 * 8
        end = data + (bits + 7) / 8 + FollowerTable.slack
    }
}

/// A body laid out for use. Keeps what it points into.
///
/// Never changes after init, so it is Sendable.
final class PhraseTables: @unchecked Sendable {
    let table: FollowerTable
    let trained: TrainedValues
    private let owner: AnyObject
    private let codes: UnsafeMutablePointer<UInt16>
    private let levelValues: UnsafeMutablePointer<UInt16>

    /// Nil when `body` is none.
    ///
    /// - Parameter owner: what keeps `body` where it is; its address is a multiple of 8.
    init?(body: UnsafeRawBufferPointer, owner: AnyObject) {
        guard body.count >= PhraseImage.headerBytes, let start = body.baseAddress else { return nil }
        func number(_ offset: Int) -> Int {
            Int(UInt32(littleEndian: body.load(fromByteOffset: offset, as: UInt32.self)))
        }
        let (buckets, bits, rate) = (number(0), number(4), number(8))
        guard buckets > 0, buckets <= 1 << 24, rate < 65_536, number(12) == 0 else { return nil }
        let image = PhraseImage(buckets: buckets, bits: bits)
        guard image.end == body.count else { return nil }
        let (levels, states) = (PhraseLevels.symbols, PhraseLevels.count + 1)
        var prefixCodes: [PrefixCode] = []
        for state in 0..<states {
            let offset = image.levels + state * levels
            guard let code = PrefixCode(lengths: Array(body[offset..<offset + levels])) else { return nil }
            prefixCodes.append(code)
        }
        for place in 0..<2 {
            let offset = image.rankCodes + place * (FollowerTable.ranks + 1)
            guard let code = PrefixCode(lengths: Array(body[offset..<offset + FollowerTable.ranks + 1])) else {
                return nil
            }
            prefixCodes.append(code)
        }
        codes = .allocate(capacity: prefixCodes.count << PrefixCode.lengthMax)
        for (index, code) in prefixCodes.enumerated() { code.fill(codes + (index << PrefixCode.lengthMax)) }
        levelValues = .allocate(capacity: PhraseLevels.count)
        for index in 0..<PhraseLevels.count { (levelValues + index).initialize(to: PhraseLevels.values[index]) }
        trained = TrainedValues(Self.weights(body, at: image.weights, rate: rate))
        self.owner = owner
        let bytes = start.assumingMemoryBound(to: UInt8.self)
        table = FollowerTable(
            data: bytes + image.data,
            bases: (start + image.bases).assumingMemoryBound(to: UInt32.self),
            offsets: (start + image.offsets).assumingMemoryBound(to: UInt16.self),
            buckets: buckets, bits: bits, ranks: bytes + image.ranks, levelCodes: UnsafePointer(codes),
            rankCodes: UnsafePointer(codes + (states << PrefixCode.lengthMax)), levelValues: UnsafePointer(levelValues))
    }

    deinit {
        codes.deallocate()
        levelValues.deallocate()
    }

    private static func weights(_ body: UnsafeRawBufferPointer, at start: Int, rate: Int) -> PhraseWeights {
        var weights = PhraseWeights()
        var offset = start
        func fill(_ values: inout [Int16]) {
            for index in values.indices {
                values[index] = Int16(littleEndian: body.load(fromByteOffset: offset, as: Int16.self))
                offset += 2
            }
        }
        fill(&weights.states)
        fill(&weights.own)
        fill(&weights.match)
        fill(&weights.mixers)
        fill(&weights.finals)
        weights.rate = rate
        return weights
    }
}
