/// The trained part of a model beside its table: what each state is worth, and how the opinions are mixed.
///
/// A value that is copied when it changes; sizes are fixed by the format.
struct PhraseWeights: Sendable, Hashable {
    /// Contexts of the model, of the text itself, the match, and a constant.
    static let inputs = 20
    static let usedInputs = PhraseContexts.count + PhraseContexts.ownCount + 2
    /// Mixers are chosen by the longest context found, by the bits so far, by which of the long contexts are found.
    static let shapeSets = 288
    static let sets = shapeSets + 256 + 256
    /// Final mixers.
    static let finalSets = 72
    static let fraction = 16

    /// Logits by context and state.
    var states: [Int16]
    /// Logits by context of the text itself and state of its counter.
    var own: [Int16]
    /// Logits that the byte a match expects is right, by length.
    var match: [Int16]
    /// With 12 fractional bits.
    var mixers: [Int16]
    var finals: [Int16]
    /// How fast mixers follow a text, of 65,536; 0: not at all.
    var rate: Int

    /// In the order of the file.
    var all: [[Int16]] { [states, own, match, mixers, finals] }

    init() {
        states = .init(repeating: 0, count: PhraseContexts.count * PhraseStates.count)
        own = .init(repeating: 0, count: PhraseContexts.ownCount * PhraseStates.ownCount)
        match = .init(repeating: 0, count: PhraseStates.matchCount)
        mixers = .init(repeating: 1200, count: Self.sets * Self.inputs)
        finals = .init(repeating: 1365, count: Self.finalSets * 3)
        rate = 0
    }
}
