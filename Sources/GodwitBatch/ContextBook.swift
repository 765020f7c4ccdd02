/// What a sender knows that the receiver knows: the contexts of the frames before.
public struct ContextBook: Sendable {
    /// A frame refers to none that is further back than this. Spools keep more, for a frame may be sent again when many
    /// others have followed it.
    public static let reach: UInt64 = 128

    fileprivate struct Name: Hashable {
        var device: MessageRow.Device
        var conversation: MessageRow.Conversation
    }

    fileprivate struct Place {
        var number: UInt64
        var entry: Int
    }

    fileprivate private(set) var frames: [UInt64: FrameContexts] = [:]
    fileprivate private(set) var latest: [Name: Place] = [:]

    public init() {}

    /// Notes what the chains of a frame came to; call in the order of the numbers.
    public mutating func note(_ contexts: FrameContexts, of number: UInt64) {
        for old in frames.keys where number > Self.reach && old < number - Self.reach { forget(old) }
        frames[number] = contexts
        for (entry, chain) in contexts.chains.enumerated() {
            latest[Name(device: chain.device, conversation: chain.conversation)] = Place(number: number, entry: entry)
        }
    }

    private mutating func forget(_ number: UInt64) {
        for chain in frames.removeValue(forKey: number)?.chains ?? [] {
            let name = Name(device: chain.device, conversation: chain.conversation)
            if latest[name]?.number == number { latest[name] = nil }
        }
    }
}

/// What may be taken as known in one frame.
public struct KnownChains: Sendable {
    private let book: ContextBook
    private let number: UInt64
    private let doubtful: Set<UInt64>

    /// - Parameters:
    ///   - number: of the frame that refers.
    ///   - doubtful: frames that may reach the receiver after this one.
    public init(_ book: ContextBook, for number: UInt64, except doubtful: Set<UInt64> = []) {
        self.book = book
        self.number = number
        self.doubtful = doubtful
    }

    struct Found {
        /// The frame's number is so much lower.
        var back: UInt32
        var entry: UInt32
        var context: ChainContext
    }

    /// Only what a chain came to last: going on from further back would leave out what came between.
    func find(_ device: MessageRow.Device, _ conversation: MessageRow.Conversation) -> Found? {
        guard let place = book.latest[.init(device: device, conversation: conversation)], place.number < number,
            number - place.number <= ContextBook.reach, !doubtful.contains(place.number),
            let frame = book.frames[place.number]
        else { return nil }
        return Found(
            back: UInt32(number - place.number), entry: UInt32(place.entry), context: frame.chains[place.entry])
    }
}
