/// What the trainer notes while it runs texts through a predictor.
final class PhraseLesson {
    /// How fast mixers learn, of 65,536.
    var rate = 0
    var finalRate = 0
    /// Whether states are counted.
    var counts = false

    private(set) var states: [(ones: Int, total: Int)]
    private(set) var own: [(ones: Int, total: Int)]
    private(set) var match: [(ones: Int, total: Int)]

    init() {
        states = .init(repeating: (0, 0), count: PhraseContexts.count * PhraseStates.count)
        own = .init(repeating: (0, 0), count: PhraseContexts.ownCount * PhraseStates.ownCount)
        match = .init(repeating: (0, 0), count: PhraseStates.matchCount)
    }

    func take(_ bit: Int, mixed: Int, numbers: UnsafeMutablePointer<Int32>) {
        guard counts else { return }
        for context in 0..<PhraseContexts.count where numbers[context] >= 0 {
            let index = context * PhraseStates.count + Int(numbers[context])
            states[index].total += 1
            states[index].ones += bit
        }
        for context in 0..<PhraseContexts.ownCount where numbers[PhraseContexts.count + context] >= 0 {
            let index = context * PhraseStates.ownCount + Int(numbers[PhraseContexts.count + context])
            own[index].total += 1
            own[index].ones += bit
        }
        let matched = Int(numbers[PhraseContexts.count + PhraseContexts.ownCount])
        if matched >= 0 {
            match[matched / 2].total += 1
            match[matched / 2].ones += matched % 2 == bit ? 1 : 0
        }
    }

    /// The logits that fit what was counted, into `weights`.
    func fit(_ weights: inout PhraseWeights) {
        let tables = LogisticTables.shared
        func logit(_ seen: (ones: Int, total: Int), _ prior: Int) -> Int16 {
            // A state that was hardly seen stays near its prior, which counts as two observations.
            let p = (seen.ones * 65_536 + 2 * prior) / (seen.total + 2)
            return precise(p, tables)
        }
        for context in 0..<PhraseContexts.count {
            for number in 0..<PhraseStates.count {
                let index = context * PhraseStates.count + number
                let within = number % PhraseStates.half
                let prior =
                    within < PhraseStates.agreeing ? 60_000 : within < 2 * PhraseStates.agreeing ? 5_536 : 32_768
                weights.states[index] = logit(states[index], prior)
            }
        }
        for index in own.indices {
            weights.own[index] = logit(own[index], (index % 32) * 2048 + 1024)
        }
        for index in match.indices { weights.match[index] = logit(match[index], 40_000) }
    }

    /// The logit whose probability is nearest to `p`, of 65,536.
    private func precise(_ p: Int, _ tables: LogisticTables) -> Int16 {
        var low = 0
        var high = 2 * LogisticTables.limit
        while low < high {
            let middle = (low + high) / 2
            if Int(tables.squash[middle]) < p { low = middle + 1 } else { high = middle }
        }
        return Int16(low - LogisticTables.limit)
    }
}
