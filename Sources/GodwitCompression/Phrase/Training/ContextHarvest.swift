/// Finds which contexts are worth their place: context by context over the whole text, sorted by hash.
///
/// A context is worth what the text would take more without it. Each occurrence is judged by the others alone (it is left
/// out of its own count), against what the contexts before it in the order already foretell. Memory is 21 bytes for each
/// byte of text, besides what is kept.
struct ContextHarvest {
    private let texts: TrainingTexts
    /// Probability of each byte by the contexts kept so far.
    private var foretold: [Float]
    private var weights: [UInt8]
    private var found = FollowerEntries()
    private let worthMin: Float

    init(_ texts: TrainingTexts, worthMin: Float) {
        self.texts = texts
        self.worthMin = worthMin
        foretold = .init(repeating: 1.0 / 256, count: texts.bytes.count)
        weights = []
        weights.reserveCapacity(texts.bytes.count)
        for index in 0..<texts.count {
            weights.append(contentsOf: repeatElement(texts.weights[index], count: texts.withEnd(index).count))
        }
    }

    /// Everything that saves at least `worthMin` bits for each bit that it takes.
    consuming func gather(progress: (Int) -> Void) -> FollowerEntries {
        for context in 0..<PhraseContexts.count {
            progress(context)
            gather(context)
        }
        return found
    }

    private mutating func gather(_ context: Int) {
        let keys = RadixSort.sorted(keys(context))
        var start = 0
        var run = ContextRun()
        while start < keys.count {
            let hash = keys[start] >> 24
            var end = start + 1
            while end < keys.count, keys[end] >> 24 == hash { end += 1 }
            if end - start > 1 || weights[Int(keys[start] & 0xFF_FFFF)] > 1 {
                judge(keys[start..<end], hash, context, &run)
            }
            start = end
        }
    }

    private func keys(_ context: Int) -> [UInt64] {
        var keys: [UInt64] = []
        keys.reserveCapacity(texts.bytes.count)
        for index in 0..<texts.count {
            var contexts = PhraseContexts()
            for byte in texts.withEnd(index) {
                keys.append(contexts.hash(context) << 24 | UInt64(keys.count))
                contexts.append(byte)
            }
        }
        return keys
    }

    private mutating func judge(_ keys: ArraySlice<UInt64>, _ hash: UInt64, _ context: Int, _ run: inout ContextRun) {
        run.begin()
        for key in keys {
            let position = Int(key & 0xFF_FFFF)
            run.add(texts.bytes[position], weight: Int(weights[position]))
        }
        guard run.largest > 1 else { return }
        var gain: Float = 0
        for key in keys {
            let position = Int(key & 0xFF_FFFF)
            let lower = foretold[position]
            gain += Float(weights[position]) * run.ratio(texts.bytes[position], lower: lower).binaryLog
        }
        let followers = run.followers()
        let worth = gain / (12 + 6 * Float(followers.count))
        guard worth >= worthMin, !followers.isEmpty else { return }
        for key in keys {
            let position = Int(key & 0xFF_FFFF)
            foretold[position] *= run.ratio(texts.bytes[position], lower: foretold[position])
        }
        found.entries.append(
            FollowerEntry(
                hash: hash, worth: worth, after: before(Int(keys[keys.startIndex] & 0xFF_FFFF)),
                residual: run.residual(followers), first: UInt32(found.followers.count), count: UInt8(followers.count)))
        found.followers.append(contentsOf: followers)
    }

    private func before(_ position: Int) -> UInt8 {
        position > 0 && texts.bytes[position - 1] != 0 ? texts.bytes[position - 1] : 0x0A
    }
}

extension Float {
    /// By the bits of the number and a polynomial; the same on every machine.
    var binaryLog: Float {
        let mantissa = Float(bitPattern: (bitPattern & 0x7F_FFFF) | 0x3F80_0000)
        let exponent = Float(Int((bitPattern >> 23) & 0xFF) - 128)
        return exponent + (-0.344_848_43 * mantissa + 2.024_665_8) * mantissa - 0.674_877_6
    }
}

/// The followers of one context.
struct ContextRun {
    private var counts = [Int](repeating: 0, count: 256)
    private var seen: [UInt8] = []
    private var total = 0
    private(set) var largest = 0

    mutating func begin() {
        for symbol in seen { counts[Int(symbol)] = 0 }
        seen.removeAll(keepingCapacity: true)
        total = 0
        largest = 0
    }

    mutating func add(_ symbol: UInt8, weight: Int) {
        if counts[Int(symbol)] == 0 { seen.append(symbol) }
        counts[Int(symbol)] += weight
        total += weight
        largest = max(largest, counts[Int(symbol)])
    }

    /// By how much this context makes an occurrence of `symbol` likelier than `lower`, that occurrence not counted.
    func ratio(_ symbol: UInt8, lower: Float) -> Float {
        let others = counts[Int(symbol)] - 1
        let kinds = Float(max(1, others == 0 ? seen.count - 1 : seen.count))
        return (Float(others) / lower + kinds) / (Float(total - 1) + kinds)
    }

    /// Level and symbol of those that came more than once, likeliest first.
    func followers() -> [UInt16] {
        let top = seen.filter { counts[Int($0)] > 1 }.sorted { (counts[Int($0)], $1) > (counts[Int($1)], $0) }
        let scale = min(1, 1024 / Double(largest))
        return top.prefix(PhraseLevels.followersMax).compactMap { symbol in
            PhraseLevels.level(of: Double(counts[Int(symbol)]) * scale).map { UInt16($0 << 8) | UInt16(symbol) }
        }
    }

    func residual(_ followers: [UInt16]) -> UInt8 {
        let kept = followers.reduce(0) { $0 + counts[Int($1 & 0xFF)] }
        return UInt8(PhraseLevels.residual(kept: kept, total: total))
    }
}

/// Sorts by the upper 40 bits and keeps the order of equals.
enum RadixSort {
    static func sorted(_ keys: consuming [UInt64]) -> [UInt64] {
        var source = keys
        var target = [UInt64](repeating: 0, count: source.count)
        for shift in [24, 34, 44, 54] as [UInt64] {
            var places = [Int](repeating: 0, count: 1024)
            for key in source { places[Int(key >> shift) & 1023] += 1 }
            var sum = 0
            for index in places.indices { (places[index], sum) = (sum, sum + places[index]) }
            source.withUnsafeBufferPointer { source in
                target.withUnsafeMutableBufferPointer { target in
                    for key in source {
                        let digit = Int(key >> shift) & 1023
                        target[places[digit]] = key
                        places[digit] += 1
                    }
                }
            }
            swap(&source, &target)
        }
        return source
    }
}
