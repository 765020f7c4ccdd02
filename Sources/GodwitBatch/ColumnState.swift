import GodwitProtocol

/// What sender and receiver both know while they walk the items of one frame in order.
///
/// Tables fill as messages use new entries; predictions follow from the messages walked before.
struct ColumnState {
    struct Chain: Hashable {
        var device: Int
        var conversation: Int
    }

    /// What the chain's messages in this frame said so far.
    struct ChainEnd {
        var sequence: Int64
        var hash: MessageHash
        var form: Int
        var key: Int
    }

    /// The chain of message keys that positions count in.
    private struct Sending: Hashable {
        var device: Int
        var key: Int
    }

    var devices = Table<MessageRow.Device>()
    var conversations = Table<MessageRow.Conversation>()
    var chains = Table<Chain>()
    var forms = Table<MessageRow.Form>()
    var keys = Table<MessageRow.Key>()
    var wraps = WrapState()
    private(set) var ends: [Int: ChainEnd] = [:]
    private(set) var salts: [Int: [UInt8]] = [:]
    private var positions: [Sending: UInt64] = [:]
    /// The entries that the message before used.
    private(set) var lastChain: Int?
    private(set) var lastForm: Int?
    private(set) var lastKey: Int?
    /// The conversation of the newest chain.
    var lastConversation: Int? { chains.last?.conversation }
    private var lastTime: Int64 = 0
    private var lastAge: Int64 = 0

    /// Entry that code 0 stands for: that of the chain's message before, else that of the frame's message before.
    func usualForm(in chain: Int) -> Int? { ends[chain]?.form ?? lastForm }
    func usualKey(in chain: Int) -> Int? { ends[chain]?.key ?? lastKey }

    func expectedSequence(in chain: Int) -> Int64 { ends[chain].map { $0.sequence &+ 1 } ?? 0 }

    func expectedPosition(device: Int, key: Int) -> UInt64 { positions[Sending(device: device, key: key)] ?? 0 }

    /// Ages grow as times of creation lie further back, so that all items together say one moment: now.
    func expectedAge(at time: Int64) -> Int64 {
        let elapsed = time &- lastTime
        let seconds = elapsed >= 0 ? elapsed / 1000 : -((999 &- elapsed) / 1000)
        return min(max(0, lastAge &- seconds), FrameLimits.ageMax)
    }

    var expectedTime: Int64 { lastTime }

    /// A chain that goes on from an earlier frame. What this frame said already of its device stands.
    mutating func introduce(_ context: ChainContext) -> Int {
        let device = devices.index(of: context.device) ?? devices.append(context.device)
        let conversation = conversations.index(of: context.conversation) ?? conversations.append(context.conversation)
        let chain = chains.append(.init(device: device, conversation: conversation))
        let form = forms.index(of: context.form) ?? forms.append(context.form)
        let key = keys.index(of: context.key) ?? keys.append(context.key)
        ends[chain] = ChainEnd(sequence: context.sequence, hash: context.hash, form: form, key: key)
        if salts[device] == nil { salts[device] = context.salt }
        let sending = Sending(device: device, key: key)
        if positions[sending] == nil { positions[sending] = context.position }
        return chain
    }

    /// What the chains have come to, in the order of their table.
    var contexts: FrameContexts {
        FrameContexts(
            chains.entries.enumerated().compactMap { index, chain in
                guard let end = ends[index], let salt = salts[chain.device] else { return nil }
                return ChainContext(
                    device: devices[chain.device], conversation: conversations[chain.conversation],
                    form: forms[end.form], key: keys[end.key], salt: salt,
                    position: expectedPosition(device: chain.device, key: end.key), sequence: end.sequence,
                    hash: end.hash)
            })
    }

    mutating func walked(time: Int64, age: Int64) {
        lastTime = time
        lastAge = age
    }

    mutating func walked(_ row: MessageRow, hash: MessageHash, chain: Int, form: Int, key: Int) {
        let device = chains[chain].device
        ends[chain] = ChainEnd(sequence: row.sequence, hash: hash, form: form, key: key)
        salts[device] = row.salt
        positions[Sending(device: device, key: key)] = row.position &+ 1
        lastChain = chain
        lastForm = form
        lastKey = key
    }
}

/// A table that grows in order of first use.
struct Table<Entry: Hashable> {
    private(set) var entries: [Entry] = []
    private var indices: [Entry: Int] = [:]

    var last: Entry? { entries.last }
    var count: Int { entries.count }
    subscript(index: Int) -> Entry { entries[index] }
    func index(of entry: Entry) -> Int? { indices[entry] }

    /// Returns the new entry's index.
    @discardableResult
    mutating func append(_ entry: Entry) -> Int {
        entries.append(entry)
        indices[entry] = entries.count - 1
        return entries.count - 1
    }
}
