/// Counts what reached whom: every copy exactly once, equal, and in its author's order.
struct DemoLedger: Sendable {
    private let corpus: DemoCorpus
    private let expected: [Int: Set<Int>]
    /// For each message the readers who have it.
    private var seen: [Int: Set<Int>] = [:]
    /// For each reader, author and target the highest message read.
    private var last: [Key: Int] = [:]
    private(set) var accepted: Set<Int> = []
    private(set) var delivered = 0
    private(set) var duplicated = 0
    private(set) var outOfOrder = 0
    private(set) var altered = 0

    private struct Key: Hashable {
        var reader: Int
        var author: Int
        var target: DemoMessage.Target
    }

    init(_ corpus: DemoCorpus) {
        self.corpus = corpus
        var expected: [Int: Set<Int>] = [:]
        for message in corpus.messages { expected[message.index] = Set(corpus.readers(of: message)) }
        self.expected = expected
    }

    var expectedCopies: Int { expected.values.reduce(0) { $0 + $1.count } }
    /// Copies that a reader is to get and has not.
    func missing(for reader: Int?) -> Int {
        expected.count { $0.value.contains { $0 == reader } && !(seen[$0.key]?.contains { $0 == reader } ?? false) }
    }
    var lost: Int { expectedCopies - delivered }
    /// Messages that every reader has.
    var complete: Int { expected.count { seen[$0.key]?.count ?? 0 == $0.value.count } }
    var isComplete: Bool { delivered == expectedCopies && accepted.count == corpus.messages.count }
    var isPerfect: Bool { isComplete && duplicated == 0 && outOfOrder == 0 && altered == 0 }

    mutating func accept(_ message: Int) { accepted.insert(message) }

    /// A reader decrypted a copy.
    mutating func deliver(_ index: Int, to reader: Int, text: String) {
        guard corpus.messages.indices.contains(index), expected[index]?.contains(reader) ?? false else {
            altered += 1
            return
        }
        let message = corpus.messages[index]
        // Bytes, for equal strings may differ in how they are composed.
        if Array(message.text.utf8) != Array(text.utf8) { altered += 1 }
        guard seen[index, default: []].insert(reader).inserted else {
            duplicated += 1
            return
        }
        delivered += 1
        let key = Key(reader: reader, author: message.author, target: message.target)
        if let before = last[key], before > index { outOfOrder += 1 }
        last[key] = max(last[key] ?? -1, index)
    }

    /// The message that a reader got, found by author and text: the wire carries no numbers of the corpus.
    func find(author: Int, target: DemoMessage.Target?, text: String, reader: Int) -> Int? {
        let equal = corpus.messages.filter {
            $0.author == author && $0.text == text && (target == nil || $0.target == target)
                && (expected[$0.index]?.contains(reader) ?? false)
        }
        return equal.first { !(seen[$0.index]?.contains(reader) ?? false) }?.index ?? equal.last?.index
    }
}
