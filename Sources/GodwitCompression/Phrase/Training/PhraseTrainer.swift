/// Makes the body of a phrase model from texts. The same texts and settings give the same bytes.
public struct PhraseTrainer: Sendable {
    public struct Settings: Sendable, Hashable {
        /// Bytes that the body may have.
        public var bytesMax = 3_996_000
        /// How often the mixers see the texts that are set aside for them.
        public var rounds = 4
        /// How fast mixers follow a text when the model is used, of 65,536.
        public var rate = 0

        public init() {}
    }

    /// What was done, for the manifest.
    public struct Outcome: Sendable {
        public var body: [UInt8] = []
        public var texts = 0
        public var textBytes = 0
        public var contexts = 0
        /// Bits that a context must save for each bit that it takes.
        public var worth: Float = 0
    }

    let settings: Settings
    let note: @Sendable (String) -> Void

    /// Texts in a row that stay together when some are set aside.
    static let block = 400
    /// One block of so many is set aside.
    static let apart = 10

    public init(_ settings: Settings = Settings(), note: @escaping @Sendable (String) -> Void = { _ in }) {
        self.settings = settings
        self.note = note
    }

    /// Nil when there is nothing to learn from.
    public func train(_ texts: TrainingTexts) -> Outcome? {
        guard texts.count > 0 else { return nil }
        // Mixers learn from texts that the table does not know, or they would trust it too much.
        let block = max(1, min(Self.block, texts.count / (2 * Self.apart)))
        func isApart(_ index: Int) -> Bool { index / block % Self.apart == Self.apart / 2 }
        let aside = texts.filtered(isApart)
        var weights = PhraseWeights()
        weights.rate = settings.rate
        note("table for the mixers")
        guard let first = table(texts.filtered { !isApart($0) }, weights: weights) else { return nil }
        note("mixers, from \(aside.count) texts")
        weights = fit(weights, on: first.body, aside.count > 0 ? aside : texts)
        note("table")
        return table(texts, weights: weights)
    }

    /// Chooses contexts so that the body fits.
    func table(_ texts: TrainingTexts, weights: PhraseWeights) -> Outcome? {
        let ranks = Self.ranks(texts)
        // A first look finds the price of a bit, a second one asks that price of every context in turn.
        var price: Float = 0.03
        var outcome: Outcome?
        for look in 0..<2 {
            let found = ContextHarvest(texts, worthMin: price * 0.9).gather {
                note("look \(look + 1), context \($0 + 1)")
            }
            guard let fitting = largest(found, ranks, weights) else { return nil }
            price = max(price * 0.9, fitting.worth)
            outcome = fitting
            if fitting.contexts == found.entries.count { break }
        }
        outcome?.texts = texts.count
        outcome?.textBytes = texts.bytes.count - texts.count
        return outcome
    }

    /// The most worthy contexts that fit.
    private func largest(_ found: FollowerEntries, _ ranks: [UInt8], _ weights: PhraseWeights) -> Outcome? {
        let order = found.entries.indices.sorted {
            (found.entries[$1].worth, found.entries[$0].hash, $0) < (
                found.entries[$0].worth, found.entries[$1].hash, $1
            )
        }
        var count = order.count
        for _ in 0..<12 {
            let chosen = Array(order.prefix(count))
            guard var writer = FollowerWriter(found, chosen: chosen, ranks: ranks) else { return nil }
            let body = writer.body(found, chosen: chosen, weights: weights)
            note("\(chosen.count) contexts take \(body.count) bytes, \(writer.dropped) of them dropped")
            if body.count <= settings.bytesMax {
                var outcome = Outcome()
                outcome.body = body
                outcome.contexts = chosen.count
                outcome.worth = chosen.last.map { found.entries[$0].worth } ?? 0
                return outcome
            }
            let fixed = PhraseImage(buckets: 1, bits: 0).end
            guard settings.bytesMax > fixed + 64, count > 0 else { return nil }
            count = min(
                count - 1, Int(Double(count) * Double(settings.bytesMax - fixed) / Double(body.count - fixed) * 0.999))
        }
        return nil
    }

    /// The 31 bytes that follow each byte most often.
    static func ranks(_ texts: TrainingTexts) -> [UInt8] {
        var counts = [Int](repeating: 0, count: 65_536)
        var before = 0x0A
        for byte in texts.bytes {
            counts[before << 8 | Int(byte)] += 1
            before = byte == 0 ? 0x0A : Int(byte)
        }
        return (0..<256).flatMap { before in
            (0..<256).sorted { (counts[before << 8 | $1], $0) < (counts[before << 8 | $0], $1) }
                .prefix(FollowerTable.ranks).map { UInt8($0) }
        }
    }

    func fit(_ start: PhraseWeights, on body: [UInt8], _ texts: TrainingTexts) -> PhraseWeights {
        var weights = start
        let memory = AlignedBytes(body)
        guard let counting = PhraseTables(body: memory.bytes, owner: memory) else { return weights }
        let lesson = PhraseLesson()
        lesson.counts = true
        _ = Self.run(texts, PhrasePredictor(table: counting.table, trained: TrainedValues(weights), lesson: lesson))
        lesson.fit(&weights)
        lesson.counts = false
        let trained = TrainedValues(weights)
        let predictor = PhrasePredictor(table: counting.table, trained: trained, lesson: lesson)
        for round in 0..<settings.rounds {
            lesson.rate = max(20, 1300 >> (2 * round))
            lesson.finalRate = max(8, 260 >> (2 * round))
            let bits = Self.run(texts, predictor)
            note("round \(round + 1): \(bits / 8 / max(1, texts.count)) bytes a text")
        }
        for index in weights.mixers.indices { weights.mixers[index] = Self.rounded(predictor.mixers[index], 8) }
        for index in weights.finals.indices { weights.finals[index] = Self.rounded(trained.finals[index], 4) }
        return weights
    }

    private static func rounded(_ value: Int32, _ bits: Int32) -> Int16 {
        Int16(clamping: (Int(value) + 1 << (Int(bits) - 1)) >> Int(bits))
    }

    /// Bits that the texts take, ends included.
    static func run(_ texts: TrainingTexts, _ predictor: PhrasePredictor) -> Int {
        var cost: Float = 0
        var whole = 0
        for index in 0..<texts.count {
            predictor.begin()
            for byte in texts.withEnd(index).dropLast() {
                predictor.openByte()
                cost += surprise(predictor.probability(), 0)
                predictor.update(0)
                predictor.startBits()
                for shift in stride(from: 7, through: 0, by: -1) {
                    let bit = Int(byte >> UInt8(shift)) & 1
                    cost += surprise(predictor.probability(), bit)
                    predictor.update(bit)
                }
            }
            predictor.openByte()
            cost += surprise(predictor.probability(), 1)
            predictor.update(1)
            whole += Int(cost)
            cost -= Float(Int(cost))
        }
        return whole
    }

    private static func surprise(_ probability: UInt16, _ bit: Int) -> Float {
        16 - Float(bit == 1 ? Int(probability) : 65_536 - Int(probability)).binaryLog
    }
}

/// Bytes at an address that is a multiple of 8.
final class AlignedBytes {
    let bytes: UnsafeRawBufferPointer
    private let memory: UnsafeMutableRawBufferPointer

    init(_ source: [UInt8]) {
        memory = .allocate(byteCount: max(1, source.count), alignment: 8)
        memory.copyBytes(from: source)
        bytes = UnsafeRawBufferPointer(rebasing: memory[..<source.count])
    }

    deinit { memory.deallocate() }
}
