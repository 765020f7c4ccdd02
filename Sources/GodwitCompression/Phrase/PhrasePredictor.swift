/// Foretells the bits of a text, one after the other, from a model and from the text so far.
///
/// One owner, one text at a time: `begin`, then for every byte `openByte`, the decision whether the text ends where it is
/// coded, `startBits`, and eight times `probability` and `update`. Everything that a text changes lies in here and is
/// undone by the next `begin`.
final class PhrasePredictor {
    typealias Weights = PhraseWeights

    let table: FollowerTable
    let tables = LogisticTables.shared
    /// What the trainer writes to, if it does.
    let lesson: PhraseLesson?

    private(set) var contexts = PhraseContexts()
    private(set) var history = TextHistory()
    private var counters = OwnCounters()

    private let trained: TrainedValues
    /// Weights of the text, with 20 fractional bits.
    let mixers: UnsafeMutablePointer<Int32>
    private let inputs: UnsafeMutablePointer<Int32>
    /// Numbers of the states that gave the inputs, -1 where there was nothing.
    private let numbers: UnsafeMutablePointer<Int32>
    private let symbols: UnsafeMutablePointer<UInt8>
    private let weights: UnsafeMutablePointer<UInt16>
    private let active: UnsafeMutablePointer<Int>
    /// Weight of the active followers whose next bit is one, or zero.
    private let ones: UnsafeMutablePointer<Int>
    private let zeros: UnsafeMutablePointer<Int>
    private let residuals: UnsafeMutablePointer<Int>
    private let hashes: UnsafeMutablePointer<UInt64>
    private let starts: UnsafeMutablePointer<Int>
    private let ends: UnsafeMutablePointer<Int>
    private let heads: UnsafeMutablePointer<UInt64>
    private let recent = RecentFollowers()
    private let ownHashes: UnsafeMutablePointer<UInt32>
    private let ownSlots: UnsafeMutablePointer<Int>

    private var partial = 0
    private var position = 8
    private var sets = (0, 0, 0)
    private var outputs = (0, 0, 0)
    private var finalSet = 0
    private var mixed: Int = 32_768

    init(table: FollowerTable, trained: TrainedValues, lesson: PhraseLesson? = nil) {
        self.table = table
        self.trained = trained
        self.lesson = lesson
        let count = PhraseContexts.count
        mixers = .allocate(capacity: Weights.sets * Weights.inputs)
        mixers.update(from: trained.mixers, count: Weights.sets * Weights.inputs)
        inputs = .allocate(capacity: Weights.inputs)
        inputs.initialize(repeating: 0, count: Weights.inputs)
        numbers = .allocate(capacity: Weights.inputs)
        numbers.initialize(repeating: -1, count: Weights.inputs)
        symbols = .allocate(capacity: count * PhraseLevels.followersMax)
        symbols.initialize(repeating: 0, count: count * PhraseLevels.followersMax)
        weights = .allocate(capacity: count * PhraseLevels.followersMax)
        weights.initialize(repeating: 0, count: count * PhraseLevels.followersMax)
        active = .allocate(capacity: count)
        active.initialize(repeating: 0, count: count)
        ones = .allocate(capacity: count)
        ones.initialize(repeating: 0, count: count)
        zeros = .allocate(capacity: count)
        zeros.initialize(repeating: 0, count: count)
        residuals = .allocate(capacity: count)
        residuals.initialize(repeating: 0, count: count)
        hashes = .allocate(capacity: count)
        hashes.initialize(repeating: 0, count: count)
        starts = .allocate(capacity: count)
        starts.initialize(repeating: 0, count: count)
        ends = .allocate(capacity: count)
        ends.initialize(repeating: 0, count: count)
        heads = .allocate(capacity: count)
        heads.initialize(repeating: 0, count: count)
        ownHashes = .allocate(capacity: PhraseContexts.ownCount)
        ownHashes.initialize(repeating: 0, count: PhraseContexts.ownCount)
        ownSlots = .allocate(capacity: PhraseContexts.ownCount)
        ownSlots.initialize(repeating: 0, count: PhraseContexts.ownCount)
    }

    deinit {
        history.deallocate()
        counters.deallocate()
        mixers.deallocate()
        inputs.deallocate()
        numbers.deallocate()
        symbols.deallocate()
        weights.deallocate()
        active.deallocate()
        ones.deallocate()
        zeros.deallocate()
        residuals.deallocate()
        hashes.deallocate()
        starts.deallocate()
        ends.deallocate()
        heads.deallocate()
        recent.deallocate()
        ownHashes.deallocate()
        ownSlots.deallocate()
    }

    /// Forgets the text before. `quoted`: a text that the reader has, too, and that may be repeated.
    func begin(quoting quoted: [UInt8] = []) {
        if trained.rate > 0, lesson == nil {
            mixers.update(from: trained.mixers, count: Weights.sets * Weights.inputs)
        }
        counters.begin()
        history.begin()
        contexts = PhraseContexts()
        for byte in quoted.suffix(TextHistory.quotedMax) {
            hashOwn()
            partial = 1
            for shift in stride(from: 7, through: 0, by: -1) {
                let bit = Int(byte >> UInt8(shift)) & 1
                for context in 0..<PhraseContexts.ownCount {
                    counters.update(OwnCounters.index(context, hash: ownHashes[context], partial: partial), bit: bit)
                }
                partial = partial << 1 | bit
            }
            contexts.append(byte)
            history.append(byte)
        }
        contexts = PhraseContexts()
    }

    private func hashOwn() {
        for context in 0..<PhraseContexts.ownCount { ownHashes[context] = contexts.ownHash(context) }
    }

    /// Looks up what may come next.
    func openByte() {
        let count = PhraseContexts.count
        for context in 0..<count {
            hashes[context] = contexts.hash(context)
            (starts[context], ends[context]) = table.span(hashes[context])
        }
        for context in 0..<count { heads[context] = table.head(starts[context]) }
        hashOwn()
        let after = contexts.lastByte
        for context in 0..<count {
            let room = context &* PhraseLevels.followersMax
            // Short contexts come again and again, and have the longest lists.
            let isShort = context < 3 || context == PhraseContexts.word
            if isShort, let known = recent.read(hashes[context], symbols + room, weights + room) {
                active[context] = known.count
                residuals[context] = known.residual
                continue
            }
            let found = table.find(
                hashes[context], head: heads[context], span: (starts[context], ends[context]), after: after,
                symbols: symbols + room, weights: weights + room)
            active[context] = found?.count ?? 0
            residuals[context] = found?.residual ?? 0
            if isShort { recent.write(hashes[context], symbols + room, weights + room, found ?? (0, 0)) }
        }
        partial = 0
        position = 8
    }

    /// Goes on to the byte itself, now that it is known to come.
    func startBits() {
        sift(shift: 0, mask: 0xFF, unlike: 0, nextShift: 7)
        partial = 1
        position = 0
    }

    /// Keeps the followers whose shifted and masked bits are not `unlike`, and adds up where the next bit leads.
    @inline(__always)
    private func sift(shift: UInt8, mask: UInt8, unlike: UInt8, nextShift: UInt8) {
        // Copies, for the compiler cannot know that writing to memory leaves these pointers as they are.
        let (active, ones, zeros) = (active, ones, zeros)
        var (symbols, weights) = (symbols, weights)
        for context in 0..<PhraseContexts.count {
            let count = active[context]
            if count == 1 {
                let stays = (symbols[0] &>> shift) & mask != unlike
                let weight = Int(weights[0])
                let toOnes = weight & (0 &- Int((symbols[0] &>> nextShift) & 1))
                active[context] = stays ? 1 : 0
                ones[context] = toOnes
                zeros[context] = weight &- toOnes
            } else if count > 1 {
                var kept = 0
                var sum = 0
                var sumOfOnes = 0
                for index in 0..<count {
                    let symbol = symbols[index]
                    let weight = weights[index]
                    let stays = (symbol &>> shift) & mask != unlike ? 1 : 0
                    symbols[kept] = symbol
                    weights[kept] = weight
                    kept &+= stays
                    let counted = Int(weight) & (0 &- stays)
                    sum &+= counted
                    sumOfOnes &+= counted & (0 &- Int((symbol &>> nextShift) & 1))
                }
                active[context] = kept
                ones[context] = sumOfOnes
                zeros[context] = sum &- sumOfOnes
            }
            symbols += PhraseLevels.followersMax
            weights += PhraseLevels.followersMax
        }
    }

    /// How much speaks for the end of the text, and how much against.
    private func weighEnd() {
        for context in 0..<PhraseContexts.count {
            let room = context &* PhraseLevels.followersMax
            var end = 0
            var others = 0
            for index in room..<room &+ active[context] {
                if symbols[index] == 0 { end &+= Int(weights[index]) } else { others &+= Int(weights[index]) }
            }
            ones[context] = end
            zeros[context] = others
        }
    }

    /// That the next bit is one, or before `startBits` that the text ends here; of 65,536.
    func probability() -> UInt16 {
        askTable()
        askText()
        chooseSets()
        mix()
        return UInt16(truncatingIfNeeded: mixed)
    }

    private func askTable() {
        let base = position == 8 ? PhraseStates.half : 0
        if position == 8 { weighEnd() }
        let (active, ones, zeros, residuals) = (active, ones, zeros, residuals)
        let (inputs, numbers) = (inputs, numbers)
        var states = trained.states
        for context in 0..<PhraseContexts.count {
            defer { states += PhraseStates.count }
            guard active[context] > 0 else {
                inputs[context] = 0
                numbers[context] = -1
                continue
            }
            let number =
                base &+ PhraseStates.number(zeros: zeros[context], ones: ones[context], residual: residuals[context])
            numbers[context] = Int32(truncatingIfNeeded: number)
            inputs[context] = Int32(states[number])
        }
    }

    private func askText() {
        let first = PhraseContexts.count
        let matchInput = first &+ PhraseContexts.ownCount
        inputs[matchInput &+ 1] = 256
        numbers[matchInput] = -1
        inputs[matchInput] = 0
        guard position < 8 else {
            for context in 0..<PhraseContexts.ownCount {
                inputs[first &+ context] = 0
                numbers[first &+ context] = -1
            }
            return
        }
        let (inputs, numbers, counters, partial) = (inputs, numbers, counters, partial)
        let (ownHashes, ownSlots, own) = (ownHashes, ownSlots, trained.own)
        for context in 0..<PhraseContexts.ownCount {
            let slot = OwnCounters.index(context, hash: ownHashes[context], partial: partial)
            ownSlots[context] = slot
            let (probability, times) = counters.read(slot)
            guard times > 0 else {
                inputs[first &+ context] = 0
                numbers[first &+ context] = -1
                continue
            }
            let number = PhraseStates.ownNumber(probability: probability, times: times)
            numbers[first &+ context] = Int32(truncatingIfNeeded: number)
            inputs[first &+ context] = Int32(own[context &* PhraseStates.ownCount &+ number])
        }
        guard history.length > 0 else { return }
        let expected = history.expected | 256
        guard expected >> (8 &- position) == partial else { return }
        let logit = Int32(trained.match[history.length])
        let bit = (expected >> (7 &- position)) & 1
        numbers[matchInput] = Int32(truncatingIfNeeded: history.length &* 2 &+ bit)
        inputs[matchInput] = bit == 1 ? logit : -logit
    }

    private func chooseSets() {
        var order = PhraseContexts.orders
        while order > 0, active[order &- 1] == 0 { order &-= 1 }
        let isCertain = order > 0 && active[order &- 1] == 1 && residuals[order &- 1] < 2
        let word = active[PhraseContexts.bigram] > 0
        let shape = ((position &* 8 &+ order) &* 2 &+ (isCertain ? 1 : 0)) &* 2 &+ (word ? 1 : 0)
        var listed = 0
        for context in 4..<12 { listed = listed << 1 | (active[context] > 0 ? 1 : 0) }
        sets = (shape, Weights.shapeSets &+ partial, Weights.shapeSets &+ 256 &+ listed)
        finalSet = position &* 8 &+ order
    }

    @inline(__always)
    private func dot(_ set: Int) -> Int {
        let (row, inputs) = (mixers + set &* Weights.inputs, inputs)
        var sum = 0
        for index in 0..<Weights.usedInputs { sum &+= Int(row[index]) &* Int(inputs[index]) }
        return max(-LogisticTables.limit, min(LogisticTables.limit, sum >> 20))
    }

    private func mix() {
        outputs = (dot(sets.0), dot(sets.1), dot(sets.2))
        let row = trained.finals + finalSet &* 3
        let sum =
            (Int(row[0]) &* outputs.0 &+ Int(row[1]) &* outputs.1 &+ Int(row[2]) &* outputs.2) >> 16
        mixed = Int(tables.squash[max(-LogisticTables.limit, min(LogisticTables.limit, sum)) &+ LogisticTables.limit])
    }

    /// Takes in the bit that came.
    func update(_ bit: Int) {
        if let lesson {
            lesson.take(bit, mixed: mixed, numbers: numbers)
            learn(bit, rate: lesson.rate)
            learnFinal(bit, rate: lesson.finalRate)
        } else if trained.rate > 0, position < 8 {
            learn(bit, rate: trained.rate)
        }
        guard position < 8 else { return }
        for context in 0..<PhraseContexts.ownCount { counters.update(ownSlots[context], bit: bit) }
        if position < 7 {
            let shift = UInt8(truncatingIfNeeded: 7 &- position)
            let other = UInt8(truncatingIfNeeded: 1 &- bit)
            sift(shift: shift, mask: 1, unlike: other, nextShift: shift &- 1)
        }
        partial = partial << 1 | bit
        position &+= 1
        if position == 8 {
            let byte = UInt8(truncatingIfNeeded: partial)
            contexts.append(byte)
            history.append(byte)
        }
    }

    private func learn(_ bit: Int, rate: Int) {
        learn(sets.0, outputs.0, bit, rate)
        learn(sets.1, outputs.1, bit, rate)
        learn(sets.2, outputs.2, bit, rate)
    }

    @inline(__always)
    private func learn(_ set: Int, _ output: Int, _ bit: Int, _ rate: Int) {
        let error = (bit << 16 &- Int(tables.squash[output &+ LogisticTables.limit])) &* rate
        let row = mixers + set &* Weights.inputs
        for index in 0..<Weights.usedInputs {
            let moved = Int(row[index]) &+ (error &* Int(inputs[index]) &+ (1 << 19)) >> 20
            row[index] = Int32(truncatingIfNeeded: max(-8_380_000, min(8_380_000, moved)))
        }
    }

    private func learnFinal(_ bit: Int, rate: Int) {
        guard rate > 0 else { return }
        let error = (bit << 16 &- mixed) &* rate
        let row = trained.finals + finalSet &* 3
        row[0] &+= Int32(truncatingIfNeeded: (error &* outputs.0 &+ (1 << 23)) >> 24)
        row[1] &+= Int32(truncatingIfNeeded: (error &* outputs.1 &+ (1 << 23)) >> 24)
        row[2] &+= Int32(truncatingIfNeeded: (error &* outputs.2 &+ (1 << 23)) >> 24)
    }
}
