import GodwitProtocol
import SwiftProtobuf

/// Items into columns. `ColumnReader` is its inverse, line by line.
struct ColumnWriter {
    private(set) var columns = WireColumns()
    /// Keys, salts, hashes, signatures, ciphertexts and what was lifted out of bodies, in the order in which the reader
    /// asks for them.
    private(set) var opaque: [UInt8] = []
    private var state = ColumnState()
    private var bodies: [UInt8] = []
    private var messages = 0
    private var kinds = Runs(shift: 2)
    private var priorities = Runs(shift: 3)
    private var linksGiven = Gaps()
    private var saltsGiven = Gaps()
    private var recipientsAt = Gaps()
    /// Nil: each signature stands with its message.
    private var runs: SignatureRuns?
    private var proofs: [MessageProof] = []
    private let known: KnownChains?
    private let lifting: FrameLifting

    /// - Parameters:
    ///   - runs: one signature for messages that follow each other.
    ///   - known: chains that the receiver knows; nil: none.
    ///   - lifting: of all the items that will be appended.
    init(runs: Bool, known: KnownChains?, lifting: FrameLifting) {
        self.runs = runs ? SignatureRuns() : nil
        self.known = known
        self.lifting = lifting
        columns.lifted = lifting.isUsed ? 1 : 0
    }

    /// What the chains have come to.
    var contexts: FrameContexts { state.contexts }

    static let columnMessage: UInt32 = 0

    mutating func append(_ item: PreparedItem) {
        kinds.append(item.row == nil ? UInt32(item.item.kind.rawValue) : Self.columnMessage)
        let time = item.item.created.milliseconds
        columns.times.append(time &- state.expectedTime)
        columns.ages.append(item.ageInSeconds - state.expectedAge(at: time))
        state.walked(time: time, age: item.ageInSeconds)
        let lifetime = item.item.lifetime
        columns.lifetimes.append(lifetime == item.usual.lifetime ? 0 : UInt64(lifetime) + 1)
        priorities.append(UInt32((item.item.priority.rawValue - item.usual.priority.rawValue) & 7))
        if let row = item.row, let message = item.message {
            append(row, message)
        } else if let keyRow = item.keyRow {
            columns.bodyLengths.append(0)
            opaque += keyRow
        } else {
            let count = bodies.count
            lifting.write(item, text: &bodies, opaque: &opaque)
            columns.bodyLengths.append(UInt32(bodies.count - count))
        }
    }

    private mutating func append(_ row: MessageRow, _ message: GodwitProtocol.Message) {
        let chain = chain(of: row)
        let device = state.chains[chain].device
        let form = form(row.form, in: chain)
        let key = key(row.key, in: chain)
        if state.salts[device] != row.salt {
            if state.salts[device] != nil { saltsGiven.append(messages) }
            opaque += row.salt
        }
        columns.positions.append(
            Int64(bitPattern: row.position &- state.expectedPosition(device: device, key: key)))
        columns.sequences.append(row.sequence &- state.expectedSequence(in: chain))
        if let previous = row.previous, state.ends[chain]?.hash != previous {
            if state.ends[chain] != nil { linksGiven.append(messages) }
            opaque += previous.bytes
        }
        if runs == nil { opaque += message.proof.signature }
        runs?.append(chain: chain, hash: message.hash, previous: row.previous)
        proofs.append(message.proof)
        columns.lengths.append(UInt32(row.ciphertext.count))
        opaque += row.ciphertext
        if let recipients = row.recipients {
            recipientsAt.append(messages)
            append(row.wraps, or: recipients, in: chain)
        }
        state.walked(row, hash: message.hash, chain: chain, form: form, key: key)
        messages += 1
    }

    private mutating func append(_ wraps: [WrapRow]?, or recipients: JSONValue, in chain: Int) {
        columns.wrapCounts.append(UInt32(wraps?.count ?? 0))
        guard let wraps else { return columns.recipients.append(recipients.canonicalText) }
        var used: [Int] = []
        for (place, wrap) in wraps.enumerated() {
            let usual = state.wraps.usual(place, in: chain)
            let entry: Int
            if let known = state.wraps.keys.index(of: wrap.key) {
                columns.wraps.append(TableCode.code(for: known, usual: usual))
                entry = known
            } else {
                columns.wraps.append(TableCode.new(usual: usual))
                columns.wrapUsers.append(wrap.key.isAuthors ? 1 : 0)
                columns.wrapHeaders.append(UInt32(wrap.key.header.count))
                opaque += wrap.key.device + wrap.key.session + wrap.key.header
                entry = state.wraps.keys.append(wrap.key)
            }
            columns.wrapPositions.append(Int64(bitPattern: wrap.position &- state.wraps.expectedPosition(entry)))
            opaque += wrap.wrapped
            state.wraps.walked(wrap, entry: entry)
            used.append(entry)
        }
        state.wraps.last[chain] = used
    }

    private mutating func chain(of row: MessageRow) -> Int {
        if let device = state.devices.index(of: row.device),
            let conversation = state.conversations.index(of: row.conversation),
            let known = state.chains.index(of: .init(device: device, conversation: conversation))
        {
            columns.chains.append(TableCode.code(for: known, usual: state.lastChain))
            return known
        }
        columns.chains.append(TableCode.new(usual: state.lastChain))
        if let found = known?.find(row.device, row.conversation) {
            columns.knownFrames.append(found.back)
            columns.knownEntries.append(found.entry)
            return state.introduce(found.context)
        }
        columns.knownFrames.append(0)
        let device = device(row.device)
        let conversation = conversation(row.conversation, by: row.device)
        return state.chains.append(.init(device: device, conversation: conversation))
    }

    private mutating func device(_ device: MessageRow.Device) -> Int {
        if let known = state.devices.index(of: device) {
            columns.chainDevices.append(UInt32(known + 1))
            return known
        }
        columns.chainDevices.append(0)
        columns.authors.append(device.author)
        opaque += device.id
        return state.devices.append(device)
    }

    private mutating func conversation(_ conversation: MessageRow.Conversation, by device: MessageRow.Device) -> Int {
        let usual = state.lastConversation
        if let known = state.conversations.index(of: conversation) {
            columns.chainConversations.append(TableCode.code(for: known, usual: usual))
            return known
        }
        columns.chainConversations.append(TableCode.new(usual: usual))
        columns.conversations.append(
            .with {
                $0.name = conversation.name
                $0.node = conversation.node == device.node ? ConversationNode.authors : conversation.node
            })
        return state.conversations.append(conversation)
    }

    private mutating func form(_ form: MessageRow.Form, in chain: Int) -> Int {
        let usual = state.usualForm(in: chain)
        if let known = state.forms.index(of: form) {
            columns.messageForms.append(TableCode.code(for: known, usual: usual))
            return known
        }
        columns.messageForms.append(TableCode.new(usual: usual))
        columns.forms.append(
            .with {
                $0.type = form.type == MessageType.text.rawValue ? "" : form.type
                if let client = form.loneClient {
                    $0.client = client
                } else {
                    $0.metadata = form.metadata.canonicalText
                }
                $0.lifetime = form.lifetime.map { UInt64(bitPattern: $0 &+ 1) } ?? 0
            })
        return state.forms.append(form)
    }

    private mutating func key(_ key: MessageRow.Key, in chain: Int) -> Int {
        let usual = state.usualKey(in: chain)
        if let known = state.keys.index(of: key) {
            columns.messageKeys.append(TableCode.code(for: known, usual: usual))
            return known
        }
        columns.messageKeys.append(TableCode.new(usual: usual))
        columns.keyIDLengths.append(KeyMark.mark(of: key))
        columns.headerLengths.append(UInt32(key.header.count))
        opaque += key.epoch
        if !key.isDerived { opaque += key.keyID }
        opaque += key.header
        return state.keys.append(key)
    }

    /// Writes the signatures that have to stand, the last message's first, each after the hashes that lead to what it
    /// signs.
    private mutating func finishRuns() throws(ProtocolError) {
        guard let runs else { return }
        columns.signatures = 1
        var standing: [MessageProof] = []
        _ = try runs.provers { index in
            standing.append(proofs[index])
            return proofs[index].hashes.count
        }
        for proof in standing {
            columns.covers.append(UInt32(proof.hashes.count))
            for hash in proof.hashes { opaque += hash }
            opaque += proof.signature
        }
    }

    /// The columns with what stands at their ends as zero left out: the reader adds it. Call once.
    mutating func finished() throws(ProtocolError) -> WireColumns {
        try finishRuns()
        var result = columns
        result.kinds = kinds.values
        result.priorities = priorities.isAllZero ? [] : priorities.values
        result.linksGiven = linksGiven.values
        result.saltsGiven = saltsGiven.values
        result.recipientsAt = recipientsAt.values
        result.bodies = WireBytes.make(bodies)
        result.times.trim()
        result.ages.trim()
        result.lifetimes.trim()
        result.chains.trim()
        result.sequences.trim()
        result.positions.trim()
        result.chainDevices.trim()
        result.chainConversations.trim()
        result.messageForms.trim()
        result.messageKeys.trim()
        result.keyIDLengths.trim()
        result.headerLengths.trim()
        result.covers.trim()
        result.knownFrames.trim()
        result.knownEntries.trim()
        result.wrapCounts.trim()
        result.wraps.trim()
        result.wrapUsers.trim()
        result.wrapHeaders.trim()
        result.wrapPositions.trim()
        return result
    }
}

extension [UInt32] { fileprivate mutating func trim() { while last == 0 { removeLast() } } }
extension [UInt64] { fileprivate mutating func trim() { while last == 0 { removeLast() } } }
extension [Int64] { fileprivate mutating func trim() { while last == 0 { removeLast() } } }
